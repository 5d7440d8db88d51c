import HTTPSemantics
import NIOCore
import NIOPosix
import Testing
import TunnelLink
import TunnelWire
import WebSocketWire

@testable import CulvertConnector

/// A visitor's WebSocket on one side of an exchange, a real socket on the other.
@Suite("TCP carried over a WebSocket", .timeLimit(.minutes(1)))
struct TCPExchangeTests {
    private static let upgrade: HTTPFields = [
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ]

    private static func binary(_ text: String) -> StreamPart {
        .data(
            WebSocketFrame.binary(ByteBuffer(string: text), mask: WebSocketMask(bits: 0x0102_0304))
        )
    }

    private static let close = StreamPart.data(
        WebSocketFrame.close(1000, mask: WebSocketMask(bits: 7))
    )

    /// What the answer's frames say.
    private static func said(_ seen: Probe.Seen) -> (payload: String, close: UInt16?) {
        var reader = WebSocketFrameReader(expectsMask: false)
        reader.append(ByteBuffer(bytes: seen.body))
        var (payload, close) = ("", UInt16?.none)
        while let event = try? reader.next() {
            switch event {
            case .bytes(let bytes): payload += String(buffer: bytes)
            case .close(let code, _): close = code
            case .ping, .pong: break
            }
        }
        return (payload, close)
    }

    /// An origin that speaks as `script` says, and the service that leads to it.
    private func carried(
        options: OriginOptions = OriginOptions(),
        _ script: @escaping ScriptedOrigin.Script
    ) async throws -> (ScriptedOrigin, OriginTarget) {
        let (origin, _) = try await scripted(script)
        let service = OriginService.tcp(.tcp, host: "127.0.0.1", port: origin.port)
        return (origin, OriginTarget(service: service, options: options))
    }

    @Test func bytesPassBothWaysAndTheOriginEnds() async throws {
        let bench = try await Bench()
        let (origin, target) = try await self.carried { peer in
            if peer.received == "ping" {
                peer.send("pong")
                peer.close()
            }
        }
        defer { origin.stop() }
        // One piece runs ahead of the 101.
        try await bench.open("/", to: target, fields: Self.upgrade, then: [Self.binary("pi")])
        let opened = try await bench.wait("/") { $0.heads.count == 1 }
        #expect(opened.head?.status == 101)
        #expect(
            opened.head?.fields.first("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        )
        try await bench.deliver("/", to: target, [Self.binary("ng")])
        let closed = try await bench.wait("/") { Self.said($0).close != nil }
        #expect(Self.said(closed) == ("pong", 1000) && !closed.isEnded)
        try await bench.deliver("/", to: target, [Self.close])
        try await bench.wait("/") { $0.isEnded }
        try await bench.deliver("/", to: target, [.end])
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.record?.failure == nil && seen.reset == nil)
        #expect(seen.consumed == seen.record?.requestBytes, "every byte's credit is given back")
    }

