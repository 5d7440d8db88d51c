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

    private struct Member {
        let session: SessionDriver
        /// The hostnames it serves; nil for whatever leads here.
        let hostnames: Set<String>?

        func serves(_ hostname: String) -> Bool { self.hostnames?.contains(hostname) ?? true }
    }

    private struct Contents {
        var members: [Member] = []
        var waiters: [Waiter] = []
        /// Where the search for the least loaded begins, so that equals take turns.
        var start = 0
    }

    /// The tunnel's name, or the hostname of one that was asked for at login.
    let name: String
    private let contents = Mutex(Contents())

    init(name: String) { self.name = name }

    var sessions: [SessionDriver] { self.contents.withLock { $0.members.map(\.session) } }

    var waitingCount: Int { self.contents.withLock { $0.waiters.count } }

    /// Adds a session for some of the pool's hostnames, or with nil for all of them.
    func add(_ session: SessionDriver, serving hostnames: Set<String>?) {
        let member = Member(session: session, hostnames: hostnames)
        self.contents.withLock { $0.members.append(member) }
        self.wakeWaiters()
    }

    func remove(_ session: SessionDriver) {
        self.contents.withLock { contents in contents.members.removeAll { $0.session === session } }
    }

    /// The connected session with the fewest streams under way, of those that serve `hostname`; nil
    /// when none is connected.
    func leastLoaded(for hostname: String) -> SessionDriver? {
        self.contents.withLock { contents in
            let count = contents.members.count
            guard count > 0 else { return nil }
            contents.start = (contents.start + 1) % count
            var best: (session: SessionDriver, load: Int)?
            for offset in 0..<count {
                let member = contents.members[(contents.start + offset) % count]
                guard member.session.availability == .connected, member.serves(hostname) else {
                    continue
                }
                let load = member.session.load.count
                if load < best?.load ?? .max { best = (member.session, load) }
            }
            return best?.session
        }
    }

    /// Whether a session is connected, whatever it serves.
    var hasConnected: Bool {
        self.contents.withLock { contents in
            contents.members.contains { $0.session.availability == .connected }
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
