import Glibc
import HTTPSemantics
import NIOCore
import NIOPosix
import Synchronization
import Testing
import TunnelLink
import TunnelSession
import TunnelTransport
import TunnelWire

/// Both ends of a tunnel over real TLS and real WebSockets on loopback.
@Suite(.serialized) struct TunnelLinkTests {
    private let head = RequestHead(
        method: "POST",
        scheme: "https",
        authority: "app.test",
        path: "/echo?x=1",
        fields: ["Content-Type": "text/plain", "X-Odd": "ä", "content-type": "again"]
    )

    /// Bytes of which no two blocks are alike: eight that count, then filling.
    private func body(_ count: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        let filling = [UInt8]((0..<1_016).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        while buffer.readableBytes < count {
            buffer.writeInteger(UInt64(buffer.readableBytes))
            buffer.writeBytes(filling)
        }
        return buffer.getSlice(at: 0, length: count) ?? buffer
    }

    private func withLoopback(
        attributes: HTTPFields = [:],
        _ test: (Loopback) async throws -> Void
    ) async throws {
        let certificate = try TestCertificate()
        defer { certificate.remove() }
        let loopback = try Loopback(certificate, attributes: attributes)
        do {
            try await test(loopback)
        } catch {
            try await loopback.stop()
            throw error
        }
        try await loopback.stop()
    }

    /// Waits for the login to be answered.
    private func welcome(_ events: AsyncStream<LinkEvent>) async -> Welcome? {
        for await event in events {
            switch event {
            case .welcomed(let welcome): return welcome
            case .refused, .draining, .closed:
                Issue.record("\(event)")
                return nil
            }
        }
        return nil
    }

    @Test(.timeLimit(.minutes(1)), arguments: [1, 70_000, 5_000_000])
    func aRequestCrossesFaithfully(bytes: Int) async throws {
        try await self.withLoopback { loopback in
            let welcome = await self.welcome(try loopback.link())
            #expect(welcome?.isResumed == false)
            #expect(welcome?.attributes.first("tunnel") == "test")
            let session = try #require(loopback.authority.sessions.withLock { $0.first })
            let bridge = try #require(loopback.edge.host.bridge(of: loopback.group.next()))
            let body = self.body(bytes)
            let answer = try await Client.request(
                self.head,
                body: body,
                on: session,
                bridge: bridge
            )
            #expect(answer.reset == nil)
            #expect(answer.head?.fields == self.head.fields)
            #expect(answer.body == body)
            #expect(answer.trailers == ["X-Sum": "7"])
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aCutLosesNothing() async throws {
        try await self.withLoopback { loopback in
            var events = try loopback.link()
            _ = await self.welcome(events)
            let session = try #require(loopback.authority.sessions.withLock { $0.first })
            let bridge = try #require(loopback.edge.host.bridge(of: loopback.group.next()))
            let body = self.body(30_000_000)
            let head = self.head
            async let answer = Client.request(head, body: body, on: session, bridge: bridge)
            for _ in 0..<8 {
                try await Task.sleep(for: .milliseconds(40))
                loopback.cut()
                for await event in events { if case .closed = event { break } }
                events = try loopback.link()
                let welcome = await self.welcome(events)
                #expect(welcome?.isResumed == true)
            }
            let whole = try await answer
            #expect(whole.reset == nil)
            #expect(whole.body.readableBytes == body.readableBytes)
            #expect(whole.body == body)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func connectorsOfOneTransportKeepTheirRequestsApart() async throws {
        try await self.withLoopback { loopback in
            let other = loopback.addConnector(status: 299)
            let events = try loopback.link()
            #expect(await self.welcome(events)?.isResumed == false)
            #expect(await self.welcome(try loopback.link(of: other))?.isResumed == false)
            let sessions = loopback.authority.sessions.withLock { $0 }
            try #require(sessions.count == 2)
            #expect(sessions[0].publicKey == loopback.connector.identity.publicKey)
            let bridge = try #require(loopback.edge.host.bridge(of: loopback.group.next()))
            let body = self.body(70_000)
            let head = self.head
            func status(_ session: SessionDriver) async throws -> UInt16? {
                let answer = try await Client.request(
                    head,
                    body: body,
                    on: session,
                    bridge: bridge
                )
                #expect(answer.body == body)
                return answer.head?.status
            }
            #expect(try await status(sessions[0]) == 200)
            #expect(try await status(sessions[1]) == 299)
            // One that is closed makes no link any more, and the other goes on.
            loopback.connector.close(.shutdown, reason: "test")
            for await _ in events {}
            for await event in try loopback.link() {
                guard case .closed(.transport(.shutdown)) = event else {
                    Issue.record("\(event)")
                    continue
                }
            }
            #expect(try await status(sessions[1]) == 299)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aConnectorIsToldItsConfigurationAndReports() async throws {
        try await self.withLoopback { loopback in
            let first = ManagedConfiguration(version: 1, text: "one")
            loopback.authority.configuration.withLock { $0 = first }
            let events = try loopback.link()
            _ = await self.welcome(events)
            await loopback.authority.nextReport { $0.configurationVersion == 1 }
            // Away when it changes, twice: what comes with the next link is the last.
            loopback.cut()
            for await event in events { if case .closed = event { break } }
            for version in 2...3 as ClosedRange<UInt64> {
                loopback.authority.configuration.withLock {
                    $0 = ManagedConfiguration(version: version, text: "\(version)")
                }
                loopback.edge.configurationsChanged()
            }
            let welcome = await self.welcome(try loopback.link())
            #expect(welcome?.isResumed == true)
            await loopback.authority.nextReport { $0.configurationVersion == 3 }
            #expect(loopback.delegate.received.withLock { $0.map(\.version) } == [1, 3])
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aRefusedLoginSaysWhy() async throws {
        try await self.withLoopback(attributes: ["refuse-me": "1"]) { loopback in
            var refusal: Refusal?
            for await event in try loopback.link() {
                if case .refused(let words) = event { refusal = words }
            }
            #expect(refusal?.code == .unknownKey)
            #expect(refusal?.isPermanent == true)
            #expect(refusal?.message == "no such tunnel")
        }
    }

    /// A request that stays under way, once its answer has begun.
    private func openRequest(_ loopback: Loopback) async throws -> Task<Client.Answer, any Error> {
        let session = try #require(loopback.authority.sessions.withLock { $0.first })
        let bridge = try #require(loopback.edge.host.bridge(of: loopback.group.next()))
        let (heads, continuation) = AsyncStream.makeStream(of: Void.self)
        let head = self.head
        let answer = Task {
            try await Client.request(
                head,
                body: ByteBuffer(),
                on: session,
                bridge: bridge,
                onHead: { continuation.finish() }
            )
        }
        for await _ in heads {}
        return answer
    }

    @Test(.timeLimit(.minutes(1)))
    func aLinkLostWhileTheEdgeStopsEndsTheSession() async throws {
        try await self.withLoopback { loopback in
            _ = await self.welcome(try loopback.link())
            let answer = try await self.openRequest(loopback)
            loopback.edge.drain()
            loopback.edge.adoptNoMore()
            loopback.cut()
            #expect(try await answer.value.reset == .sessionStopped)
            #expect(await loopback.authority.nextEnd() == .closedHere(.shutdown))
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aSessionWithoutALinkEndsWhenNobodyCanBringItOne() async throws {
        try await self.withLoopback { loopback in
            let events = try loopback.link()
            _ = await self.welcome(events)
            let answer = try await self.openRequest(loopback)
            loopback.cut()
            for await event in events { if case .closed = event { break } }
            loopback.edge.drain()
            loopback.edge.adoptNoMore()
            #expect(try await answer.value.reset == .sessionStopped)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aLinkOnItsWayInMayStillResumeWhileTheEdgeStops() async throws {
        try await self.withLoopback { loopback in
            let events = try loopback.link()
            _ = await self.welcome(events)
            let answer = try await self.openRequest(loopback)
            loopback.cut()
            for await event in events { if case .closed = event { break } }
            // Somebody is there who might be the connector, so the session is kept.
            let silent = try loopback.silentConnection()
            loopback.edge.drain()
            loopback.edge.adoptNoMore()
            let welcome = await self.welcome(try loopback.link())
            #expect(welcome?.isResumed == true)
            // With the last of them it is over, whose link is lost then.
            close(silent)
            loopback.cut()
            #expect(try await answer.value.reset == .sessionStopped)
        }
    }
}
