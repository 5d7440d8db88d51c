internal import Synchronization

/// The connections on which a connector may still log in: each from its adoption until one has, or it is
/// gone.
///
/// Any thread.
final class PendingLogins: Sendable {
    private struct Contents {
        var count = 0
        var whenNone: (@Sendable () -> Void)?
    }

    private let contents = Mutex(Contents())

    /// Whether there are none.
    var isEmpty: Bool { self.contents.withLock { $0.count == 0 } }

    /// Counts a connection until the last reference to what this returns is gone, which keeps `permit` as
    /// long.
    func begin(keeping permit: (any AnyObject & Sendable)?) -> any AnyObject & Sendable {
        self.contents.withLock { $0.count += 1 }
        return PendingLogin(self, permit)
    }

    /// Has `work` called each time that the last of them is over, on the thread that ends it.
    func whenNone(_ work: @escaping @Sendable () -> Void) {
        self.contents.withLock { $0.whenNone = work }
    }

    fileprivate func end() {
        let work = self.contents.withLock { contents in
            contents.count -= 1
            return contents.count == 0 ? contents.whenNone : nil
        }
        work?()
    }
}

/// One connection, as long as it is referred to.
private final class PendingLogin: Sendable {
    private let logins: PendingLogins
    private let permit: (any AnyObject & Sendable)?

    init(_ logins: PendingLogins, _ permit: (any AnyObject & Sendable)?) {
        self.logins = logins
        self.permit = permit
    }

    deinit { self.logins.end() }
}
