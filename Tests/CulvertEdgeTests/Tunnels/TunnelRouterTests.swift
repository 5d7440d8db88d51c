import CulvertControl
import Foundation
import HTTPSemantics
import NIOCore
import NIOPosix
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertEdge

/// Requests that find their connectors, and those of sticky hostnames that wait for theirs.
@Suite(.timeLimit(.minutes(1))) struct TunnelRouterTests {
    /// What a requester was told.
    private enum Answer: Sendable {
        case found(StickyVisit?)
        case failed(RouteFailure)
    }

    private final class Requester: RouteRequester {
        private let continuation: AsyncStream<Answer>.Continuation

        init(_ continuation: AsyncStream<Answer>.Continuation) { self.continuation = continuation }

        func routeMatched(_ hostname: String) {}

        func routeFound(_ stream: TunnelStream, _ visit: StickyVisit?) {
            self.continuation.yield(.found(visit))
        }

        func routeFailed(_ failure: RouteFailure) { self.continuation.yield(.failed(failure)) }
    }

    private let sessions = TestSessions()
    private let directory = TunnelDirectory(domain: nil, reserved: [])
    private let router: TunnelRouter
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private let admission: TunnelDirectory.Admission

    init() throws {
        let key = try #require(TunnelPublicKey([UInt8](repeating: 1, count: 32)))
        let declared = DeclaredTunnel(
            name: "demo",
            publicKey: key,
            hostnames: [
                ServedHostname(try HostPattern("plain.test")),
                ServedHostname(try HostPattern("sticky.test"), balance: .sticky),
            ]
        )
        try self.directory.replace(declared: [declared])
        self.admission = TunnelDirectory.Admission(
            name: "demo",
            tunnel: .declared(name: "demo"),
            publicKey: key,
            hosts: []
        )
        self.router = TunnelRouter(
            directory: self.directory,
            host: self.sessions.host,
            maximumWaiting: 10,
            maximumStreams: 100
        )
    }

    private func join(_ number: UInt64) -> SessionDriver {
        let session = self.sessions.make(number)
        let connector = SessionID(high: 1, low: number)
        self.directory.add(
            session,
            of: connector,
            self.admission,
            agent: "",
            address: "",
            at: Date()
        )
        return session
    }

    /// Asks for a connector.
    private func route(
        _ host: String,
        _ fields: HTTPFields = [:]
    ) async throws -> AsyncStream<Answer>.Iterator {
        let address = try #require(IPAddress("127.0.0.1"))
        let (answers, continuation) = AsyncStream.makeStream(of: Answer.self)
        let (router, eventLoop) = (self.router, self.eventLoop)
        try await eventLoop.submit {
            let request = RouteRequest(
                head: RequestHead(
                    method: "GET",
                    scheme: "https",
                    authority: host,
                    path: "/",
                    fields: fields
                ),
                host: host,
                visitor: VisitorInfo(
                    connection: VisitorConnection(peer: address, scheme: "https")
                ),
                attempt: 1,
                deadline: .now() + .seconds(30),
                eventLoop: eventLoop
            )
            router.route(request, for: Requester(continuation))
        }.get()
        return answers.makeAsyncIterator()
    }

    /// The `Cookie` field that an answer makes a visitor send; nil when it sets none.
    private func cookie(_ answer: Answer?) throws -> String? {
        guard case .found(let visit?) = answer else {
            Issue.record("\(String(describing: answer))")
            return nil
        }
        var head = ResponseHead(status: 200)
        visit.mark(&head)
        return head.fields.first("set-cookie").map { String($0.prefix { $0 != ";" }) }
    }

    @Test func onlyStickyHostnamesLookAtCookies() async throws {
        _ = self.join(1)
        var plain = try await self.route("plain.test", ["Cookie": "culvert-sticky=x"])
        guard case .found(nil) = await plain.next() else {
            Issue.record("a visit of a plain hostname is marked")
            return
        }
        var sticky = try await self.route("sticky.test", ["Cookie": "culvert-sticky=x; a=b"])
        guard case .found(let visit?) = await sticky.next() else {
            Issue.record("a visit of a sticky hostname is not marked")
            return
        }
        #expect(visit.head.fields == ["Cookie": "a=b"])
    }

    @Test func aVisitorWaitsForItsConnectorAndThenGoesToAnother() async throws {
        let own = self.join(1)
        var first = try await self.route("sticky.test")
        let cookie = try #require(try self.cookie(await first.next()))
        _ = self.join(2)
        self.sessions.loseLink(own)
        // Whoever does not know it goes to the other at once, who does waits.
        var fresh = try await self.route("sticky.test")
        let others = try #require(try self.cookie(await fresh.next()))
        #expect(others != cookie)
        var waiting = try await self.route("sticky.test", ["Cookie": cookie])
        #expect(self.directory.report.map(\.waiting) == [1])
        // It is awake again when others come and go, and waits on.
        for pool in self.directory.pools(of: own) { pool.wakeWaiters() }
        try await self.eventLoop.submit {}.get()
        #expect(self.directory.report.map(\.waiting) == [1])
        for pool in self.directory.pools(of: own) { pool.giveUp(own) }
        #expect(try self.cookie(await waiting.next()) == others)
        #expect(self.directory.report.map(\.waiting) == [0])
    }

    /// Whether the answer is that there is no connector.
    private func isWithoutConnector(_ answer: Answer?) -> Bool {
        guard case .failed(.noConnector) = answer else { return false }
        return true
    }

    @Test func nobodyWaitsForAConnectorThatCannotCome() async throws {
        var waiting = try await self.route("plain.test")
        #expect(self.directory.report.map(\.waiting) == [1])
        self.router.drain()
        #expect(self.isWithoutConnector(await waiting.next()))
        var late = try await self.route("plain.test")
        #expect(self.isWithoutConnector(await late.next()))
        #expect(self.directory.report.map(\.waiting) == [0])
    }

    @Test func whileTheEdgeStopsASessionThatMayBeBackIsWaitedFor() async throws {
        let session = self.join(1)
        self.sessions.loseLink(session)
        var waiting = try await self.route("plain.test")
        self.router.drain()
        try await self.eventLoop.submit {}.get()
        #expect(self.directory.report.map(\.waiting) == [1])
        self.directory.remove(session)
        #expect(self.isWithoutConnector(await waiting.next()))
    }

    @Test func whileTheEdgeStopsASessionThatIsThereIsUsed() async throws {
        _ = self.join(1)
        self.router.drain()
        var served = try await self.route("plain.test")
        guard case .found = await served.next() else {
            Issue.record("a request under way to a live session is not served")
            return
        }
    }
}
