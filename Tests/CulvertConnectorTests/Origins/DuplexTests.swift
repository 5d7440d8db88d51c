import HTTPSemantics
import NIOCore
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertConnector

@Suite("Both directions at once", .timeLimit(.minutes(1)))
struct DuplexTests {
    static let upgrade: HTTPFields = ["Connection": "Upgrade", "Upgrade": "websocket"]
    static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

    @Test func upgradeIsOpaqueAndLosesNothing() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.step == 0, peer.hasHeads(1) {
                peer.step = 1
                peer.send(Self.switching + "first")
            }
            if peer.step == 1, peer.received.hasSuffix("ping\r\n\r\n") {
                peer.step = 2
                peer.send("pong")
            }
            if peer.sawEnd, peer.step == 2 {
                peer.step = 3
                peer.send("last")
                peer.close()
            }
        }
        defer { origin.stop() }
        try await bench.open("/ws", to: target, fields: Self.upgrade, then: [])
        try await bench.wait("/ws") { $0.text == "first" && $0.unflushed == 0 }
        try await bench.deliver("/ws", to: target, [.text("ping\r\n\r\n")])
        try await bench.wait("/ws") { $0.text == "firstpong" && $0.consumed == 8 }
        // Our half closes first; the origin still speaks.
        try await bench.deliver("/ws", to: target, [.end])
        let seen = try await bench.wait("/ws") { $0.isRecorded }
        #expect(seen.text == "firstponglast")
        #expect(seen.isEnded)
        #expect(seen.head?.fields.first("Upgrade") == "websocket")
        #expect(seen.head?.fields.first("Connection") == "Upgrade")
        #expect(origin.counters.received[1]?.contains("Upgrade: websocket\r\n\r\nping") == true)
        let live = try await bench.use { $0.idleConnections }
        #expect(live == 0)
    }

    @Test func originsHalfClosesFirst() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.step == 0, peer.hasHeads(1) {
                peer.step = 1
                peer.send(Self.switching + "bye")
                peer.closeOutput()
            }
        }
        defer { origin.stop() }
        try await bench.open("/ws", to: target, fields: Self.upgrade, then: [])
        try await bench.wait("/ws") { $0.isEnded }
        try await bench.deliver("/ws", to: target, [.text("still here")])
        try await bench.wait("/ws") { $0.consumed == 10 }
        try await bench.deliver("/ws", to: target, [.text("!"), .end])
        let seen = try await bench.wait("/ws") { $0.isRecorded }
        #expect(seen.text == "bye")
        #expect(seen.reset == nil)
        while origin.counters.received[1]?.hasSuffix("still here!") != true { await Task.yield() }
        while origin.counters.closed == 0, try await bench.use({ $0.liveConnections }) > 0 {
            await Task.yield()
        }
    }

    @Test func bytesAheadOfThe101WaitForIt() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.step == 0, peer.hasHeads(1) {
                peer.step = 1
                peer.send(Self.switching)
            }
            if peer.received.hasSuffix("early") { peer.close() }
        }
        defer { origin.stop() }
        let parts: [StreamPart] = [.text("early")]
        try await bench.open("/ws", to: target, fields: Self.upgrade, then: parts)
        let seen = try await bench.wait("/ws") { $0.isEnded && $0.consumed == 5 }
        #expect(seen.head?.status == 101)
        try await bench.deliver("/ws", to: target, [.end])
        try await bench.wait("/ws") { $0.isRecorded }
    }

    @Test func brokenOpaqueStreamIsTruncated() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.step == 0 { peer.send(Self.switching) } else { peer.resetConnection() }
            peer.step += 1
        }
        defer { origin.stop() }
        try await bench.open("/ws", to: target, fields: Self.upgrade, then: [])
        try await bench.wait("/ws") { $0.heads.count == 1 }
        try await bench.deliver("/ws", to: target, [.text("x")])
        let seen = try await bench.wait("/ws") { $0.isRecorded }
        #expect(seen.reset == .truncated)
    }

    @Test func refusedUpgradeIsAnAnswer() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            while peer.hasHeads(peer.step + 1) {
                peer.step += 1
                peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            }
        }
        defer { origin.stop() }
        let parts: [StreamPart] = [.text("early")]
        try await bench.open("/ws", to: target, fields: Self.upgrade, then: parts)
        try await bench.wait("/ws") { $0.isEnded && $0.consumed == 5 }
        try await bench.deliver("/ws", to: target, [.text("late"), .end])
        let seen = try await bench.wait("/ws") { $0.isRecorded }
        #expect(seen.text == "no")
        #expect(seen.consumed == 9)
        #expect(try await bench.use { $0.idleConnections } == 1)
        _ = try await bench.exchange("/next", to: target)
        #expect(origin.counters.accepted == 1)
    }

    @Test func answerBeforeTheUploadEnds() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.step == 0, peer.hasHeads(1) {
                peer.step = 1
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        defer { origin.stop() }
        try await bench.open("/u", to: target, method: "POST", then: [.text("a")])
        try await bench.wait("/u") { $0.isEnded }
        // The origin keeps the connection, so it gets the rest.
        try await bench.deliver("/u", to: target, [.text("b"), .end])
        let seen = try await bench.wait("/u") { $0.isRecorded }
        #expect(seen.reset == nil)
        #expect(seen.consumed == 2)
        #expect(try await bench.use { $0.idleConnections } == 1)
        while origin.counters.received[1]?.hasSuffix("1\r\nb\r\n0\r\n\r\n") != true {
            await Task.yield()
        }
    }

    @Test("An early answer and a close, in order or with a reset", arguments: [false, true])
    func earlyAnswerThenClose(withReset: Bool) async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            guard peer.step == 0 else { return }
            peer.step = 1
            peer.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
            if withReset { peer.resetConnection() } else { peer.close() }
        }
        defer { origin.stop() }
        try await bench.open("/u", to: target, method: "POST", then: [.zeros(100_000)])
        let early = try await bench.wait("/u")
        #expect(early.head?.status == 413)
        #expect(early.text == "no")
        for _ in 0..<10 { try await bench.deliver("/u", to: target, [.zeros(100_000)]) }
        try await bench.wait("/u") { $0.consumed == 1_100_000 }
        try await bench.deliver("/u", to: target, [.end])
        let seen = try await bench.wait("/u") { $0.isRecorded }
        #expect(seen.isEnded)
        #expect(seen.reset == nil)
        #expect(seen.record?.failure == nil)
    }
}

