import HTTPSemantics
import NIOCore
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertConnector

/// Answers every request at its end.
private let polite: FrameOrigin.Script = { peer, frame in
    if frame.endsStream { peer.answer(frame.stream, peer.path(frame.stream)) }
}

@Suite("Exchanges over HTTP/2", .timeLimit(.minutes(1)))
struct HTTP2ExchangeTests {
    @Test func requestAndAnswerAsHTTP2HasThem() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            guard frame.endsStream else { return }
            peer.send(
                .head(1, "103", [("link", "a")]),
                .head(1, "200", [("content-length", "5"), ("x-a", "1"), ("x-a", "2")]),
                .data(1, "he"),
                .data(1, "llo"),
                .head(1, nil, [("grpc-status", "0")], end: true)
            )
        }
        defer { origin.stop() }
        let fields: HTTPFields = [
            "Content-Type": "application/grpc", "TE": "trailers", "Keep-Alive": "5", "Host": "no",
            "Content-Length": "3", "Connection": "x", "Cookie": "a=b; c=d",
            "HTTP2-Settings": "AAMAAABk",
        ]
        let parts: [StreamPart] = [.text("abc"), .trailers(["X-Sum": "9", "TE": "x"])]
        let target = origin.target { $0.httpHostHeader = "inner.test" }
        let seen = try await bench.exchange(
            "/p?q=1",
            to: target,
            method: "POST",
            fields: fields,
            then: parts
        )
        #expect(
            origin.seen.heads == [
                [
                    ":method: POST", ":scheme: http", ":authority: inner.test", ":path: /p?q=1",
                    "content-type: application/grpc", "te: trailers", "cookie: a=b; c=d",
                    "content-length: 3",
                ], ["x-sum: 9"],
            ]
        )
        #expect(origin.seen.frames.map(\.kind) == [.headers, .data, .headers])
        #expect(origin.seen.frames[1].text == "abc")
        #expect(seen.heads.map(\.status) == [103, 200])
        #expect(seen.heads[0].fields == ["link": "a"])
        #expect(seen.heads[1].fields == ["x-a": "1", "x-a": "2", "content-length": "5"])
        #expect(seen.text == "hello")
        #expect(seen.trailers == ["grpc-status": "0"])
        #expect(seen.unflushed == 0 && seen.consumed == 3 && seen.reset == nil)
        #expect(seen.record?.status == 200 && seen.record?.responseBytes == 5)
    }

    @Test func endStreamGoesWithTheLastFrame() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            if frame.endsStream { peer.send(.head(frame.stream, "204", end: true)) }
        }
        defer { origin.stop() }
        let get = try await bench.exchange("/g", to: origin.target())
        let post = try await bench.exchange(
            "/p",
            to: origin.target(),
            method: "POST",
            then: [.text("abc"), .end]
        )
        #expect(get.head == ResponseHead(status: 204) && post.head == ResponseHead(status: 204))
        let frames = origin.seen.frames
        #expect(frames.map(\.kind) == [.headers, .headers, .data])
        #expect(frames.map(\.endsStream) == [true, false, true])
    }

    @Test func answersWithoutABody() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            guard frame.endsStream else { return }
            switch peer.path(frame.stream) {
            case "/trailers-only":
                let fields = [("grpc-status", "5"), ("grpc-message", "no")]
                peer.send(.head(frame.stream, "200", fields, end: true))
            case "/head":
                peer.send(.head(frame.stream, "200", [("content-length", "9")], end: true))
            default:
                peer.send(
                    .head(frame.stream, "304", [("etag", "x")]),
                    .data(frame.stream, "", end: true)
                )
            }
        }
        defer { origin.stop() }
        let target = origin.target()
        let only = try await bench.exchange("/trailers-only", to: target, method: "POST")
        #expect(only.head?.fields == ["grpc-status": "5", "grpc-message": "no"])
        #expect(only.isEnded && only.trailers == nil && only.body.isEmpty)
        let head = try await bench.exchange("/head", to: target, method: "HEAD")
        #expect(head.head?.fields == ["content-length": "9"] && head.isEnded)
        let fresh = try await bench.exchange("/fresh", to: target)
        #expect(fresh.head == ResponseHead(status: 304, fields: ["etag": "x"]) && fresh.isEnded)
        #expect(origin.seen.accepted == 1)
    }

    @Test func eitherDirectionMayEndFirst() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            // Each piece is answered before the next is sent.
            if frame.kind == .headers { peer.send(.head(frame.stream)) }
            if frame.kind == .data, !frame.payload.isEmpty, frame.text != "more" {
                let isLast = frame.text == "last"
                peer.send(.data(frame.stream, "<\(frame.text)>", end: isLast))
            }
            if frame.endsStream, peer.path(frame.stream) == "/upload-first" {
                peer.send(.data(frame.stream, "late", end: true))
            }
        }
        defer { origin.stop() }
        let target = origin.target()
        for path in ["/upload-first", "/answer-first"] {
            try await bench.open(path, to: target, method: "POST", then: [])
            try await bench.wait(path) { $0.head != nil }
            for (number, text) in ["a", "b"].enumerated() {
                try await bench.deliver(path, to: target, [.text(text)])
                try await bench.wait(path) { $0.body.count == 3 * (number + 1) }
            }
        }
        try await bench.deliver("/upload-first", to: target, [.end])
        let first = try await bench.wait("/upload-first") { $0.isRecorded }
        #expect(first.text == "<a><b>late" && first.reset == nil)
        try await bench.deliver("/answer-first", to: target, [.text("last")])
        let half = try await bench.wait("/answer-first") { $0.isEnded }
        #expect(half.text == "<a><b><last>" && !half.isRecorded)
        try await bench.deliver("/answer-first", to: target, [.text("more"), .end])
        let second = try await bench.wait("/answer-first") { $0.isRecorded }
        #expect(second.reset == nil && second.consumed == 10)
        #expect(try await bench.exchange("/upload-first", to: target).text == "late")
        #expect(origin.seen.accepted == 1)
    }

    @Test func longHeadsAreContinued() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            if peer.blocks[1] != nil { peer.answer(1) }
        }
        defer { origin.stop() }
        let long = String(repeating: "~", count: 40_000)
        let seen = try await bench.exchange("/", to: origin.target(), fields: ["X-Long": long])
        #expect(seen.text == "ok")
        #expect(origin.seen.frames.map(\.kind).prefix(2) == [.headers, .continuation])
        #expect(origin.seen.heads.first?.last == "x-long: \(long)")
    }

    static let unwritable: [(String, String, HTTPFields)] = [
        ("GET", "/a b", HTTPFields()), ("GE T", "/a", HTTPFields()),
        ("GET", "/n", ["X": "1\r\nA: b"]), ("GET", "/z", ["X": "a\u{0}b"]),
        ("GET", "/s", ["X ": "1"]), ("GET", "/t", ["": "1"]), ("GET", "/p", [":path": "/other"]),
    ]

    @Test("CONNECT, by which an edge carries TCP, is no request for an HTTP origin")
    func connect() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start(script: polite)
        defer { origin.stop() }
        let target = origin.target()
        let seen = try await bench.exchange("*", to: target, method: "CONNECT")
        #expect(seen.head?.status == 405 && seen.reset == nil)
        #expect(origin.seen.accepted == 0)
    }

    @Test(
        "A request that would not stay itself on the wire never reaches an origin",
        arguments: Self.unwritable
    )
    func badRequest(_ method: String, _ path: String, _ fields: HTTPFields) async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start(script: polite)
        defer { origin.stop() }
        let target = origin.target()
        let seen = try await bench.exchange(path, to: target, method: method, fields: fields)
        #expect(seen.reset == .malformedMessage)
        #expect(try await bench.exchange("/after", to: target).text == "/after")
        #expect(origin.seen.accepted == 1 && origin.seen.heads.count == 1)
    }

    static let malformedAnswers: [(String, [FrameOrigin.Frame])] = [
        ("101", [.head(1, "101")]), ("no status", [.head(1, nil, [("a", "b")])]),
        ("status", [.head(1, "20")]), ("upper case", [.head(1, "200", [("X-A", "b")])]),
        ("hop", [.head(1, "200", [("connection", "close")])]),
        ("control", [.head(1, "200", [("x", "a\u{1}b")])]),
        ("lengths", [.head(1, "200", [("content-length", "1"), ("content-length", "2")])]),
        ("length", [.head(1, "200", [("content-length", "x")])]),
        ("too long", [.head(1, "200", [("content-length", "1")]), .data(1, "abc", end: true)]),
        ("too short", [.head(1, "200", [("content-length", "9")]), .data(1, "abc", end: true)]),
        ("data first", [.data(1, "abc")]), ("interim end", [.head(1, "103", end: true)]),
        ("trailers go on", [.head(1), .head(1, nil, [("a", "b")])]),
        ("fields", [.head(1, "200", (0..<300).map { ("x-\($0)", "") })]),
    ]

    @Test("A malformed answer ends its stream, and no other", arguments: Self.malformedAnswers)
    func malformed(_ name: String, _ frames: [FrameOrigin.Frame]) async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            if frame.kind == .headers, frame.stream == 1 { peer.send(frames) }
            if frame.kind == .headers, frame.stream == 3 { peer.answer(3) }
        }
        defer { origin.stop() }
        let target = origin.target()
        let seen = try await bench.exchange(
            "/bad",
            to: target,
            method: "POST",
            then: [.text("a"), .end]
        )
        #expect(seen.reset == .malformedMessage, "\(seen)")
        let next = try await bench.exchange("/next", to: target)
        #expect(next.text == "ok" && next.reset == nil)
    }

    @Test("64 KiB of head are taken, more are malformed", arguments: [12_000, 16_000])
    func largeHead(_ size: Int) async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            guard frame.endsStream else { return }
            // Five times that in all, in frames of 16,000 bytes.
            var block = FrameOrigin.Frame.head(
                frame.stream,
                "200",
                (0..<5).map { ("x-\($0)", String(repeating: "v", count: size)) }
            )
            var frames: [FrameOrigin.Frame] = []
            while !block.payload.isEmpty {
                let kind = frames.isEmpty ? FrameOrigin.Frame.Kind.headers : .continuation
                let piece = Array(block.payload.prefix(16_000))
                block.payload.removeFirst(piece.count)
                let flags: UInt8 = (block.payload.isEmpty ? 4 : 0) | (frames.isEmpty ? 1 : 0)
                frames.append(.init(kind: kind, flags: flags, stream: frame.stream, payload: piece))
            }
            peer.send(frames)
        }
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: origin.target())
        if size == 12_000 {
            #expect(seen.head?.fields.first("x-4")?.count == size && seen.isEnded)
        } else {
            #expect(seen.reset == .malformedMessage)
        }
    }
}

