import Foundation
import HTTPSemantics
import NIOCore
import NIOPosix
import NIOSSL
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertConnector

@Suite("Reaching an origin", .timeLimit(.minutes(1)))
struct ReachTests {
    @Test func refused() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { _ in }
        origin.stop()
        // The listener may take a moment to go; once gone every dial is refused.
        var seen = try await bench.exchange("/r0", to: target, method: "POST")
        seen = try await bench.exchange("/r1", to: target, method: "POST")
        #expect(seen.reset == .originUnreachable)
        #expect(seen.heads.isEmpty)
        #expect(seen.record?.failure?.detail.contains("127.0.0.1") == true)
    }

    @Test("A name that does not resolve", arguments: [false, true])
    func unresolvable(_ serial: Bool) async throws {
        let bench = try await Bench()
        var options = OriginOptions()
        options.noHappyEyeballs = serial
        let service = OriginService.http(host: "no-such-host.invalid", port: 80)
        let target = OriginTarget(service: service, options: options)
        let seen = try await bench.exchange("/u", to: target)
        #expect(seen.reset == .originUnreachable)
    }

    @Test(
        "localhost finds an origin on one family only",
        arguments: ["127.0.0.1", "::1"],
        [false, true]
    )
    func localhost(_ host: String, _ serial: Bool) async throws {
        let bench = try await Bench()
        let origin: ScriptedOrigin
        do {
            origin = try await ScriptedOrigin.start(host: host, script: PoolTests.polite)
        } catch {
            // A machine without IPv6 cannot show it.
            guard host == "::1" else { throw error }
            return
        }
        defer { origin.stop() }
        var options = OriginOptions()
        options.noHappyEyeballs = serial
        let service = OriginService.http(host: "localhost", port: origin.port)
        let target = OriginTarget(service: service, options: options)
        let seen = try await bench.exchange("/l", to: target)
        #expect(seen.text == "ok", "\(seen.record.debugDescription)")
    }

    @Test func unixSocket() async throws {
        let bench = try await Bench()
        let path = FileManager.default.temporaryDirectory.path + "/culvert-\(UUID()).sock"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let origin = try await ScriptedOrigin.start(unixPath: path, script: PoolTests.polite)
        defer { origin.stop() }
        let target = OriginTarget(service: .unix(path: path))
        let seen = try await bench.exchange("/x", to: target)
        #expect(seen.text == "ok")
    }

    @Test func answersOfItsOwn() async throws {
        let bench = try await Bench()
        let missing = OriginTarget(service: .httpStatus(404))
        let seen = try await bench.exchange(
            "/n",
            to: missing,
            method: "POST",
            then: [.zeros(1000), .end]
        )
        #expect(seen.head == ResponseHead(status: 404, fields: ["Content-Length": "0"]))
        #expect(seen.consumed == 1000)
        #expect(seen.isEnded)

        let hello = OriginTarget(service: .helloWorld)
        let page = try await bench.exchange("/", to: hello)
        #expect(page.text.contains("Hello"))
        #expect(page.head?.fields.first("content-length") == "\(page.body.count)")
        let head = try await bench.exchange("/h", to: hello, method: "HEAD")
        #expect(head.body.isEmpty)
        let health = try await bench.exchange("/health?now", to: hello)
        #expect(health.text == "ok\n")
    }
}

@Suite("TLS to an origin", .timeLimit(.minutes(1)))
struct TLSTests {
    let authority: TestAuthority

    init() throws { self.authority = try TestAuthority.shared() }

    private func origin(_ script: @escaping ScriptedOrigin.Script) async throws -> ScriptedOrigin {
        try await ScriptedOrigin.start(tls: self.authority.serverContext(), script: script)
    }

    private func target(
        _ origin: ScriptedOrigin,
        host: String = "localhost",
        _ change: (inout OriginOptions) -> Void = { _ in }
    ) -> OriginTarget {
        var options = OriginOptions()
        options.caPool = self.authority.certificatePath
        change(&options)
        return OriginTarget(
            service: .https(host: host, port: origin.port),
            options: options
        )
    }

    @Test func trustedThroughCAPool() async throws {
        let bench = try await Bench()
        let origin = try await self.origin(PoolTests.polite)
        defer { origin.stop() }
        let target = self.target(origin)
        for path in ["/1", "/2"] {
            let seen = try await bench.exchange(path, to: target)
            #expect(seen.text == "ok", "\(seen.record.debugDescription)")
        }
        #expect(origin.counters.accepted == 1)
    }

