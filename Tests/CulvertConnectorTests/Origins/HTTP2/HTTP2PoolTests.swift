import HTTPSemantics
import NIOCore
import NIOSSL
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertConnector

@Suite("HTTP/2 connections to origins", .timeLimit(.minutes(1)))
struct HTTP2PoolTests {
    static let polite: FrameOrigin.Script = { peer, frame in
        if frame.endsStream { peer.answer(frame.stream, peer.path(frame.stream)) }
    }

    @Test func aBurstSharesOneConnection() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start(script: Self.polite)
        defer { origin.stop() }
        let target = origin.target()
        for number in 0..<80 { try await bench.open("/\(number)", to: target) }
        for number in 0..<80 {
            let seen = try await bench.wait("/\(number)") { $0.isRecorded }
            #expect(seen.text == "/\(number)")
        }
        #expect(origin.seen.accepted == 1)
        #expect(try await bench.use { $0.idleConnections } == 1)
    }

    @Test func theOriginsLimitOfStreamsIsKept() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start(settings: [(3, 2)]) { peer, frame in
            if peer.path(frame.stream) == "/last" { peer.answer(frame.stream) }
        }
        defer { origin.stop() }
        let target = origin.target()
        for number in 0..<5 { try await bench.open("/\(number)", to: target) }
        while origin.seen.count(.headers) < 5 { await Task.yield() }
        #expect(origin.seen.headsOfPeers == [1: 2, 2: 2, 3: 1])
        #expect(try await bench.exchange("/last", to: target).text == "ok")
        #expect(origin.seen.headsOfPeers == [1: 2, 2: 2, 3: 2])
        for number in 0..<5 { try await bench.probe("/\(number)") { $0.resetByPeer(.cancelled) } }
        #expect(try await bench.use { $0.idleConnections } == 3)
    }

    @Test func streamsAreWaitedForBeyondTheLimitOfConnections() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start(settings: [(3, 1)]) { peer, frame in
            if frame.endsStream, peer.path(frame.stream) == "/late" { peer.answer(frame.stream) }
        }
        defer { origin.stop() }
        let target = origin.target { $0.connectTimeout = .milliseconds(500) }
        for number in 0..<OriginLimits.http2Connections {
            try await bench.open("/\(number)", to: target)
        }
        try await bench.open("/over", to: target)
        let over = try await bench.wait("/over") { $0.isRecorded }
        #expect(over.reset == .overLimit)
        #expect(origin.seen.accepted == OriginLimits.http2Connections)
        // One that ends makes room.
        try await bench.open("/late", to: target)
        try await bench.probe("/0") { $0.resetByPeer(.cancelled) }
        #expect(try await bench.wait("/late") { $0.isRecorded }.text == "ok")
        #expect(origin.seen.accepted == OriginLimits.http2Connections)
    }

    @Test(arguments: [[StreamPart.end], [.text("body"), .end]])
    func goAwaySendsTheOthersElsewhere(_ parts: [StreamPart]) async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            guard frame.endsStream else { return }
            guard peer.number == 1 else { return peer.answer(frame.stream, "second") }
            if frame.stream == 3 {
                peer.send(.goAway(1))
                peer.answer(1, "first")
            }
        }
        defer { origin.stop() }
        let target = origin.target()
        try await bench.open("/1", to: target, method: "POST")
        try await bench.open("/3", to: target, method: "POST", then: parts)
        #expect(try await bench.wait("/1") { $0.isRecorded }.text == "first")
        let seen = try await bench.wait("/3") { $0.isRecorded }
        if parts.count == 1 {
            #expect(seen.text == "second" && seen.reset == nil)
        } else {
            #expect(seen.reset == .refused, "for the edge to repeat, which may have its body")
        }
        #expect(try await bench.exchange("/5", to: target).text == "second")
        #expect(origin.seen.accepted == 2)
        while origin.seen.closed == 0 { await Task.yield() }
    }

    @Test func gracefulGoAwayInTwoSteps() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            guard frame.endsStream else { return }
            if peer.number == 1 { peer.send(.goAway(UInt32(Int32.max)), .goAway(1)) }
            peer.answer(frame.stream, "\(peer.number)")
        }
        defer { origin.stop() }
        let target = origin.target()
        #expect(try await bench.exchange("/a", to: target).text == "1")
        #expect(try await bench.exchange("/b", to: target).text == "2")
    }

    @Test(arguments: [1, 9])
    func refusedStreams(_ refusals: Int) async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            guard frame.endsStream else { return }
            if peer.number <= refusals {
                peer.send(.reset(frame.stream, 7))
            } else {
                peer.answer(frame.stream)
            }
        }
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: origin.target(), method: "PURGE")
        if refusals == 1 {
            #expect(seen.text == "ok" && seen.reset == nil)
        } else {
            #expect(seen.reset == .refused, "once is enough")
        }
        #expect(origin.seen.accepted == 2)
    }

    static let resets: [(String, UInt32, ResetCode)] = [
        ("before", 2, .truncated), ("before", 11, .truncated), ("before", 8, .truncated),
        ("within", 2, .truncated), ("within", 0, .truncated), ("within", 7, .truncated),
    ]

    @Test("A reset by the origin", arguments: Self.resets)
    func reset(_ when: String, _ code: UInt32, _ expected: ResetCode) async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            guard frame.endsStream else { return }
            if peer.path(frame.stream) == "/after" { return peer.answer(frame.stream) }
            if when == "within" { peer.send(.head(frame.stream), .data(frame.stream, "he")) }
            peer.send(.reset(frame.stream, code))
        }
        defer { origin.stop() }
        let target = origin.target()
        let seen = try await bench.exchange("/", to: target)
        #expect(seen.reset == expected)
        #expect(seen.text == (when == "within" ? "he" : ""))
        #expect(try await bench.exchange("/after", to: target).text == "ok")
        #expect(origin.seen.accepted == 1)
    }

    /// RFC 9113 §8.1: the answer is complete, the rest of the request is not wanted.
    @Test func resetBehindAnAnswer() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            guard frame.kind == .headers else { return }
            peer.answer(frame.stream, "early")
            peer.send(.reset(frame.stream, 0))
        }
        defer { origin.stop() }
        let target = origin.target()
        try await bench.open("/", to: target, method: "POST", then: [.zeros(100)])
        let early = try await bench.wait("/") { $0.isEnded }
        #expect(early.text == "early")
        try await bench.deliver("/", to: target, [.zeros(900_000), .end])
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.reset == nil && seen.consumed == 900_100 && seen.record?.failure == nil)
    }

    @Test func theVisitorsLeavingReachesTheOrigin() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            if frame.kind == .headers { peer.send(.head(frame.stream)) }
            if frame.kind == .reset { peer.send(.data(3, "code \(frame.code)", end: true)) }
        }
        defer { origin.stop() }
        let target = origin.target()
        try await bench.open("/left", to: target, method: "POST", then: [])
        try await bench.wait("/left") { $0.head != nil }
        try await bench.open("/stays", to: target)
        try await bench.wait("/stays") { $0.head != nil }
        try await bench.probe("/left") { $0.resetByPeer(.cancelled) }
        #expect(try await bench.wait("/stays") { $0.isOver }.text == "code 8")
    }

    @Test(arguments: ["GET", "POST"])
    func aConnectionThatBreaks(_ method: String) async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            guard frame.endsStream else { return }
            if peer.number == 1, frame.stream == 3 { return peer.close() }
            peer.answer(frame.stream)
        }
        defer { origin.stop() }
        let target = origin.target()
        #expect(try await bench.exchange("/1", to: target).text == "ok")
        let seen = try await bench.exchange("/2", to: target, method: method)
        if method == "GET" {
            #expect(seen.text == "ok" && origin.seen.accepted == 2)
        } else {
            #expect(seen.reset == .truncated && origin.seen.accepted == 1)
        }
    }

    @Test func idleConnectionsAreClosedInTime() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start(script: Self.polite)
        defer { origin.stop() }
        let target = origin.target { $0.keepAliveTimeout = .milliseconds(20) }
        for number in 0..<3 { _ = try await bench.exchange("/\(number)", to: target) }
        while try await bench.use({ $0.liveConnections }) > 0 { await Task.yield() }
        while origin.seen.closed == 0 { await Task.yield() }
        #expect(origin.seen.count(.goAway) >= 1)
        let none = origin.target { $0.keepAliveConnections = 0 }
        _ = try await bench.exchange("/none", to: none)
        while try await bench.use({ $0.liveConnections }) > 0 { await Task.yield() }
    }

    @Test("In the clear, what is no HTTP/2 is spoken to in HTTP/1.1", arguments: ["400", "close"])
    func fallbackInTheClear(_ how: String) async throws {
        let bench = try await Bench()
        let origin = try await ScriptedOrigin.start { peer in
            guard peer.received.hasPrefix("PRI ") else { return PoolTests.polite(peer) }
            if how == "400" {
                peer.send(
                    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                )
            }
            peer.close()
        }
        defer { origin.stop() }
        var options = OriginOptions()
        options.http2Origin = true
        let service = OriginService.http(host: "127.0.0.1", port: origin.port)
        let target = OriginTarget(service: service, options: options)
        for number in 0..<3 { try await bench.open("/\(number)", to: target, method: "POST") }
        for number in 0..<3 {
            #expect(try await bench.wait("/\(number)") { $0.isRecorded }.text == "ok")
        }
        let asked = origin.counters.received.values.count { $0.hasPrefix("PRI ") }
        #expect(asked == 1 && origin.counters.accepted <= 4)
    }

    @Test func aSilentOriginTakesTooLong() async throws {
        let bench = try await Bench()
        let silent = try await ScriptedOrigin.start { _ in }
        defer { silent.stop() }
        var options = OriginOptions()
        options.http2Origin = true
        options.tlsTimeout = .milliseconds(50)
        let service = OriginService.http(host: "127.0.0.1", port: silent.port)
        let target = OriginTarget(service: service, options: options)
        let seen = try await bench.exchange("/", to: target)
        #expect(seen.reset == .originTimeout)
        #expect(seen.record?.failure?.detail.contains("SETTINGS") == true)
    }

    @Test func settingsWithoutAStream() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start(settings: [(3, 0)], script: Self.polite)
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: origin.target())
        #expect(seen.reset == .originUnreachable)
        #expect(seen.record?.failure?.detail.contains("no stream") == true)
        #expect(origin.seen.accepted == 1)
    }

    @Test func upgradesAreHTTP1() async throws {
        let bench = try await Bench()
        let origin = try await ScriptedOrigin.start { peer in
            if peer.step == 0, peer.hasHeads(1) {
                peer.step = 1
                peer.send(DuplexTests.switching + "hi")
                peer.closeOutput()
            }
        }
        defer { origin.stop() }
        var options = OriginOptions()
        options.http2Origin = true
        let service = OriginService.http(host: "127.0.0.1", port: origin.port)
        let target = OriginTarget(service: service, options: options)
        try await bench.open("/ws", to: target, fields: DuplexTests.upgrade, then: [])
        let seen = try await bench.wait("/ws") { $0.isEnded }
        #expect(seen.head?.status == 101 && seen.text == "hi")
        #expect(origin.counters.received[1]?.hasPrefix("GET /ws HTTP/1.1\r\n") == true)
    }

    /// RFC 9113 §7, HTTP_1_1_REQUIRED: what asks for a client's certificate or for Windows' login does so.
    @Test func anOriginThatWantsHTTP1IsGivenIt() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            if frame.kind == .headers { peer.send(.reset(frame.stream, 13)) }
        }
        defer { origin.stop() }
        let target = origin.target()
        let seen = try await bench.exchange("/1", to: target, method: "POST")
        #expect(seen.text == "plain" && seen.reset == nil)
        #expect(try await bench.exchange("/2", to: target).text == "plain")
        #expect(origin.seen.accepted == 2 && origin.seen.heads.count == 1)
        // One with a body is for the edge to repeat.
        let other = origin.target()
        let parts: [StreamPart] = [.text("x"), .end]
        let body = try await bench.exchange("/3", to: other, method: "POST", then: parts)
        #expect(body.reset == .refused)
        #expect(try await bench.exchange("/4", to: other).text == "plain")
    }

    @Test func withoutALPNItIsHTTP1() async throws {
        let bench = try await Bench()
        let authority = try TestAuthority.shared()
        let tls = try authority.serverContext()
        let origin = try await ScriptedOrigin.start(tls: tls, script: PoolTests.polite)
        defer { origin.stop() }
        var options = OriginOptions()
        options.http2Origin = true
        options.caPool = authority.certificatePath
        let service = OriginService.https(host: "localhost", port: origin.port)
        let target = OriginTarget(service: service, options: options)
        for number in 0..<5 { try await bench.open("/\(number)", to: target) }
        for number in 0..<5 {
            #expect(try await bench.wait("/\(number)") { $0.isRecorded }.text == "ok")
        }
        let live = try await bench.use { $0.liveConnections }
        #expect(try await bench.exchange("/idle", to: target).text == "ok")
        #expect(try await bench.use { $0.liveConnections } == live, "an idle one is used again")
    }
}
