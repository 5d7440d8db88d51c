import Foundation
import Testing

@testable import TunnelTransport

/// One attack per guard; afterwards a well-behaved client must still be served.
extension TransportTests {
    @Suite(.serialized)
    struct Attack {
        /// A request for the tunnel with one line changed or more added.
        private static func upgrade(
            method: String = "GET",
            path: String = TransportConfiguration.path,
            protocolLine: String = "Sec-WebSocket-Protocol: culvert.v1\r\n",
            version: Int = 13,
            more: String = ""
        ) -> String {
            "\(method) \(path) HTTP/1.1\r\nHost: edge.test\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                + "Sec-WebSocket-Version: \(version)\r\n\(protocolLine)\(more)\r\n"
        }

        private func attack(
            challenges: Bool = false,
            tls: Bool = true,
            _ steps: [RawClient.Step]
        ) async throws -> String {
            let server = try TestServer() { peer in
                if challenges { peer.outgoing = [TestServer.challenge] }
            }
            let answer = try await RawClient.run(port: server.port, tls: tls, steps)
            #expect(!answer.contains("TIMEOUT"), "the server keeps the connection open")
            try await expectEcho(server)
            server.stop()
            for peer in server.peers.all { #expect(peer.closedCount == 1) }
            return answer
        }

        @Test(.timeLimit(.minutes(1)))
        func keptAliveRequestThenUnknownUpgrade() async throws {
            let plain = "GET / HTTP/1.1\r\nHost: edge.test\r\nConnection: keep-alive\r\n\r\n"
            let unknown = "GET / HTTP/1.1\r\nHost: edge.test\r\nUpgrade: x\r\n\r\n"
            let answer = try await self.attack([.send(plain + unknown + unknown)])
            #expect(answer.hasPrefix("HTTP/1.1 426"))
            #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
            let direct = try await self.attack([.send(unknown + unknown + plain)])
            #expect(!direct.contains("101"))
        }

        @Test(.timeLimit(.minutes(1)))
        func upgradeToHTTP2() async throws {
            let answer = try await self.attack([
                .send(
                    "GET / HTTP/1.1\r\nHost: edge.test\r\nConnection: Upgrade, HTTP2-Settings"
                        + "\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
                        + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                )
            ]
            )
            #expect(!answer.contains("101"))
        }

        @Test(.timeLimit(.minutes(1)))
        func priorKnowledgeHTTP2() async throws {
            _ = try await self.attack([
                .send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
                .sendBytes([0, 0, 0, 4, 0, 0, 0, 0, 0]),
            ]
            )
        }

        @Test(.timeLimit(.minutes(1)))
        func connectTurnsIntoNothingRaw() async throws {
            let answer = try await self.attack([
                .send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nraw bytes")
            ]
            )
            #expect(!answer.contains("200"))
        }

        @Test(.timeLimit(.minutes(1)))
        func upgradesThatOnlyLibwebsocketsWouldTake() async throws {
            let none = ""
            let wrong = "Sec-WebSocket-Protocol: culvert.v0, x\r\n"
            for (request, status) in [
                (Self.upgrade(method: "POST", more: "Content-Length: 0\r\n"), "405"),
                (Self.upgrade(protocolLine: none), "400"),
                (Self.upgrade(protocolLine: wrong), "400"),
                (Self.upgrade(path: "/"), "404"),
                (Self.upgrade(path: "/culvert/v1/../v2"), "404"),
                (Self.upgrade(version: 8), "426"),
                (Self.upgrade(more: "Content-Length: 5\r\n"), "400"),
                (Self.upgrade(more: "Transfer-Encoding: chunked\r\n"), "400"),
            ] {
                let answer = try await self.attack([.send(request)])
                #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(request) \(answer)")
            }
        }

        @Test(.timeLimit(.minutes(1)), arguments: [false, true])
        func aTextFrame(challenges: Bool) async throws {
            let answer = try await self.attack(
                challenges: challenges,
                [
                    .send(Self.upgrade()), .await("\r\n\r\n"),
                    .sendBytes([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]),
                ]
            )
            #expect(answer.hasPrefix("HTTP/1.1 101"))
            // A close frame with 1003.
            #expect(answer.contains("\u{88}"))
            #expect(answer.contains("\u{03}\u{EB}"))
        }

        @Test(.timeLimit(.minutes(1)), arguments: [false, true])
        func aFrameThatAnnouncesAMebibyte(challenges: Bool)
            async throws
        {
            let header: [UInt8] = [0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 1]
            let answer = try await self.attack(
                challenges: challenges,
                [.send(Self.upgrade()), .await("\r\n\r\n"), .sendBytes(header)]
            )
            #expect(answer.contains("\u{03}\u{F1}"))
        }

        @Test(.timeLimit(.minutes(1)), arguments: [false, true])
        func aMessageTooLongInManyFragments(challenges: Bool)
            async throws
        {
            let piece = [UInt8](repeating: 0, count: 1000)
            var frames: [UInt8] = []
            for index in 0..<20 {
                frames += [index == 0 ? 0x02 : 0x00, 0xFE, 0x03, 0xE8, 0, 0, 0, 0] + piece
            }
            let answer = try await self.attack(
                challenges: challenges,
                [.send(Self.upgrade()), .await("\r\n\r\n"), .sendBytes(frames)]
            )
            #expect(answer.contains("\u{03}\u{F1}"))
        }

        /// libwebsockets takes a client's frames without a mask and does not say so; its own reader
        /// is only before the challenge, where they do no harm.
        @Test(.timeLimit(.minutes(1)), arguments: [false, true])
        func unmaskedFrames(challenges: Bool) async throws {
            let answer = try await self.attack(
                challenges: challenges,
                [
                    .send(Self.upgrade()), .await("\r\n\r\n"), .sendBytes([0x82, 0x02, 1, 2]),
                    .sendBytes([0x88, 0x02, 0x0F, 0xA0]),
                ]
            )
            #expect(answer.hasPrefix("HTTP/1.1 101"))
            // A close frame with 1002.
            if challenges { #expect(answer.contains("\u{03}\u{EA}")) }
        }

        @Test(.timeLimit(.minutes(1)), arguments: [false, true])
        func reservedBitsAndOpcodes(challenges: Bool)
            async throws
        {
            for first: UInt8 in [0xC2, 0x83, 0x8B, 0x80] {
                _ = try await self.attack(
                    challenges: challenges,
                    [
                        .send(Self.upgrade()), .await("\r\n\r\n"),
                        .sendBytes([first, 0x81, 0, 0, 0, 0, 1]),
                        .sendBytes([0x88, 0x82, 0, 0, 0, 0, 0x0F, 0xA0]),
                    ]
                )
            }
        }

        @Test(.timeLimit(.minutes(1)))
        func negativeContentLength() async throws {
            let answer = try await self.attack([
                .send("POST / HTTP/1.1\r\nHost: edge.test\r\nContent-Length: -1\r\n\r\nbody")
            ]
            )
            #expect(answer.hasPrefix("HTTP/1.1 426") || answer.isEmpty)
        }

        @Test(.timeLimit(.minutes(1)))
        func headersWithoutEnd() async throws {
            let endless = "X-Y: " + String(repeating: "z", count: 40_000)
            _ = try await self.attack([.send(Self.upgrade(more: endless + "\r\n"))])
        }

        @Test(.timeLimit(.minutes(1)))
        func garbageInsteadOfTLS() async throws {
            _ = try await self.attack(tls: false, [.send("GET / HTTP/1.1\r\n\r\n")])
            let noise = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 167) }
            _ = try await self.attack(tls: false, [.sendBytes(noise)])
        }