@Suite("Flow control towards HTTP/2 origins", .timeLimit(.minutes(1)))
struct HTTP2FlowTests {
    @Test func aStalledReaderStopsItsOwnStreamOnly() async throws {
        let bench = try await Bench()
        let offered = 3_000_000
        let origin = try await FrameOrigin.start { peer, frame in
            if frame.kind == .headers, peer.path(frame.stream) == "/big" {
                peer.send(.head(frame.stream))
                peer.step = OriginLimits.http2StreamWindowBytes
            } else if frame.kind == .headers {
                return peer.answer(frame.stream)
            } else if frame.kind == .windowUpdate, frame.stream == 1 {
                peer.step += Int(frame.payload.reduce(0) { $0 << 8 | UInt32($1) })
            }
            // Never more than it may.
            var frames: [FrameOrigin.Frame] = []
            while peer.step > 0, peer.sent < offered {
                let size = min(peer.step, 16_000, offered - peer.sent)
                peer.step -= size
                peer.sent += size
                let text = String(repeating: "x", count: size)
                frames.append(.data(1, text, end: peer.sent == offered))
            }
            peer.send(frames)
        }
        defer { origin.stop() }
        let target = origin.target()
        try await bench.open("/big", to: target, stallAt: 1)
        try await bench.wait("/big") { $0.body.count == OriginLimits.http2StreamWindowBytes }
        #expect(try await bench.exchange("/other", to: target).text == "ok")
        let stalled = try await bench.wait("/big") { !$0.body.isEmpty }
        #expect(stalled.body.count == OriginLimits.http2StreamWindowBytes)
        try await bench.probe("/big") { probe in
            probe.stall(at: nil)
            probe.setWritable(true)
        }
        let seen = try await bench.wait("/big") { $0.isRecorded }
        #expect(seen.body.count == offered && seen.isEnded)
        #expect(origin.seen.accepted == 1)
    }