    @Test("An address is checked against the certificate", arguments: [true, false])
    func address(_ isListed: Bool) async throws {
        let bench = try await Bench()
        let authority = try TestAuthority.make(isListed ? "IP:127.0.0.1" : "DNS:localhost")
        let tls = try authority.serverContext()
        let origin = try await ScriptedOrigin.start(tls: tls, script: PoolTests.polite)
        defer { origin.stop() }
        let target = self.target(origin, host: "127.0.0.1") {
            $0.caPool = authority.certificatePath
        }
        let seen = try await bench.exchange("/", to: target)
        #expect(seen.reset == (isListed ? nil : .originUnreachable))
        let words = "the address in its URL: set originRequest.originServerName"
        #expect(seen.record?.failure?.detail.contains(words) == (isListed ? nil : true))
    }

    @Test func untrusted() async throws {
        let bench = try await Bench()
        let origin = try await self.origin(PoolTests.polite)
        defer { origin.stop() }
        let plain = self.target(origin) { $0.caPool = nil }
        let refused = try await bench.exchange("/1", to: plain)
        #expect(refused.reset == .originUnreachable)
        #expect(refused.record?.failure?.detail.contains("TLS") == true)
        let lax = self.target(origin) {
            $0.caPool = nil
            $0.noTLSVerify = true
        }
        let seen = try await bench.exchange("/2", to: lax)
        #expect(seen.text == "ok")
    }

    @Test func names() async throws {
        let bench = try await Bench()
        let origin = try await self.origin(PoolTests.polite)
        defer { origin.stop() }
        let wrong = self.target(origin) { $0.originServerName = "other.test" }
        let refused = try await bench.exchange("/1", to: wrong)
        #expect(refused.reset == .originUnreachable)
        let words = "not for other.test: set originRequest.originServerName"
        #expect(refused.record?.failure?.detail.contains(words) == true)
        let right = self.target(origin) { $0.originServerName = "inner.test" }
        #expect(try await bench.exchange("/2", to: right).text == "ok")
        let matching = self.target(origin) { $0.matchSNItoHost = true }
        let named = try await bench.exchange("/3", to: matching, host: "inner.test:8443")
        #expect(named.text == "ok")
        let other = try await bench.exchange("/4", to: matching, host: "other.test")
        #expect(other.reset == .originUnreachable)
    }

    @Test func missingCAPool() async throws {
        let bench = try await Bench()
        let origin = try await self.origin(PoolTests.polite)
        defer { origin.stop() }
        let target = self.target(origin) { $0.caPool = "/no/such/file.pem" }
        let seen = try await bench.exchange("/", to: target)
        #expect(seen.reset == .originUnreachable)
        #expect(seen.record?.failure?.detail.contains("TLS settings") == true)
    }

    /// As BoringSSL has it of a server that takes no protocol but h2.
    @Test func wordsForAnOriginThatSpeaksHTTP2Only() {
        struct Refused: Error, CustomStringConvertible {
            let name: String
            var description: String {
                "handshakeFailed(NIOSSL.BoringSSLError.sslError([Error: 268436576 "
                    + "error:10000460:SSL routines:OPENSSL_internal:\(self.name) "
                    + "at /a/b/tls_record.cc:592]))"
            }
        }
        let refused = Refused(name: "TLSV1_ALERT_NO_APPLICATION_PROTOCOL")
        let words = OriginAdvice.tls(refused, serverName: "a", offersHTTP2: false)
        #expect(words == "it speaks HTTP/2 only: set originRequest.http2Origin: true")
        let both = OriginAdvice.tls(refused, serverName: "a", offersHTTP2: true)
        #expect(!both.contains("http2Origin"))
        let other = OriginAdvice.tls(Refused(name: "X"), serverName: "a", offersHTTP2: false)
        #expect(other.hasSuffix(":X]))") && !other.contains("tls_record"))
    }