        @Test(.timeLimit(.minutes(1)))
        func silentClientsAreDropped() async throws {
            let server = try TestServer(handshakeTimeoutSeconds: 1)
            async let beforeTLS = RawClient.run(port: server.port, tls: false, [])
            async let afterTLS = RawClient.run(port: server.port, [.send("GET / HT")])
            #expect(try await !beforeTLS.contains("TIMEOUT"))
            #expect(try await !afterTLS.contains("TIMEOUT"))
            try await expectEcho(server)
            server.stop()
        }

        /// Frames behind the upgrade, in its record, are in libwebsockets' hands when reading changes
        /// hands, which pauses it. With small buffers a paused reader spins the service thread for
        /// ever (libwebsockets #2360).
        @Test(.timeLimit(.minutes(1)))
        func manyFramesBeforeTheChallenge() async throws {
            let server = try TestServer(handshakeTimeoutSeconds: 1) { peer in
                peer.outgoing = [TestServer.challenge]
            }
            let frames = (0..<1000).flatMap { index -> [UInt8] in
                [0x82, 0x82, 0, 0, 0, 0, UInt8(index >> 8), UInt8(index & 0xFF)]
            }
            async let answer = RawClient.run(
                port: server.port,
                [.sendBytes(Array(Self.upgrade().utf8) + frames)]
            )
            while server.peers.all.isEmpty { await Task.yield() }
            #expect(await server.peers.all[0].next() == .opened)
            for _ in 0..<3 { try await expectEcho(server) }
            server.transport.execute {
                server.peers.all[0].connection?.close(code: 4000, reason: "no login")
            }
            #expect(try await !answer.contains("TIMEOUT"))
            server.stop()
        }
    }
}