@Suite("Back-pressure and cancellation", .timeLimit(.minutes(1)))
struct PressureTests {
    @Test func stalledOriginHoldsTheCreditBack() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            // Its socket is read no more once the head is there.
            _ = peer.channel.setOption(.autoRead, value: false)
        }
        defer { origin.stop() }
        let length: HTTPFields = ["Content-Length": "100000000"]
        try await bench.open("/s", to: target, method: "PUT", fields: length, then: [])
        while origin.counters.received[1] == nil { await Task.yield() }
        // Send for as long as credit comes back; the kernel's buffers are all there is.
        var sent = 0
        while sent < 64 << 20 {
            sent += 65_536
            try await bench.deliver("/s", to: target, [.zeros(65_536)])
            let consumed = try await bench.wait("/s") { _ in true }.consumed
            if sent - consumed >= 4 * 65_536 { break }
        }
        let seen = try await bench.wait("/s") { _ in true }
        #expect(sent < 64 << 20)
        #expect(sent - seen.consumed >= 65_536)
        try await bench.probe("/s") { $0.resetByPeer(.cancelled) }
        let over = try await bench.wait("/s") { $0.isRecorded }
        #expect(over.record?.failure?.code == .cancelled)
    }

    @Test func stalledVisitorStopsTheReading() async throws {
        let bench = try await Bench()
        let size = 32 << 20
        let (origin, target) = try await scripted { peer in
            guard peer.step == 0, peer.hasHeads(1) else { return }
            peer.step = 1
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            peer.send(String(repeating: "x", count: size))
        }
        defer { origin.stop() }
        try await bench.open("/d", to: target, stallAt: 65_536)
        try await bench.wait("/d") { $0.body.count >= 65_536 }
        // What was read when the stream filled is all that comes, however often the loop turns.
        for _ in 0..<200 { try await bench.wait("/d") { _ in true } }
        let stalled = try await bench.wait("/d") { _ in true }
        #expect(stalled.body.count < 65_536 * 2 + 65_536)
        try await bench.probe("/d") { probe in
            probe.stall(at: nil)
            probe.setWritable(true)
        }
        let seen = try await bench.wait("/d") { $0.isRecorded }
        #expect(seen.body.count == size)
        #expect(seen.isEnded)
    }

    @Test func cancelClosesTheOriginsConnection() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.step == 0 { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") }
            peer.step += 1
            if peer.sawEnd { peer.close() }
        }
        defer { origin.stop() }
        try await bench.open("/c", to: target)
        try await bench.wait("/c") { $0.text == "half" }
        try await bench.probe("/c") { $0.resetByPeer(.cancelled) }
        let seen = try await bench.wait("/c") { $0.isRecorded }
        #expect(seen.reset == nil)
        while origin.counters.closed == 0 { await Task.yield() }
        while try await bench.use({ $0.liveConnections }) > 0 { await Task.yield() }
        #expect(try await bench.use { $0.inFlight } == 0)
    }

    @Test func cancelWhileConnecting() async throws {
        let bench = try await Bench()
        let origin = try await FullBacklog.start()
        defer { origin.stop() }
        let target = OriginTarget(service: .http(host: "127.0.0.1", port: origin.port))
        try await bench.open("/c", to: target)
        #expect(try await bench.use { $0.liveConnections } == 1)
        try await bench.probe("/c") { $0.resetByPeer(.cancelled) }
        while try await bench.use({ $0.liveConnections }) > 0 { await Task.yield() }
        #expect(try await bench.use { $0.inFlight } == 0)
    }

    @Test func connectTimeout() async throws {
        let bench = try await Bench()
        let origin = try await FullBacklog.start()
        defer { origin.stop() }
        var options = OriginOptions()
        options.connectTimeout = .milliseconds(50)
        let service = OriginService.http(host: "127.0.0.1", port: origin.port)
        let target = OriginTarget(service: service, options: options)
        let seen = try await bench.exchange("/t", to: target)
        #expect(seen.reset == .originTimeout)
    }

    @Test func outOfOrderPartsAreRefused() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { _ in }
        defer { origin.stop() }
        let first = try await bench.exchange("/1", to: target, then: [.end, .text("x")])
        #expect(first.reset == .streamProtocolError)
        let second = try await bench.exchange("/2", to: target, then: [.end, .end])
        #expect(second.reset == .streamProtocolError)
    }
}