    @Test func originThatSpeaksHTTP2WithoutTLS() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.received.hasSuffix("\r\n\r\n") {
                peer.send("\u{0}\u{0}\u{0}\u{4}\u{0}\u{0}\u{0}\u{0}\u{0}")
            }
        }
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: target)
        #expect(seen.reset == .malformedMessage)
        let words = "it speaks HTTP/2 only: set originRequest.http2Origin: true"
        #expect(seen.record?.failure?.detail.contains(words) == true)
    }

    @Test func originThatSpeaksNoTLS() async throws {
        let bench = try await Bench()
        let (origin, _) = try await scripted { $0.send("HTTP/1.1 400 Bad Request\r\n\r\n") }
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: self.target(origin))
        #expect(seen.reset == .originUnreachable)
    }

    @Test func handshakeTimeout() async throws {
        let bench = try await Bench()
        let (origin, _) = try await scripted { _ in }
        defer { origin.stop() }
        let target = self.target(origin) { $0.tlsTimeout = .milliseconds(50) }
        let seen = try await bench.exchange("/", to: target)
        #expect(seen.reset == .originTimeout)
        while try await bench.use({ $0.liveConnections }) > 0 { await Task.yield() }
    }

    @Test func closeNotifyEndsABody() async throws {
        let bench = try await Bench()
        let origin = try await self.origin { peer in
            guard peer.step == 0, peer.hasHeads(1) else { return }
            peer.step = 1
            peer.send("HTTP/1.1 200 OK\r\n\r\nhello")
            peer.closeOutput()
        }
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: self.target(origin))
        #expect(seen.text == "hello")
        #expect(seen.isEnded)
    }

    @Test func bareFINIsTruncation() async throws {
        let bench = try await Bench()
        let origin = try await self.origin { peer in
            guard peer.step == 0, peer.hasHeads(1) else { return }
            peer.step = 1
            peer.send("HTTP/1.1 200 OK\r\n\r\nhello")
            // Past the TLS handler: no close_notify.
            let pipeline = peer.channel.pipeline.syncOperations
            let tls = try? pipeline.context(handlerType: NIOSSLServerHandler.self)
            tls?.close(promise: nil)
        }
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: self.target(origin))
        #expect(seen.text == "hello")
        #expect(seen.reset == .truncated)
    }

    @Test func upgradeOverTLS() async throws {
        let bench = try await Bench()
        let origin = try await self.origin { peer in
            if peer.step == 0, peer.hasHeads(1) {
                peer.step = 1
                peer.send(DuplexTests.switching + "a")
            }
            if peer.sawEnd {
                peer.close()
            } else if peer.received.hasSuffix("ping") {
                peer.send("pong")
            }
        }
        defer { origin.stop() }
        let target = self.target(origin)
        try await bench.open("/w", to: target, fields: DuplexTests.upgrade, then: [])
        try await bench.wait("/w") { $0.text == "a" }
        try await bench.deliver("/w", to: target, [.text("ping")])
        try await bench.wait("/w") { $0.text == "apong" }
        try await bench.deliver("/w", to: target, [.end])
        let seen = try await bench.wait("/w") { $0.isRecorded }
        #expect(seen.isEnded)
    }

    @Test func cancelDoesNotWaitForCloseNotify() async throws {
        let bench = try await Bench()
        let origin = try await self.origin { peer in
            if peer.step == 0 { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") }
            peer.step += 1
        }
        defer { origin.stop() }
        let target = self.target(origin)
        try await bench.open("/c", to: target)
        try await bench.wait("/c") { $0.text == "half" }
        try await bench.probe("/c") { $0.resetByPeer(.cancelled) }
        #expect(try await bench.use { $0.inFlight } == 0)
        while try await bench.use({ $0.liveConnections }) > 0 { await Task.yield() }
    }

    @Test func unixSocketTakesTheVisitorsName() async throws {
        let bench = try await Bench()
        let path = FileManager.default.temporaryDirectory.path + "/culvert-\(UUID()).sock"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let tls = try self.authority.serverContext()
        let origin = try await ScriptedOrigin.start(
            unixPath: path,
            tls: tls,
            script: PoolTests.polite
        )
        defer { origin.stop() }
        var options = OriginOptions()
        options.caPool = self.authority.certificatePath
        let target = OriginTarget(service: .unixTLS(path: path), options: options)
        #expect(try await bench.exchange("/1", to: target, host: "inner.test").text == "ok")
        let other = try await bench.exchange("/2", to: target, host: "other.test")
        #expect(other.reset == .originUnreachable)
    }
}
