internal import NIOCore
internal import Synchronization
internal import TunnelLink

/// The sessions that serve the same hostnames, and the requests that wait for one of them.
///
/// Any thread: what changes is behind a lock, held for a look at it and no longer.
final class ConnectorPool: Sendable {
    /// What a waiting request is told, on its own event loop.
    struct Waiter: Sendable {
        let id: UInt64
        let eventLoop: any EventLoop
        let retry: @Sendable () -> Void
    }

    private struct Contents {
        var sessions: [SessionDriver] = []
        var waiters: [Waiter] = []
        /// Where the search for the least loaded begins, so that equals take turns.
        var start = 0
    }

    /// The tunnel's name, or the hostname of one that was asked for at login.
    let name: String
    private let contents = Mutex(Contents())

    init(name: String) { self.name = name }

    var isEmpty: Bool { self.contents.withLock { $0.sessions.isEmpty && $0.waiters.isEmpty } }

    var sessions: [SessionDriver] { self.contents.withLock { $0.sessions } }

    var waitingCount: Int { self.contents.withLock { $0.waiters.count } }

    func add(_ session: SessionDriver) {
        self.contents.withLock { $0.sessions.append(session) }
        self.wakeWaiters()
    }

    func remove(_ session: SessionDriver) {
        self.contents.withLock { contents in contents.sessions.removeAll { $0 === session } }
    }

    /// The connected session with the fewest streams under way; nil when none is connected.
    func leastLoaded() -> SessionDriver? {
        self.contents.withLock { contents in
            let count = contents.sessions.count
            guard count > 0 else { return nil }
            contents.start = (contents.start + 1) % count
            var best: (session: SessionDriver, load: Int)?
            for offset in 0..<count {
                let session = contents.sessions[(contents.start + offset) % count]
                guard session.availability == .connected else { continue }
                let load = session.load.count
                if load < best?.load ?? .max { best = (session, load) }
            }
            return best?.session
        }
    }

    /// Adds a waiter; false when `limit` of them wait already.
    func wait(_ waiter: Waiter, limit: Int) -> Bool {
        self.contents.withLock {
            guard $0.waiters.count < limit else { return false }
            $0.waiters.append(waiter)
            return true
        }
    }

    func stopWaiting(_ id: UInt64) {
        self.contents.withLock { contents in contents.waiters.removeAll { $0.id == id } }
    }

    /// Lets every waiting request look again, in the order in which they came.
    func wakeWaiters() {
        let waiters = self.contents.withLock { contents in
            defer { contents.waiters = [] }
            return contents.waiters
        }
        for waiter in waiters { waiter.eventLoop.execute(waiter.retry) }
    }
}
