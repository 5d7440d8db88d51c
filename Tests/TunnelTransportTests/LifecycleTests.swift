import Foundation
import Logging
import Testing

@testable import TunnelTransport

extension TransportTests {
    @Suite(.serialized)
    struct Lifecycle {
        @Test(.timeLimit(.minutes(1)))
        func aCloseArrivesWithCodeAndReason() async throws {
            let server = try TestServer()
            let client = try makeClient()
            let peer = TestPeer()
            client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            #expect(await peer.next() == .opened)
            client.execute {
                peer.connection?.close(code: 4001, reason: "moved")
                peer.connection?.close(code: 4002, reason: "ignored")
            }
            #expect(await peer.end() == .closedHere)
            let other = try #require(server.peers.all.first)
            #expect(await other.end() == .closedByPeer(code: 4001, reason: "moved"))
            client.shutdown()
            server.stop()
            #expect(peer.closedCount == 1)
            #expect(other.closedCount == 1)
        }

        @Test(.timeLimit(.minutes(1)))
        func whatIsReadyGoesOutBeforeTheClose() async throws {
            let server = try TestServer(echoes: false)
            let client = try makeClient()
            let peer = TestPeer()
            client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            #expect(await peer.next() == .opened)
            client.execute {
                peer.outgoing = [[1], [2]]
                peer.connection?.wantsToWrite()
                peer.connection?.close(code: 4000, reason: "")
            }
            let other = try #require(server.peers.all.first)
            #expect(await other.messages(2) == [[1], [2]])
            #expect(await other.end() == .closedByPeer(code: 4000, reason: ""))
            client.shutdown()
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func anAbortIsSeenAsALoss() async throws {
            let server = try TestServer()
            let client = try makeClient()
            let peer = TestPeer()
            client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            #expect(await peer.next() == .opened)
            client.execute { peer.connection?.abort() }
            #expect(await peer.end() == .closedHere)
            guard case .lost? = await (try #require(server.peers.all.first)).end() else {
                Issue.record("not a loss")
                return
            }
            client.shutdown()
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func aShutdownEndsEveryConnectionOnce() async throws {
            let server = try TestServer()
            let client = try makeClient()
            let peers = (0..<20).map { _ in TestPeer(sending: randomMessages(20, seed: 3)) }
            for peer in peers {
                client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            }
            for peer in peers { #expect(await peer.messages(1).count == 1) }
            server.stop()
            for peer in server.peers.all {
                #expect(await peer.end() == .shutdown)
                #expect(peer.closedCount == 1)
            }
            for peer in peers { #expect(await peer.end() != nil) }
            client.shutdown()
            for peer in peers { #expect(peer.closedCount == 1) }
        }

        @Test(.timeLimit(.minutes(1)))
        func aShutdownDuringHandshakesEndsThemOnce() async throws {
            let (listener, port) = try listenOnLoopback()
            let client = try makeClient()
            let peers = (0..<10).map { _ in TestPeer() }
            for peer in peers {
                client.connect(socket: try dial(port), to: try target(), handler: peer)
            }
            client.shutdown()
            for peer in peers {
                #expect(await peer.end() == .shutdown)
                #expect(peer.closedCount == 1)
            }
            let late = TestPeer()
            #expect(!client.connect(socket: try dial(port), to: try target(), handler: late))
            close(listener)
        }

        @Test(.timeLimit(.minutes(1)))
        func connectionsBeyondTheLimitAreClosed() async throws {
            let server = try TestServer()
            var configuration = TransportConfiguration()
            configuration.maximumConnections = 2
            let client = try TunnelTransport(configuration, logger: .init(label: "test"))
            client.start()
            let peers = (0..<3).map { _ in TestPeer() }
            for peer in peers {
                client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            }
            #expect(await peers[2].end() == .overLimit)
            #expect(await peers[0].next() == .opened)
            #expect(await peers[1].next() == .opened)
            client.shutdown()
            server.stop()
        }

        /// A transport that was never started, and one that was dropped without a shutdown.
        @Test(.timeLimit(.minutes(1)))
        func transportsMayBeDropped() async throws {
            _ = try TunnelTransport(TransportConfiguration(), logger: .init(label: "test"))
            let peer = TestPeer()
            let (listener, port) = try listenOnLoopback()
            do {
                let client = try makeClient()
                client.connect(socket: try dial(port), to: try target(), handler: peer)
            }
            #expect(await peer.end() == .shutdown)
            close(listener)
        }

        @Test(.timeLimit(.minutes(1)))
        func noFileDescriptorIsLeftOpen() async throws {
            func openDescriptors() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
            }
            func round() async throws {
                let server = try TestServer()
                for _ in 0..<5 { try await expectEcho(server) }
                let client = try makeClient()
                let stranger = TestPeer()
                client.connect(
                    socket: try dial(server.port),
                    to: try target(authority: nil),
                    handler: stranger
                )
                _ = await stranger.end()
                client.shutdown()
                server.transport.adopt(socket: try dial(server.port), peer: "itself")
                server.stop()
            }
            try await round()
            let before = try openDescriptors()
            for _ in 0..<5 { try await round() }
            // Six of each transport's libuv and libwebsockets; there are seven in a round.
            #expect(try openDescriptors() <= before + 5 * 7 * 6)
        }

        /// Nothing to do means no processor time: no timer ticks underneath.
        @Test(.timeLimit(.minutes(1)))
        func anIdleTransportSleeps() async throws {
            let configuration = TransportConfiguration()
            let transport = try TunnelTransport(configuration, logger: .init(label: "test"))
            let driver = TurnCounter()
            let turns = driver.turns
            transport.start(driver: driver)
            var iterator = turns.makeAsyncIterator()
            _ = await iterator.next()
            // Each wake is one turn, and perhaps one more for the eventfd; no others come between.
            for _ in 0..<20 {
                transport.wake()
                _ = await iterator.next()
            }
            transport.shutdown()
            #expect(driver.count <= 45)
        }
    }
}

// SAFETY: `count` is read after the transport's thread has ended.
private final class TurnCounter: TransportDriver, @unchecked Sendable {
    private(set) var count = 0
    let turns: AsyncStream<Int>
    private let continuation: AsyncStream<Int>.Continuation

    init() { (self.turns, self.continuation) = AsyncStream.makeStream() }

    var nextDeadline: UInt64? { nil }

    func transportWoke(now: UInt64) { self.continuation.yield(self.count) }

    func transportTurnEnded(now: UInt64) {
        if self.count == 0 { self.continuation.yield(0) }
        self.count += 1
    }
}
