import Foundation
import Testing

@testable import TunnelTransport

extension TransportTests {
    @Suite(.serialized)
    struct HandshakeFailure {
        private func failure(
            of target: ClientTarget,
            at port: UInt16,
            timeoutSeconds: Int = 15
        ) async throws -> TransportCloseReason? {
            let client = try makeClient(handshakeTimeoutSeconds: timeoutSeconds)
            let peer = TestPeer()
            client.connect(socket: try dial(port), to: target, handler: peer)
            let reason = await peer.end()
            client.shutdown()
            #expect(peer.closedCount == 1)
            return reason
        }

        @Test(.timeLimit(.minutes(1)))
        func anUnknownAuthorityIsNamed() async throws {
            let server = try TestServer()
            let stranger = try target(authority: TestCertificates.shared.stranger)
            let reason = try await self.failure(of: stranger, at: server.port)
            guard case .untrustedCertificate(let certificate)? = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
            #expect(certificate.code == 20)
            #expect(certificate.subject == "CN=edge")
            try await expectEcho(server)
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func aTargetWithoutAuthoritiesBelievesNobody() async throws {
            let server = try TestServer()
            let reason = try await self.failure(of: try target(authority: nil), at: server.port)
            guard case .untrustedCertificate? = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func anotherHostnameIsNamed() async throws {
            let server = try TestServer(certificate: "other")
            let reason = try await self.failure(of: try target(), at: server.port)
            guard case .untrustedCertificate(let certificate)? = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
            #expect(certificate.code == 62)
            #expect(certificate.reason.lowercased().contains("hostname"))
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func anExpiredCertificateIsNamed() async throws {
            let server = try TestServer(certificate: "expired")
            let reason = try await self.failure(of: try target(), at: server.port)
            guard case .untrustedCertificate(let certificate)? = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
            #expect(certificate.code == 10)
            #expect(certificate.reason.contains("expired"))
            server.stop()
        }

        @Test(
            arguments: [
                "", "127.0.0.1", "::1", "[::1]", ":443", "1", "edge.test:443", "a..b", "edge.test.",
                "bad host", "edge\r\nX: y", String(repeating: "a.", count: 70) + "test",
            ]
        )
        func hostnamesThatCannotBeVerifiedAreRefused(hostname: String) throws {
            let error = #expect(throws: TransportError.self) { try target(hostname) }
            #expect(error?.code == .badTarget)
        }

        @Test
        func fieldsThatWouldSplitTheRequestAreRefused() {
            #expect(throws: TransportError.self) { try target(fields: [("a", "b\r\nc: d")]) }
            #expect(throws: TransportError.self) { try target(fields: [("a b", "c")]) }
            #expect(throws: TransportError.self) { try target(path: "/a b") }
            #expect(throws: TransportError.self) { try target(path: "a") }
        }

        @Test
        func filesThatCannotBeUsedAreNamed() throws {
            let files = TestCertificates.shared
            let missing = files.directory + "/missing.pem"
            let noAuthority = #expect(throws: TransportError.self) {
                try ClientTrust(systemRoots: false, additionalFile: missing)
            }
            #expect(noAuthority?.message.contains(missing) == true)
            let mismatch = ServerCertificates.Files(
                certificate: files.files("edge").certificate,
                key: files.files("other").key
            )
            let error = #expect(throws: TransportError.self) { try ServerCertificates([mismatch]) }
            #expect(error?.message.contains(mismatch.key) == true)
            #expect(error?.message.contains("does not belong") == true)
            let noKey = ServerCertificates.Files(
                certificate: files.files("edge").certificate,
                key: missing
            )
            let noKeyError = #expect(throws: TransportError.self) {
                try ServerCertificates([noKey])
            }
            #expect(noKeyError?.message.lowercased().contains("no such file") == true)
            let noChain = ServerCertificates.Files(certificate: missing, key: missing)
            #expect(throws: TransportError.self) { try ServerCertificates([noChain]) }
        }

        @Test(.timeLimit(.minutes(1)))
        func aSilentServerTimesOut() async throws {
            let (listener, port) = try listenOnLoopback()
            let reason = try await self.failure(
                of: try target(),
                at: port,
                timeoutSeconds: 1
            )
            #expect(reason == .timedOut)
            close(listener)
        }

        @Test(.timeLimit(.minutes(1)))
        func aServerThatNeverAnswersTheUpgradeTimesOut() async throws {
            let server = try RawServer(answer: "HTTP/1.1 101 Sw")
            let reason = try await self.failure(
                of: try target(),
                at: server.port,
                timeoutSeconds: 1
            )
            #expect(reason == .timedOut)
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func anAgreementWithoutTheSubprotocolIsNone() async throws {
            let server = try RawServer(
                answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    + "Connection: Upgrade\r\nSec-WebSocket-Accept: DIGEST\r\n\r\n"
            )
            let reason = try await self.failure(of: try target(), at: server.port)
            guard case .violation? = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func redirectsAreReportedNotFollowed() async throws {
            let server = try RawServer(
                answer: "HTTP/1.1 302 Found\r\nLocation: http://portal.test/login\r\n"
                    + "Content-Length: 0\r\n\r\n"
            )
            let reason = try await self.failure(of: try target(), at: server.port)
            guard case .refused(let answer)? = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
            #expect(answer.status == 302)
            #expect(answer.location == "http://portal.test/login")
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func aRefusalReachesTheClient() async throws {
            let server = try TestServer(
                refusal: { request in
                    #expect(request.peer == "test")
                    #expect(request.field("host") == "edge.test")
                    #expect(request.query == "a=b")
                    guard request.field("X-Ticket") != "good" else { return nil }
                    return UpgradeRefusal(
                        status: 403,
                        errorCode: "bad-ticket:\(request.field("authorization") ?? "")",
                        retryAfterSeconds: 7
                    )
                }
            )
            let path = TransportConfiguration.path + "?a=b"
            let bad = try target(path: path, fields: [("Authorization", "none")])
            let reason = try await self.failure(of: bad, at: server.port)
            #expect(
                reason
                    == .refused(
                        RefusedUpgrade(
                            status: 403,
                            errorCode: "bad-ticket:none",
                            retryAfter: "7",
                            location: nil
                        )
                    )
            )
            let client = try makeClient()
            let peer = TestPeer()
            let good = try target(path: path, fields: [("X-Ticket", "good")])
            client.connect(socket: try dial(server.port), to: good, handler: peer)
            #expect(await peer.next() == .opened)
            client.shutdown()
            server.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func aPeerWithoutTLSIsSaidToHaveNone() async throws {
            let (listener, port) = try listenOnLoopback()
            let socket = try dial(port)
            let accepted = accept(listener, nil, nil)
            let words = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
            #expect(write(accepted, words, words.count) == words.count)
            let client = try makeClient()
            let peer = TestPeer()
            client.connect(socket: socket, to: try target(), handler: peer)
            guard case .tlsFailed? = await peer.end() else {
                Issue.record("no TLS failure")
                return
            }
            client.shutdown()
            close(accepted)
            close(listener)
        }

        @Test(.timeLimit(.minutes(1)))
        func theEnvironmentsProxyIsNotUsed() async throws {
            setenv("http_proxy", "http://127.0.0.1:1", 1)
            defer { unsetenv("http_proxy") }
            let server = try TestServer()
            try await expectEcho(server)
            server.stop()
        }
    }
}
