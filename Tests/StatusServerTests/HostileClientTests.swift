import Foundation
import NIOCore
import StatusServer
import Testing

@Suite("The status listener and hostile clients", .timeLimit(.minutes(1)))
struct HostileClientTests {
    private static let request = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

    /// That the listener still serves others.
    private func expectAlive(_ fixture: StatusFixture) async throws {
        #expect(try await fixture.curl([], "/hello") == "hello\n")
    }

    @Test(
        "What is not HTTP gets 400 and the end of the connection",
        arguments: [
            "hello\r\n\r\n", "GET\r\n\r\n", "\u{16}\u{03}\u{01}\u{02}", "GET /hello\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost : x\r\n\r\n", "GET /hello HTTP/1.1\r\n: x\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: x\0\r\n\r\n",
            "GET /hello HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            "GET /hello HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "BREW /hello HTTP/1.1\r\n\r\n",
            "GET /hello HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ]
    )
    func malformed(bytes: String) async throws {
        try await StatusFixture.with { fixture in
            let answer = try await fixture.exchange(bytes)
            let status = answer.prefix(13)
            #expect(status == "HTTP/1.1 400 " || status == "HTTP/1.1 505 ", "\(answer)")
            #expect(answer.contains("connection: close\r\n"))
            try await self.expectAlive(fixture)
        }
    }

    @Test("A head beyond its limits gets 431, even when far more was sent")
    func oversize() async throws {
        try await StatusFixture.with { fixture in
            let heads = [
                "GET /\(String(repeating: "a", count: 9_000)) HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET /hello HTTP/1.1\r\nA: \(String(repeating: "a", count: 9_000))\r\n\r\n",
                "GET /hello HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: 65) + "\r\n",
                "GET /hello HTTP/1.1\r\n" + String(repeating: "a: bcdefgh\r\n", count: 40_000),
            ]
            for head in heads {
                let answer = try await fixture.exchange(head)
                #expect(answer.hasPrefix("HTTP/1.1 431 "))
                #expect(answer.hasSuffix("too large.\n"))
            }
            try await self.expectAlive(fixture)
        }
    }

    @Test("A head that never ends is cut off, whether it trickles or not")
    func slowHead() async throws {
        var limits = StatusLimits()
        limits.headTimeout = .milliseconds(200)
        try await StatusFixture.with(limits: limits) { fixture in
            #expect(try await fixture.exchange("") == "")
            #expect(try await fixture.exchange("GET /hello HTTP/1.1\r\nHost:") == "")
            // Progress does not extend the deadline: this ends only because the server closes.
            try await offPool {
                let client = try RawClient(port: fixture.port)
                client.send(Array("GET /hello HTTP/1.1\r\n".utf8))
                while !client.hears(within: 10) { client.send(Array("a".utf8)) }
                #expect(client.readToEnd() == "")
            }
            try await self.expectAlive(fixture)
        }
    }

    @Test("A connection that idles after an answer is closed")
    func idle() async throws {
        var limits = StatusLimits()
        limits.idleTimeout = .milliseconds(100)
        try await StatusFixture.with(limits: limits) { fixture in
            let answer = try await fixture.exchange(Self.request)
            #expect(answer.hasSuffix("hello\n"))
        }
    }

    @Test("Half a connection is enough for an answer")
    func halfClose() async throws {
        try await StatusFixture.with { fixture in
            let answer = try await fixture.exchange(Self.request, halfClose: true)
            #expect(answer.hasSuffix("hello\n"))
            let broken = try await fixture.exchange("GET /hello HTTP/1.1\r\nHo", halfClose: true)
            #expect(broken == "" || broken.hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test("Requests sent ahead are not queued: one answer, and the connection ends")
    func pipelined() async throws {
        let asked = Mutexed(0)
        let routes: [String: @Sendable () -> StatusAnswer] = [
            "/hello": {
                asked.update { $0 += 1 }
                return .text("hello")
            }
        ]
        try await StatusFixture.with(routes: routes) { fixture in
            // In one segment, so in one read of the server's.
            let answer = try await fixture.exchange(String(repeating: Self.request, count: 20))
            #expect(answer.components(separatedBy: "HTTP/1.1 200 OK").count == 2)
            #expect(asked.value == 1)
        }
    }

    @Test("A client that asks and never reads is held by its own socket and costs one answer")
    func neverReads() async throws {
        var limits = StatusLimits()
        limits.answerTimeout = .milliseconds(300)
        let asked = Mutexed(0)
        let large = String(repeating: "x", count: 16 * 1024 * 1024)
        let routes: [String: @Sendable () -> StatusAnswer] = [
            "/hello": { .text("hello") },
            "/large": {
                asked.update { $0 += 1 }
                return .text(large)
            },
        ]
        try await StatusFixture.with(routes: routes, limits: limits) { fixture in
            let client = try RawClient(port: fixture.port)
            let request = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
            client.send(Array(request.utf8))
            let more = Array(String(repeating: request, count: 1_000).utf8)
            // The server cuts the connection at the answer's deadline; until then it reads nothing.
            try await offPool {
                var taken = 0
                while client.send(Array(more.prefix(1_000))), taken < 64 * 1024 * 1024 {
                    taken += 1_000
                }
                #expect(taken < 64 * 1024 * 1024)
            }
            #expect(asked.value == 1)
            try await self.expectAlive(fixture)
        }
    }

    @Test(
        "Upgrades and CONNECT end the connection; what follows is not kept",
        arguments: [false, true]
    )
    func upgrade(isConnect: Bool) async throws {
        var limits = StatusLimits()
        limits.lingerTimeout = .milliseconds(200)
        try await StatusFixture.with(limits: limits) { fixture in
            let head =
                isConnect
                ? "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"
                : "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
            let client = try RawClient(port: fixture.port)
            client.send(Array(head.utf8))
            let answer = try await offPool {
                let junk = [UInt8](repeating: 0x41, count: 64 * 1024)
                while client.send(junk) {}
                return client.readToEnd()
            }
            // The answer may be lost to the reset that so much unread data causes.
            let status = isConnect ? "HTTP/1.1 404 " : "HTTP/1.1 200 "
            #expect(answer.isEmpty || answer.hasPrefix(status))
            #expect(try await fixture.exchange(head).hasPrefix(status))
            try await self.expectAlive(fixture)
        }
    }

    @Test("Connections beyond the limit are closed at once; places come back")
    func tooMany() async throws {
        try await StatusFixture.with { fixture in
            var clients = try (0..<64).map { _ in try RawClient(port: fixture.port) }
            // Each has been accepted once it has been answered.
            for client in clients {
                client.send(Array(Self.request.utf8))
                #expect(try await offPool { client.read(15) } == "HTTP/1.1 200 OK")
            }
            #expect(try await fixture.exchange("") == "")
            clients.removeAll()
            // When the server notices that they are gone is its own affair.
            while try await fixture.exchange(Self.request, halfClose: true).isEmpty {}
            try await self.expectAlive(fixture)
        }
    }

    @Test("Random bytes and random cuts of a request never stop the listener")
    func fuzz() async throws {
        var limits = StatusLimits()
        limits.headTimeout = .milliseconds(500)
        limits.lingerTimeout = .milliseconds(100)
        let seed = UInt64.random(in: 0...(.max))
        let whole = Array(
            "HEAD /hello?x HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nT: t\r\n\r\n"
                .utf8
        )
        try await StatusFixture.with(limits: limits) { fixture in
            try await offPool {
                var random = SplitMix(state: seed)
                for _ in 0..<300 {
                    var bytes = whole
                    for _ in 0..<Int.random(in: 0...6, using: &random) {
                        let place = Int.random(in: 0..<bytes.count, using: &random)
                        bytes[place] = .random(in: 0...255, using: &random)
                    }
                    let cut = Int.random(in: 0...bytes.count, using: &random)
                    let client = try RawClient(port: fixture.port)
                    client.send(Array(bytes[..<cut]))
                    client.send(Array(bytes[cut...]))
                    client.finish()
                    let answer = client.readToEnd()
                    #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 "), "seed \(seed)")
                }
            }
            try await self.expectAlive(fixture)
        }
    }
}

/// A small generator whose seed can be printed (Steele, Lea and Flood, 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
