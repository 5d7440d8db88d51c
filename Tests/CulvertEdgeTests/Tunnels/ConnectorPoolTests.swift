import CulvertControl
import HTTPSemantics
import NIOCore
import NIOPosix
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertEdge

/// A pool's sessions as they come, lose their links, fail their checks and go.
@Suite(.timeLimit(.minutes(1))) struct ConnectorPoolTests {
    private let pool = ConnectorPool(name: "demo")
    private let sessions = TestSessions()

    /// A session of the connector `number`, in the pool.
    private func join(_ number: UInt64, serving hostnames: Set<String>? = nil) -> SessionDriver {
        let session = self.sessions.make(number)
        self.pool.add(session, of: SessionID(high: 1, low: number), serving: hostnames)
        return session
    }

    private func loseLink(_ session: SessionDriver) {
        self.sessions.loseLink(session)
        #expect(session.availability == .waiting)
    }

    private func route(_ hostname: String, _ balance: Balance) throws -> TunnelTable.Route {
        TunnelTable.Route(
            to: self.pool,
            of: .declared(name: "demo"),
            hostname,
            ServedHostname(try HostPattern(hostname), balance: balance)
        )
    }

    /// The session a request goes to, and the cookie it is given; nil when it has to wait.
    private func choose(
        _ route: TunnelTable.Route,
        _ cookies: [Substring] = []
    ) -> (session: SessionDriver, cookie: String?)? {
        let choice = self.pool.choose(for: route, cookies: cookies, maximumRequests: 100)
        guard case .use(let session, let cookie) = choice else {
            #expect(self.pool.hasToWait(for: route, cookies: cookies))
            return nil
        }
        #expect(!self.pool.hasToWait(for: route, cookies: cookies))
        return (session, cookie)
    }

    @Test func turnsAreOfEachHostname() throws {
        let sessions = (0..<3).map { self.join($0) }
        let (first, second) = try (
            self.route("a.test", .roundRobin), self.route("b.test", .roundRobin)
        )
        for number in 0..<6 {
            #expect(self.choose(first)?.session === sessions[number % 3])
            if number.isMultiple(of: 2) {
                #expect(self.choose(second)?.session === sessions[number / 2 % 3])
            }
        }
    }

    @Test func onlyThoseThatServeTheHostname() throws {
        _ = self.join(1, serving: ["b.test"])
        let route = try self.route("a.test", .roundRobin)
        #expect(self.choose(route) == nil)
        let all = self.join(2)
        for _ in 0..<3 { #expect(self.choose(route)?.session === all) }
    }

    @Test func aVisitorStaysOverSessionsOfItsConnector() throws {
        let (first, second) = (self.join(1), self.join(2))
        let route = try self.route("a.test", .sticky)
        let chosen = try #require(self.choose(route))
        let cookie = Substring(try #require(chosen.cookie))
        let own: UInt64 = chosen.session === first ? 1 : 2
        for _ in 0..<4 {
            let again = try #require(self.choose(route, ["other", cookie]))
            #expect(again.session === chosen.session && again.cookie == nil)
        }
        // The connector's session is over, and it has come back with another one.
        self.pool.remove(chosen.session)
        let renewed = self.join(own)
        #expect(self.choose(route, [cookie])?.session === renewed)
        #expect(self.choose(route, [cookie])?.cookie == nil)
        // It is gone.
        self.pool.remove(renewed)
        let moved = try #require(self.choose(route, [cookie]))
        #expect(moved.session === (own == 1 ? second : first))
        #expect(moved.cookie != nil && moved.cookie.map { $0[...] } != cookie)
    }

    @Test func aLostLinkIsWaitedForUntilItIsGivenUp() throws {
        let own = self.join(1)
        let route = try self.route("a.test", .sticky)
        let cookie = Substring(try #require(self.choose(route)?.cookie))
        let other = self.join(2)
        self.loseLink(own)
        #expect(self.choose(route, [cookie]) == nil)
        // New visitors go on at once.
        #expect(self.choose(route)?.session === other)
        #expect(self.choose(try self.route("b.test", .leastRequests), [])?.session === other)
        self.pool.giveUp(own)
        let moved = try #require(self.choose(route, [cookie]))
        #expect(moved.session === other && moved.cookie != nil)
        self.pool.isBack(own)
        #expect(self.choose(route, [cookie]) == nil)
    }

    @Test func givingUpWakesThoseWhoWait() async throws {
        let own = self.join(1)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: Void.self)
        let waiter = ConnectorPool.Waiter(id: 1, eventLoop: loop) { promise.succeed() }
        #expect(self.pool.wait(waiter, limit: 1))
        self.pool.giveUp(own)
        try await promise.futureResult.get()
        #expect(self.pool.waitingCount == 0)
    }

    @Test func whoIsUnhealthyForAHostnameIsPassedOverForIt() throws {
        let (first, second) = (self.join(1), self.join(2))
        let routes = try ["a.test", "x.b.test", "*.b.test"].map {
            try self.route($0, .leastRequests)
        }
        func chosen(_ route: TunnelTable.Route) -> Set<UInt64> {
            Set((0..<4).compactMap { _ in self.choose(route)?.session.id.low })
        }
        self.pool.setUnhealthy(first, [try HostPattern("*.b.test")])
        #expect(routes.map(chosen) == [[1, 2], [2], [2]])
        self.pool.setUnhealthy(first, [try HostPattern("x.b.test")])
        #expect(routes.map(chosen) == [[1, 2], [2], [1, 2]])
        self.pool.setUnhealthy(first, [try HostPattern("*")])
        #expect(routes.map(chosen) == [[2], [2], [2]])
        // Both: their own errors say more.
        self.pool.setUnhealthy(second, [try HostPattern("a.test")])
        #expect(routes.map(chosen) == [[1, 2], [2], [2]])
        self.pool.setUnhealthy(first, [])
        #expect(routes.map(chosen) == [[1], [1, 2], [1, 2]])
        // An unhealthy one is better than none.
        self.loseLink(first)
        #expect(chosen(routes[0]) == [2])
    }
}
