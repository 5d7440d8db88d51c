import Foundation
import Logging
import Synchronization
import Testing

@testable import TunnelTransport

extension TransportTests {
    @Suite(.serialized)
    struct Transfer {
        @Test(.timeLimit(.minutes(1)))
        func everyByteComesBackOnceAndInOrder() async throws {
            let server = try TestServer()
            let client = try makeClient()
            let sent = randomMessages(1500, seed: 7)
            let peer = TestPeer(sending: sent)
            client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            #expect(await peer.messages(sent.count) == sent)
            client.shutdown()
            server.stop()
            #expect(peer.closedCount == 1)
        }

        @Test(.timeLimit(.minutes(1)))
        func manySmallMessagesOnSeveralConnections() async throws {
            let server = try TestServer()
            let client = try makeClient()
            let peers = (0..<8).map { index in
                TestPeer(sending: (0..<500).map { [UInt8(index), UInt8(truncatingIfNeeded: $0)] })
            }
            for peer in peers {
                client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            }
            for (index, peer) in peers.enumerated() {
                let expected = (0..<500).map { [UInt8(index), UInt8(truncatingIfNeeded: $0)] }
                #expect(await peer.messages(500) == expected)
            }
            client.shutdown()
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func adoptsASocketWhoseClientHelloWasPeekedAt()
            async throws
        {
            let server = try TestServer(peeks: true)
            for _ in 0..<10 { try await expectEcho(server) }
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func certificatesAreReplacedUnderLiveConnections() async throws {
            let server = try TestServer()
            let client = try makeClient()
            let before = TestPeer(sending: [[1]])
            client.connect(socket: try dial(server.port), to: try target(), handler: before)
            #expect(await before.messages(1) == [[1]])

            let replacement = try ServerCertificates([TestCertificates.shared.files("other")])
            server.transport.replaceCertificates(replacement)
            let after = TestPeer()
            client.connect(
                socket: try dial(server.port),
                to: try target("other.test"),
                handler: after
            )
            #expect(await after.next() == .opened)
            let old = TestPeer()
            client.connect(socket: try dial(server.port), to: try target(), handler: old)
            guard case .untrustedCertificate(let refused)? = await old.end() else {
                Issue.record("the old name is still served")
                return
            }
            #expect(refused.subject == "CN=other")

            client.execute {
                before.outgoing.append([2])
                before.connection?.wantsToWrite()
            }
            #expect(await before.messages(1) == [[2]])
            client.shutdown()
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func theCertificateIsChosenByName() async throws {
            let server = try TestServer()
            let files = TestCertificates.shared
            server.transport.replaceCertificates(
                try ServerCertificates([files.files("other"), files.files("next")])
            )
            let client = try makeClient()
            for name in ["edge.test", "other.test"] {
                let peer = TestPeer()
                client.connect(socket: try dial(server.port), to: try target(name), handler: peer)
                #expect(await peer.next() == .opened, "\(name)")
            }
            client.shutdown()
            server.stop()
        }

        /// Every wake is followed by a look at the queue: nothing posted is left lying.
        @Test(.timeLimit(.minutes(1)))
        func wakesFromManyThreadsAreNeverLost() async throws {
            let client = try makeClient()
            let done = Counter()
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<2000 {
                            await withCheckedContinuation { continuation in
                                client.execute {
                                    done.value.add(1, ordering: .relaxed)
                                    continuation.resume()
                                }
                            }
                        }
                    }
                }
            }
            #expect(done.value.load(ordering: .relaxed) == 8000)
            client.shutdown()
            #expect(!client.execute {})
        }

        @Test(.timeLimit(.minutes(1)))
        func wakingDuringAndAfterTheShutdownIsHarmless() async throws {
            for _ in 0..<30 {
                let client = try makeClient()
                let threads = (0..<3).map { _ in
                    Task.detached { for _ in 0..<500 { client.wake() } }
                }
                client.shutdown()
                for thread in threads { await thread.value }
            }
        }

        /// Wakes reach the driver, and deadlines come without a wake.
        @Test(.timeLimit(.minutes(1)))
        func theDriverIsWokenByCallsAndDeadlines() async throws {
            let configuration = TransportConfiguration()
            let transport = try TunnelTransport(configuration, logger: .init(label: "test"))
            let driver = CountingDriver(interval: 2_000_000)
            let counts = driver.wokenTimes
            transport.start(driver: driver)
            for await count in counts where count >= 50 { break }
            transport.shutdown()
        }

        @Test(.timeLimit(.minutes(1)))
        func statisticsComeFromTheKernel() async throws {
            let server = try TestServer()
            let client = try makeClient()
            let peer = TestPeer(sending: [[1]])
            client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            #expect(await peer.messages(1) == [[1]])
            let statistics = await withCheckedContinuation { continuation in
                client.execute {
                    peer.connection?.setNotSentLowWater(16_384)
                    continuation.resume(returning: peer.connection?.statistics)
                }
            }
            #expect(try #require(statistics).roundTripMicroseconds > 0)
            client.shutdown()
            server.stop()
        }
    }
}

private final class Counter: Sendable {
    let value = Atomic<Int>(0)
}

/// Asks to be called again and again.
// SAFETY: `deadline` and `count` are touched on the transport's thread only after the start.
private final class CountingDriver: TransportDriver, @unchecked Sendable {
    private let interval: UInt64
    private var deadline: UInt64
    private var count = 0
    let wokenTimes: AsyncStream<Int>
    private let continuation: AsyncStream<Int>.Continuation

    init(interval: UInt64) {
        self.interval = interval
        self.deadline = monotonicNanoseconds()
        (self.wokenTimes, self.continuation) = AsyncStream.makeStream()
    }

    var nextDeadline: UInt64? { self.deadline }

    func transportWoke(now: UInt64) {
        self.count += 1
        self.deadline = now + self.interval
        self.continuation.yield(self.count)
    }

    func transportTurnEnded(now: UInt64) {}
}
