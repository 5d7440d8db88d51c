import HTTPSemantics
import NIOCore
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertConnector

@Suite("Pooled connections", .timeLimit(.minutes(1)))
struct PoolTests {
    static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    /// Answers every request it gets.
    static let polite: ScriptedOrigin.Script = { peer in
        while peer.hasHeads(peer.step + 1) {
            peer.step += 1
            peer.send(Self.answer)
        }
    }

    @Test func connectionIsReused() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted(Self.polite)
        defer { origin.stop() }
        for number in 0..<20 {
            let seen = try await bench.exchange("/\(number)", to: target)
            #expect(seen.text == "ok")
        }
        #expect(origin.counters.accepted == 1)
        let live = try await bench.use { $0.liveConnections }
        #expect(live == 1)
    }

    @Test func concurrentExchangesEachHaveOne() async throws {
        let bench = try await Bench()
        var options = OriginOptions()
        options.keepAliveConnections = 3
        let (origin, target) = try await scripted(options: options, Self.polite)
        defer { origin.stop() }
        for number in 0..<8 { try await bench.open("/\(number)", to: target) }
        for number in 0..<8 { try await bench.wait("/\(number)") { $0.isRecorded } }
        let idle = try await bench.use { $0.idleConnections }
        #expect(idle <= 3)
        #expect(origin.counters.accepted <= 8)
    }

    @Test func noneKeptWithALimitOfZero() async throws {
        let bench = try await Bench()
        var options = OriginOptions()
        options.keepAliveConnections = 0
        let (origin, target) = try await scripted(options: options, Self.polite)
        defer { origin.stop() }
        _ = try await bench.exchange("/1", to: target)
        _ = try await bench.exchange("/2", to: target)
        #expect(origin.counters.accepted == 2)
    }

    @Test func idleConnectionIsClosedInTime() async throws {
        let bench = try await Bench()
        var options = OriginOptions()
        options.keepAliveTimeout = .milliseconds(20)
        let (origin, target) = try await scripted(options: options, Self.polite)
        defer { origin.stop() }
        _ = try await bench.exchange("/1", to: target)
        while try await bench.use({ $0.liveConnections }) > 0 { await Task.yield() }
    }

    @Test func originsKeepAliveShortensIt() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            peer.send("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n")
        }
        defer { origin.stop() }
        let seen = try await bench.exchange("/1", to: target)
        #expect(seen.head?.fields == ["Content-Length": "0"])
        let idle = try await bench.use { $0.idleConnections }
        #expect(idle == 0)
    }

    @Test func idleConnectionThatSpeaksIsDropped() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            peer.send(Self.answer)
            let channel = peer.channel
            channel.eventLoop.execute {
                channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\n"), promise: nil)
            }
        }
        defer { origin.stop() }
        _ = try await bench.exchange("/1", to: target)
        while try await bench.use({ $0.liveConnections }) > 0 { await Task.yield() }
    }

    /// The second request on a connection kills it before one byte of an answer.
    static let deadly: ScriptedOrigin.Script = { peer in
        if peer.number > 1 { return Self.polite(peer) }
        if peer.hasHeads(2) {
            peer.close()
        } else if peer.step == 0 {
            peer.step = 1
            peer.send(Self.answer)
        }
    }

    @Test("A request on a dying connection", arguments: ["GET", "PUT", "POST"])
    func repeated(_ method: String) async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted(Self.deadly)
        defer { origin.stop() }
        _ = try await bench.exchange("/1", to: target)
        let seen = try await bench.exchange("/2", to: target, method: method)
        if method == "POST" {
            #expect(seen.reset == .truncated)
            #expect(origin.counters.accepted == 1)
        } else {
            #expect(seen.text == "ok")
            #expect(origin.counters.accepted == 2)
        }
    }

    @Test(
        "A request whose body was written to a dying connection",
        arguments: [2, OriginLimits.repeatableBodyBytes, OriginLimits.repeatableBodyBytes + 1]
    )
    func repeatedWithItsBody(_ count: Int) async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            let isWhole = peer.received.utf8.count { $0 == UInt8(ascii: "~") } >= count
            switch peer.number {
            case 1 where peer.step == 0:
                peer.step = 1
                peer.send(Self.answer)
            case 1: if isWhole { peer.close() }
            default: if isWhole { peer.send(Self.answer) }
            }
        }
        defer { origin.stop() }
        _ = try await bench.exchange("/1", to: target)
        let body = String(repeating: "~", count: count - 1)
        let seen = try await bench.exchange(
            "/2",
            to: target,
            method: "PUT",
            fields: ["Content-Length": "\(count)"],
            then: [.text(body), .text("~"), .end]
        )
        guard count <= OriginLimits.repeatableBodyBytes else {
            #expect(seen.reset == .truncated)
            return
        }
        #expect(seen.text == "ok")
        #expect(seen.consumed == count, "credit is given once")
        let second = try #require(origin.counters.received[2])
        #expect(second.hasSuffix("\r\n\r\n" + body + "~"))
    }

    @Test func notRepeatedTwiceNorOnAFreshConnection() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.number == 1, peer.step == 0 {
                peer.step = 1
                peer.send(Self.answer)
            } else {
                peer.close()
            }
        }
        defer { origin.stop() }
        _ = try await bench.exchange("/1", to: target)
        let seen = try await bench.exchange("/2", to: target)
        #expect(seen.reset == .truncated)
        #expect(origin.counters.accepted == 2)
    }
}