    @Test func aStalledOriginHoldsBackItsUploadOnly() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            if frame.endsStream { peer.answer(frame.stream) }
            // Lets the big one go on.
            if frame.kind == .headers, peer.path(frame.stream) == "/go" {
                peer.send(.windowUpdate(1, 1_000_000), .windowUpdate(0, 1_000_000))
            }
        }
        defer { origin.stop() }
        let target = origin.target()
        let pieces = Array(repeating: StreamPart.zeros(50_000), count: 10)
        try await bench.open("/big", to: target, method: "POST", then: [.zeros(10)])
        try await bench.wait("/big") { $0.consumed == 10 }
        try await bench.deliver("/big", to: target, pieces)
        #expect(try await bench.exchange("/other", to: target).text == "ok")
        let held = try await bench.wait("/big") { _ in true }
        #expect(held.consumed == 10, "nothing is credited while 64 KiB wait")
        #expect(try await bench.exchange("/go", to: target).text == "ok")
        try await bench.deliver("/big", to: target, [.end])
        let seen = try await bench.wait("/big") { $0.isRecorded }
        #expect(seen.consumed == 500_010 && seen.text == "ok")
    }

    @Test func pingIsAnswered() async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, frame in
            if frame.kind == .headers {
                peer.send(.init(kind: .ping, payload: [1, 2, 3, 4, 5, 6, 7, 8]))
            } else if frame.kind == .ping, frame.flags == 1 {
                peer.answer(1, frame.payload == [1, 2, 3, 4, 5, 6, 7, 8] ? "pong" : "?")
            }
        }
        defer { origin.stop() }
        #expect(try await bench.exchange("/", to: origin.target()).text == "pong")
    }

    static let floods: [(String, FrameOrigin.Frame)] = [
        ("ping", .init(kind: .ping, payload: [0, 0, 0, 0, 0, 0, 0, 0])),
        ("settings", .settings([])), ("window", .windowUpdate(0, 1)),
        ("empty data", .data(1, "")),
    ]

    @Test("A flood ends the connection", arguments: Self.floods)
    func flood(_ name: String, _ frame: FrameOrigin.Frame) async throws {
        let bench = try await Bench()
        let origin = try await FrameOrigin.start { peer, request in
            guard request.kind == .headers else { return }
            peer.send(.head(1))
            peer.send(Array(repeating: frame, count: 20_000))
        }
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: origin.target())
        #expect(seen.reset == .truncated)
        while try await bench.use({ $0.liveConnections }) > 0 { await Task.yield() }
    }
}
