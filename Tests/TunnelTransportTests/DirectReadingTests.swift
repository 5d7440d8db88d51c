import Foundation
import Logging
import Synchronization
import Testing

@testable import TunnelTransport

extension TransportTests {
    /// A client whose server speaks first, as the protocol's does, reads past libwebsockets.
    @Suite(.serialized)
    struct DirectReading {
        /// Answers the first message it gets with all it has to send.
        private func client(sending messages: [[UInt8]]) -> (TestPeer, Flag) {
            let peer = TestPeer()
            let readsDirectly = Flag()
            peer.onMessage = { peer in
                if peer.messageCount == 1 {
                    peer.outgoing = messages
                    peer.connection?.wantsToWrite()
                }
                readsDirectly.set(peer.connection?.frames != nil)
            }
            return (peer, readsDirectly)
        }

        private func server(
            then act: (@Sendable (TestPeer) -> Void)? = nil
        ) throws -> TestServer {
            try TestServer() { peer in
                peer.outgoing = [TestServer.challenge]
                peer.onMessage = act
            }
        }

        @Test(.timeLimit(.minutes(1)))
        func everyByteComesBackOnceAndInOrder() async throws {
            let server = try self.server()
            let client = try makeClient()
            let sent = randomMessages(1500, seed: 11)
            let (peer, readsDirectly) = self.client(sending: sent)
            client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            #expect(await peer.messages(sent.count + 1) == [TestServer.challenge] + sent)
            #expect(readsDirectly.isSet)
            client.shutdown()
            server.stop()
            #expect(peer.closedCount == 1)
        }

        @Test(.timeLimit(.minutes(1)))
        func theServersCloseIsSeen() async throws {
            let server = try self.server() {
                $0.connection?.close(code: 4001, reason: "enough")
            }
            let client = try makeClient()
            let (peer, _) = self.client(sending: [[1]])
            client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            #expect(await peer.end() == .closedByPeer(code: 4001, reason: "enough"))
            client.shutdown()
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func theServersLossIsSeen() async throws {
            let server = try self.server() { $0.connection?.abort() }
            let client = try makeClient()
            let (peer, _) = self.client(sending: [[1]])
            client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            guard case .lost = await peer.end() else {
                Issue.record("the end was not taken for a loss")
                return
            }
            client.shutdown()
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func theClientsCloseArrives() async throws {
            let server = try self.server()
            let client = try makeClient()
            let (peer, _) = self.client(sending: [[1]])
            client.connect(socket: try dial(server.port), to: try target(), handler: peer)
            #expect(await peer.messages(2) == [TestServer.challenge, [1]])
            client.execute { peer.connection?.close(code: 4002, reason: "done") }
            #expect(await peer.end() == .closedHere)
            let end = await server.peers.all.first?.end()
            #expect(end == .closedByPeer(code: 4002, reason: "done"))
            client.shutdown()
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func connectionsComeAndGoWithoutLeavingDescriptors() async throws {
            let server = try self.server()
            let client = try makeClient()
            var before = 0
            for round in 0..<40 {
                let (peer, _) = self.client(sending: [[UInt8(round)]])
                client.connect(socket: try dial(server.port), to: try target(), handler: peer)
                #expect(await peer.messages(2).last == [UInt8(round)])
                client.execute { peer.connection?.close(code: 4000, reason: "") }
                _ = await peer.end()
                _ = await server.peers.all.last?.end()
                if round == 10 { before = Self.descriptors }
            }
            // The last ones may linger.
            #expect(Self.descriptors <= before + 8)
            client.shutdown()
            server.stop()
        }

        private static var descriptors: Int {
            ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []).count
        }

        /// A server that is not ours: Python's websockets, over the same TLS.
        @Test(.timeLimit(.minutes(1)))
        func anotherServersFramesAreUnderstood() async throws {
            let files = TestCertificates.shared.files("edge")
            let other = try PythonServer(certificate: files.certificate, key: files.key)
            defer { other.stop() }
            let client = try makeClient()
            let (peer, readsDirectly) = self.client(sending: [[1, 2, 3]])
            client.connect(socket: try dial(other.port), to: try target(), handler: peer)
            let messages = await peer.messages(5)
            #expect(messages.map(\.count) == [4, 3, 16_000, 9_000, 6])
            // It waited for the PONG before the last one.
            #expect(messages.last == Array("ponged".utf8))
            #expect(readsDirectly.isSet)
            #expect(await peer.end() == .closedByPeer(code: 4003, reason: "bye"))
            client.shutdown()
        }
    }
}

/// What the transport's thread last saw, for the test to look at.
private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { self.value.load(ordering: .relaxed) }
    func set(_ value: Bool) { self.value.store(value, ordering: .relaxed) }
}

/// Says a challenge, echoes one message, then sends a long one, one in fragments, a ping, and leaves.
private final class PythonServer {
    let port: UInt16
    private let process = Process()

    init(certificate: String, key: String) throws {
        let program = """
            import asyncio, ssl, sys, websockets
            async def serve(socket):
                await socket.send(b"code")
                await socket.send(await socket.recv())
                await socket.send(bytes(16000))
                await socket.send([bytes(3000), bytes(3000), bytes(3000)])
                await (await socket.ping(b"still there?"))
                await socket.send(b"ponged")
                await socket.close(4003, "bye")
            async def main():
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                tls.load_cert_chain(sys.argv[1], sys.argv[2])
                server = await websockets.serve(serve, "127.0.0.1", 0, ssl=tls,
                                                subprotocols=["culvert.v1"], compression=None)
                print(server.sockets[0].getsockname()[1], flush=True)
                await asyncio.wait_for(server.wait_closed(), 60)
            asyncio.run(main())
            """
        let output = Pipe()
        self.process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        self.process.arguments = ["-c", program, certificate, key]
        self.process.standardOutput = output
        try self.process.run()
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data([10]),
            !byte.isEmpty
        {
            line += byte
        }
        self.port = try #require(UInt16(String(decoding: line, as: UTF8.self)))
    }

    /// Not waited for: Foundation does so on the thread that started it only.
    func stop() { self.process.terminate() }
}