    @Test func theVisitorEndsFirstAndGetsTheRest() async throws {
        let bench = try await Bench()
        let (origin, target) = try await self.carried { peer in
            if peer.sawEnd, peer.step == 0 {
                peer.step = 1
                peer.send("you said \(peer.received)")
                peer.close()
            }
        }
        defer { origin.stop() }
        let parts = [Self.binary("all"), Self.close]
        try await bench.open("/", to: target, fields: Self.upgrade, then: parts)
        let ended = try await bench.wait("/") { $0.isEnded }
        #expect(Self.said(ended) == ("you said all", 1000))
        try await bench.deliver("/", to: target, [.end])
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.record?.failure == nil)
    }

    @Test func theOriginEndsFirstAndGetsTheRest() async throws {
        let bench = try await Bench()
        let (origin, target) = try await self.carried { peer in
            if peer.step == 0 {
                peer.step = 1
                peer.closeOutput()
            }
        }
        defer { origin.stop() }
        try await bench.open("/", to: target, fields: Self.upgrade, then: [Self.binary("a")])
        let closed = try await bench.wait("/") { Self.said($0).close == 1000 }
        #expect(!closed.isEnded, "its end waits for the visitor's Close")
        // More than a socket takes at once.
        let piece = String(repeating: "x", count: 65_536)
        for _ in 0..<64 { try await bench.deliver("/", to: target, [Self.binary(piece)]) }
        try await bench.deliver("/", to: target, [Self.close])
        let ended = try await bench.wait("/") { $0.isOver }
        #expect(ended.isEnded && Self.said(ended) == ("", 1000))
        try await bench.deliver("/", to: target, [.end])
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.record?.failure == nil)
        while origin.counters.closed == 0 { await Task.yield() }
        #expect(origin.counters.received[1]?.utf8.count == 1 + 64 * 65_536)
    }

    @Test func whatAnOriginDoesNotTakeIsNotTaken() async throws {
        let bench = try await Bench()
        let (origin, target) = try await self.carried { peer in
            guard peer.received.hasPrefix("a") else { return }
            if peer.step == 0 {
                peer.step = 1
                peer.closeOutput()
            } else {
                peer.resetConnection()
            }
        }
        defer { origin.stop() }
        try await bench.open("/", to: target, fields: Self.upgrade, then: [Self.binary("a")])
        try await bench.wait("/") { Self.said($0).close == 1000 }
        try await bench.deliver("/", to: target, [Self.binary("b")])
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.reset == .truncated && !seen.isEnded)
        #expect(seen.record?.failure?.code == .truncated)
    }

    @Test func aResetOfTheOriginIsNoEnd() async throws {
        let bench = try await Bench()
        let (origin, target) = try await self.carried { peer in
            if peer.received == "x" { peer.resetConnection() }
        }
        defer { origin.stop() }
        try await bench.open("/", to: target, fields: Self.upgrade, then: [Self.binary("x")])
        let ended = try await bench.wait("/") { $0.isEnded }
        #expect(Self.said(ended).close == 1011)
        try await bench.deliver("/", to: target, [Self.binary("late"), .end])
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.record?.failure?.code == .truncated)
        #expect(seen.consumed == seen.record?.requestBytes)
    }

    @Test(
        arguments: [
            ([0x82, 0x01, 0x61], 1002), ([0x81, 0x81, 0, 0, 0, 0, 0x61], 1003),
        ] as [([UInt8], UInt16)]
    )
    func violationsAreAnswered(bytes: [UInt8], code: UInt16) async throws {
        let bench = try await Bench()
        let (origin, target) = try await self.carried { _ in }
        defer { origin.stop() }
        let parts: [StreamPart] = [.data(ByteBuffer(bytes: bytes))]
        try await bench.open("/", to: target, fields: Self.upgrade, then: parts)
        let ended = try await bench.wait("/") { $0.isEnded }
        #expect(Self.said(ended).close == code)
        try await bench.deliver("/", to: target, [.end])
        try await bench.wait("/") { $0.isRecorded }
        // `closed` is counted whether it ended with a FIN or a reset.
        while origin.counters.closed == 0 { await Task.yield() }
    }

    @Test func pingsAreAnswered() async throws {
        let bench = try await Bench()
        let (origin, target) = try await self.carried { _ in }
        defer { origin.stop() }
        let ping = ByteBuffer(bytes: [0x89, 0x82, 0, 0, 0, 0, 0x68, 0x69])
        try await bench.open("/", to: target, fields: Self.upgrade, then: [.data(ping)])
        try await bench.wait("/") { $0.body == [0x8A, 0x02, 0x68, 0x69] }
        // A visitor that reads nothing is owed the latest pong alone.
        try await bench.probe("/") { $0.setWritable(false) }
        for _ in 0..<100 { try await bench.deliver("/", to: target, [.data(ping)]) }
        let held = try await bench.wait("/") { _ in true }
        #expect(held.body.count == 4)
        try await bench.probe("/") { $0.setWritable(true) }
        try await bench.wait("/") { $0.body.count == 8 }
        try await bench.probe("/") { $0.resetByPeer(.cancelled) }
        try await bench.wait("/") { $0.isRecorded }
    }

    @Test func aStalledOriginHoldsTheCreditBack() async throws {
        let bench = try await Bench()
        let (origin, target) = try await self.carried { peer in
            _ = peer.channel.setOption(.autoRead, value: false)
        }
        defer { origin.stop() }
        try await bench.open("/", to: target, fields: Self.upgrade, then: [Self.binary("x")])
        while origin.counters.received[1] == nil { await Task.yield() }
        let piece = String(repeating: "x", count: 65_536)
        var sent = 0
        while sent < 64 << 20 {
            sent += piece.utf8.count
            try await bench.deliver("/", to: target, [Self.binary(piece)])
            let consumed = try await bench.wait("/") { _ in true }.consumed
            if sent - consumed >= 4 * 65_536 { break }
        }
        #expect(sent < 64 << 20, "the kernel's buffers are all there is")
        try await bench.probe("/") { $0.resetByPeer(.cancelled) }
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.record?.failure?.code == .cancelled)
    }

    @Test func aStalledVisitorStopsTheOrigin() async throws {
        let bench = try await Bench()
        let (origin, target) = try await self.carried { peer in
            guard peer.step == 0 else { return }
            peer.step = 1
            peer.send(String(repeating: "y", count: 32 << 20))
        }
        defer { origin.stop() }
        try await bench.open(
            "/",
            to: target,
            fields: Self.upgrade,
            then: [Self.binary("x")],
            stallAt: 1
        )
        let stalled = try await bench.wait("/") { $0.body.count > 0 && $0.unflushed == 0 }
        #expect(stalled.body.count <= 128 << 10)
        try await bench.probe("/") { probe in
            probe.stall(at: nil)
            probe.setWritable(true)
        }
        try await bench.wait("/") { $0.body.count > 32 << 20 }
        try await bench.probe("/") { $0.resetByPeer(.cancelled) }
        try await bench.wait("/") { $0.isRecorded }
    }

    @Test func aRefusedOriginFailsBeforeThe101() async throws {
        let bench = try await Bench()
        let (origin, _) = try await scripted { _ in }
        origin.stop()
        let target = OriginTarget(service: .tcp(.ssh, host: "127.0.0.1", port: 1))
        try await bench.open("/", to: target, fields: Self.upgrade, then: [])
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.reset == .originUnreachable && seen.heads.isEmpty)
    }

    @Test func anOriginThatTakesNoConnectionTimesOut() async throws {
        let bench = try await Bench()
        let full = try await FullBacklog.start()
        defer { full.stop() }
        var options = OriginOptions()
        options.connectTimeout = .milliseconds(200)
        let target = OriginTarget(
            service: .tcp(.tcp, host: "127.0.0.1", port: full.port),
            options: options
        )
        try await bench.open("/", to: target, fields: Self.upgrade, then: [])
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.reset == .originTimeout)
    }

    @Test(arguments: [
        HTTPFields(), ["Connection": "Upgrade", "Upgrade": "websocket"],
        [
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "8",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        ],
    ])
    func whatIsNoWebSocketIsToldSo(fields: HTTPFields) async throws {
        let bench = try await Bench()
        let target = OriginTarget(service: .tcp(.ssh, host: "127.0.0.1", port: 1))
        let seen = try await bench.exchange("/", to: target, fields: fields)
        #expect(seen.head?.status == 426)
        #expect(seen.head?.fields.first("Sec-WebSocket-Version") == "13")
        #expect(seen.text.contains("culvert access tcp --hostname app.example.com"))
    }

    @Test func aBastionGoesWhereTheRequestSays() async throws {
        let bench = try await Bench()
        let (origin, _) = try await scripted { peer in
            if peer.received == "a" { peer.send("b") }
        }
        defer { origin.stop() }
        var fields = Self.upgrade
        fields.append("Cf-Access-Jump-Destination", "127.0.0.1:\(origin.port)")
        let target = OriginTarget(service: .bastion)
        try await bench.open("/", to: target, fields: fields, then: [Self.binary("a")])
        try await bench.wait("/") { Self.said($0).payload == "b" }
        try await bench.probe("/") { $0.resetByPeer(.cancelled) }
        let nowhere = try await bench.exchange("/none", to: target, fields: Self.upgrade)
        #expect(nowhere.head?.status == 400 && nowhere.text.contains("--destination"))
    }

    @Test(arguments: ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"])
    func aBastionKeepsToItsRules(host: String) async throws {
        let bench = try await Bench()
        let (origin, _) = try await scripted { _ in }
        defer { origin.stop() }
        var options = OriginOptions()
        options.ipRules = [
            IPRule(prefix: try AddressRange("127.0.0.0/8"), allow: false),
            IPRule(prefix: try AddressRange("::1"), allow: false),
            IPRule(prefix: try AddressRange("0.0.0.0/0"), allow: true),
            IPRule(prefix: try AddressRange("::/0"), allow: true),
        ]
        var fields = Self.upgrade
        fields.append("Cf-Access-Jump-Destination", "\(host):\(origin.port)")
        let target = OriginTarget(service: .bastion, options: options)
        try await bench.open("/", to: target, fields: fields, then: [])
        let seen = try await bench.wait("/")
        #expect(seen.head?.status == 403)
        try await bench.deliver("/", to: target, [.end])
        try await bench.wait("/") { $0.isRecorded }
        #expect(origin.counters.accepted == 0)
    }

    @Test func socksGoesWhereTheRulesAllow() async throws {
        let bench = try await Bench()
        let (origin, _) = try await scripted { peer in
            if peer.received == "hello" {
                peer.send("world")
                peer.close()
            }
        }
        defer { origin.stop() }
        var options = OriginOptions()
        options.ipRules = [
            IPRule(prefix: try AddressRange("127.0.0.1"), ports: [origin.port], allow: true)
        ]
        let target = OriginTarget(service: .socksProxy, options: options)
        let port = [UInt8(origin.port >> 8), UInt8(origin.port & 0xFF)]
        let request = [5, 1, 0, 5, 1, 0, 3, 9] + Array("localhost".utf8) + port
        // Everything at once, the first bytes for the destination, too.
        let frame = WebSocketFrame.binary(
            ByteBuffer(bytes: request + Array("hello".utf8)),
            mask: WebSocketMask(bits: 99)
        )
        try await bench.open("/", to: target, fields: Self.upgrade, then: [.data(frame)])
        let seen = try await bench.wait("/") { Self.said($0).close != nil }
        #expect(seen.head?.status == 101)
        #expect(Self.said(seen) == ("\u{5}\u{0}\u{5}\u{0}\u{0}\u{1}\0\0\0\0\0\0world", 1000))
        try await bench.deliver("/", to: target, [Self.close, .end])
        try await bench.wait("/") { $0.isRecorded }

        let denied: [UInt8] = [5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 22]
        let other = WebSocketFrame.binary(
            ByteBuffer(bytes: denied),
            mask: WebSocketMask(bits: 98)
        )
        try await bench.open("/no", to: target, fields: Self.upgrade, then: [.data(other)])
        let refused = try await bench.wait("/no") { $0.isEnded }
        #expect(Self.said(refused) == ("\u{5}\u{0}\u{5}\u{2}\u{0}\u{1}\0\0\0\0\0\0", 1000))
        try await bench.deliver("/no", to: target, [.end])
        try await bench.wait("/no") { $0.isRecorded }
    }

    /// cloudflared's `proxyType: socks`: whatever the client names, it gets the service.
    @Test func socksInFrontOfAService() async throws {
        let bench = try await Bench()
        var options = OriginOptions()
        options.proxyType = .socks
        let (origin, target) = try await self.carried(options: options) { peer in
            if peer.received == "hello" { peer.send("world") }
        }
        defer { origin.stop() }
        let request: [UInt8] = [5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 22] + Array("hello".utf8)
        let frame = WebSocketFrame.binary(
            ByteBuffer(bytes: request),
            mask: WebSocketMask(bits: 97)
        )
        try await bench.open("/", to: target, fields: Self.upgrade, then: [.data(frame)])
        try await bench.wait("/") { Self.said($0).payload.hasSuffix("world") }
        try await bench.probe("/") { $0.resetByPeer(.cancelled) }
        try await bench.wait("/") { $0.isRecorded }
    }
}
