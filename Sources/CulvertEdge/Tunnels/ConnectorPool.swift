internal import CulvertControl
internal import HTTPSemantics
internal import NIOCore
internal import Synchronization
internal import TunnelLink
internal import TunnelWire

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
        /// The process, over all its sessions.
        let connector: SessionID
        /// The hostnames it serves; nil for whatever leads here.
        let hostnames: Set<String>?
        /// Its rules whose origins fail their health checks.
        var unhealthy: [HostPattern] = []
        /// Its link has been gone for so long that nobody waits for it in particular.
        var isGivenUp = false

        /// How it stands for a request of `route`, by the visitor whose own connector is `own`.
        func candidate(for route: TunnelTable.Route, own: SessionID?) -> ConnectorChoice.Candidate {
            let link: ConnectorChoice.Candidate.Link =
                switch self.session.availability {
                case .connected: .connected
                case .waiting: self.isGivenUp ? .gone : .returning
                case .draining, .closed: .gone
                }
            let isServing = self.hostnames?.contains(route.hostname) ?? true
            return ConnectorChoice.Candidate(
                link: isServing ? link : .gone,
                requests: self.session.load.count,
                isHealthy: self.unhealthy.isEmpty
                    || !self.unhealthy.contains { $0.covers(route.pattern) },
                isOwn: self.connector == own
            )
        }
    }

    private struct Contents {
        var members: [Member] = []
        var waiters: [Waiter] = []
        /// Where the search for the one with the fewest requests begins, so that equals take turns.
        var start = 0
        /// Whose turn is next, by hostname; of those that go by turns, since members last changed.
        var turns: [String: Int] = [:]
        /// By hostname; of those that are sticky, since members last changed.
        var tokens: [String: StickyTokens] = [:]

        mutating func membersChanged() {
            self.turns = [:]
            self.tokens = [:]
        }

        mutating func tokens(of hostname: String) -> StickyTokens {
            if let tokens = self.tokens[hostname] { return tokens }
            let tokens = StickyTokens(
                hostname: hostname,
                connectors: self.members.lazy.map(\.connector)
            )
            self.tokens[hostname] = tokens
            return tokens
        }
    }

    /// The tunnel's name, or the hostname of one that was asked for at login.
    let name: String
    private let contents = Mutex(Contents())

    init(name: String) { self.name = name }

    var sessions: [SessionDriver] { self.contents.withLock { $0.members.map(\.session) } }

    var waitingCount: Int { self.contents.withLock { $0.waiters.count } }

    /// Adds a session of a connector for some of the pool's hostnames, or with nil for all of them.
    func add(_ session: SessionDriver, of connector: SessionID, serving hostnames: Set<String>?) {
        let member = Member(session: session, connector: connector, hostnames: hostnames)
        self.contents.withLock {
            $0.members.append(member)
            $0.membersChanged()
        }
        self.wakeWaiters()
    }

    func remove(_ session: SessionDriver) {
        self.contents.withLock { contents in
            contents.members.removeAll { $0.session === session }
            contents.membersChanged()
        }
    }

    // MARK: How sessions stand

    /// Says which rules of a session's connector have origins that fail their checks; it is passed over
    /// for every hostname that one of them covers while another is to be had.
    func setUnhealthy(_ session: SessionDriver, _ rules: [HostPattern]) {
        self.change(session) { $0.unhealthy = rules }
    }

    /// A session without a link is waited for in particular no longer: its visitors go to others.
    func giveUp(_ session: SessionDriver) {
        self.change(session) { $0.isGivenUp = true }
        self.wakeWaiters()
    }

    /// A session has a link again.
    func isBack(_ session: SessionDriver) { self.change(session) { $0.isGivenUp = false } }

    private func change(_ session: SessionDriver, _ change: (inout Member) -> Void) {
        self.contents.withLock { contents in
            for index in contents.members.indices
            where contents.members[index].session === session {
                change(&contents.members[index])
            }
        }
    }

    /// Whether a session is connected, whatever it serves.
    var hasConnected: Bool {
        self.contents.withLock { contents in
            contents.members.contains { $0.session.availability == .connected }
        }
    }

    /// Whether a session that serves the route's hostname is without a link and may get another.
    func mayRegain(for route: TunnelTable.Route) -> Bool {
        self.contents.withLock { contents in
            contents.members.contains { member in
                member.session.availability == .waiting
                    && member.hostnames?.contains(route.hostname) ?? true
            }
        }
    }

    // MARK: Requests

    /// What becomes of a request.
    enum Choice {
        /// It goes to this session. `cookie` is the value that a sticky hostname's visitor needs; nil when
        /// it has it, and of all others.
        case use(SessionDriver, cookie: String?)
        /// None is connected, or the visitor's own is about to be back.
        case wait
        /// All that are connected have `maximumRequests` under way.
        case full
    }

    /// Chooses a session for a request of `route`, whose sticky cookies are `cookies`.
    func choose(
        for route: TunnelTable.Route,
        cookies: [Substring],
        maximumRequests: Int
    ) -> Choice {
        self.contents.withLock { contents in
            let count = contents.members.count
            guard count > 0 else { return .wait }
            contents.start = (contents.start + 1) % count
            let own = Self.own(route, cookies, &contents)
            switch Self.decide(route, own, maximumRequests, contents) {
            case .nobody, .awaitOwn: return .wait
            case .full: return .full
            case .use(let index):
                let member = contents.members[index]
                if route.balance == .roundRobin {
                    contents.turns[route.hostname] = (index + 1) % count
                }
                guard route.balance == .sticky, member.connector != own else {
                    return .use(member.session, cookie: nil)
                }
                let tokens = contents.tokens(of: route.hostname)
                return .use(member.session, cookie: tokens.value(of: member.connector))
            }
        }
    }

    /// Whether such a request would have to wait now.
    func hasToWait(for route: TunnelTable.Route, cookies: [Substring]) -> Bool {
        self.contents.withLock { contents in
            let own = Self.own(route, cookies, &contents)
            switch Self.decide(route, own, .max, contents) {
            case .nobody, .awaitOwn: return true
            case .full, .use: return false
            }
        }
    }

    /// The connector that a visitor's cookies name.
    private static func own(
        _ route: TunnelTable.Route,
        _ cookies: [Substring],
        _ contents: inout Contents
    ) -> SessionID? {
        guard !cookies.isEmpty else { return nil }
        return contents.tokens(of: route.hostname).connector(of: cookies)
    }

    private static func decide(
        _ route: TunnelTable.Route,
        _ own: SessionID?,
        _ maximumRequests: Int,
        _ contents: Contents
    ) -> ConnectorChoice.Result {
        let choice = ConnectorChoice(balance: route.balance, maximumRequests: maximumRequests)
        let isInTurns = route.balance == .roundRobin
        let start = isInTurns ? contents.turns[route.hostname] ?? 0 : contents.start
        return choice.choose(from: start, of: contents.members.count) {
            contents.members[$0].candidate(for: route, own: own)
        }
    }

    // MARK: Waiting

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
