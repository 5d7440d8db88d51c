import HTTPSemantics
import NIOConcurrencyHelpers
import NIOCore
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertEdge

@Suite(.timeLimit(.minutes(1)))
struct HTTP2VisitorTests {
    private func run(
        _ configure: (inout VisitorConfiguration) -> Void = { _ in },
        _ body: (TestServer, FrameClient) async throws -> Void
    ) async throws {
        try await TestServer.run(tls: true, configure) { server in
            let client = try await FrameClient(server)
            try await body(server, client)
            try await client.close()
        }
    }

    private static func ping(_ number: UInt8) -> RawFrame {
        RawFrame(type: RawFrame.ping, payload: [0, 0, 0, 0, 0, 0, 0, number])
    }

    @Test func windowsAreAnnounced() async throws {
        try await self.run { _, client in
            let settings = try await client.frames.first { $0.type == RawFrame.settings }
            #expect(settings.payload.starts(with: [0, 3, 0, 0, 0, 100]))
            let window = try await client.frames.first { $0.type == RawFrame.windowUpdate }
            #expect(window.stream == 0)
            #expect(window.payload == [0, 0x0F, 0, 1])  // 1 MiB − 65,535
        }
    }

    @Test func smallAnswersAreTwoFramesWithEndStreamOnTheLast() async throws {
        try await self.run { _, client in
            try await client.send(.request(1, "/hello"), .request(3, "/204"))
            let data = try await client.frames.first { $0.type == RawFrame.data && $0.stream == 1 }
            #expect(data.flags & RawFrame.endStream != 0)
            #expect(data.payload == Array("hello 0".utf8))
            let head = try await client.frames.first {
                $0.type == RawFrame.headers && $0.stream == 3
            }
            #expect(head.flags & RawFrame.endStream != 0)
        }
    }

    @Test func resetByTheVisitorResetsTheStream() async throws {
        try await self.run { server, client in
            try await client.send(.request(1, "/hang"), .request(3, "/never"))
            try await server.router.recorder.first { $0 == .routed("/never", attempt: 1) }
            let cancel: [UInt8] = [0, 0, 0, 8]
            try await client.send(
                RawFrame(type: RawFrame.resetStream, stream: 1, payload: cancel),
                RawFrame(type: RawFrame.resetStream, stream: 3, payload: cancel)
            )
            try await server.router.recorder.first { $0 == .reset(path: "/hang", .cancelled) }
            try await server.router.recorder.first { $0 == .cancelled }
            try await server.log.first { $0.path == "/hang" && $0.status == 0 }
        }
    }

    @Test func closedConnectionResetsItsStreams() async throws {
        try await self.run { server, client in
            try await client.send(.request(1, "/hang"))
            _ = try await server.router.request("/hang")
            try await client.close()
            try await server.router.recorder.first { $0 == .reset(path: "/hang", .cancelled) }
        }
    }

    @Test func brokenOriginResetsTheStream() async throws {
        try await self.run { _, client in
            try await client.send(.request(1, "/broken"), .request(3, "/short"))
            for stream in [UInt32(1), 3] {
                let reset = try await client.frames.first {
                    $0.type == RawFrame.resetStream && $0.stream == stream
                }
                #expect(reset.errorCode == 2)
            }
            let ended = client.frames.events.contains {
                $0.type == RawFrame.data && $0.flags & RawFrame.endStream != 0
            }
            #expect(!ended)
        }
    }

    @Test func edgeAnswerEndsAnUnfinishedRequestWithoutError() async throws {
        try await self.run { _, client in
            try await client.send(.request(1, "/unreachable", method: "POST", end: false))
            let reset = try await client.frames.first { $0.type == RawFrame.resetStream }
            #expect(reset.errorCode == 0)
            let ended = client.frames.events.contains {
                $0.type == RawFrame.data && $0.flags & RawFrame.endStream != 0
            }
            #expect(ended)
        }
    }

    @Test func windowIsGrantedOnlyAsTheTunnelTakes() async throws {
        try await self.run { server, client in
            let piece = RawFrame(
                type: RawFrame.data,
                stream: 1,
                payload: Array(repeating: 1, count: 16384)
            )
            try await client.send(
                [.request(1, "/stall", method: "PUT", end: false)] + [piece, piece, piece]
            )
            try await server.router.recorder.first { $0 == .stalled(piece: 1) }
            try await client.send(Self.ping(1))
            try await client.frames.first { $0.type == RawFrame.ping }
            let granted = client.frames.events.contains {
                $0.type == RawFrame.windowUpdate && $0.stream == 1
            }
            #expect(!granted)
            let fake = try await server.router.streams.first { _ in true }
            fake.onLoop { $0.makeWritable() }
            try await client.frames.first { $0.type == RawFrame.windowUpdate && $0.stream == 1 }
        }
    }

    @Test func visitorWithoutWindowHoldsBackItsOwnCredit() async throws {
        try await self.run { server, client in
            try await client.send(.request(1, "/big"))
            try await client.frames.first { $0.type == RawFrame.data }
            try await client.send(Self.ping(2))
            try await client.frames.first { $0.type == RawFrame.ping }
            let consumed = server.router.recorder.events.reduce(0) {
                if case .consumed("/big", let bytes) = $1 { $0 + bytes } else { $0 }
            }
            #expect(consumed <= 65535)
            let more = RawFrame(type: RawFrame.windowUpdate, stream: 0, payload: [0, 0x10, 0, 0])
            var same = more
            same.stream = 1
            try await client.send(more, same)
            try await client.frames.first {
                $0.type == RawFrame.data && $0.flags & RawFrame.endStream != 0
            }
        }
    }

    @Test func drainLetsStreamsFinishAndSaysGoAway() async throws {
        try await self.run { server, client in
            try await client.send(.request(1, "/later"))
            try await server.router.recorder.first { $0 == .routed("/later", attempt: 1) }
            let draining = Task { await server.server.drain(deadline: .now() + .seconds(30)) }
            let first = try await client.frames.first { $0.type == RawFrame.goAway }
            #expect(first.payload.starts(with: [0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]))
            let ping = try await client.frames.first { $0.type == RawFrame.ping }
            try await client.send(RawFrame(type: RawFrame.ping, flags: 1, payload: ping.payload))
            try await client.frames.first {
                $0.type == RawFrame.goAway && $0.payload.starts(with: [0, 0, 0, 1])
            }
            for open in server.router.held.withLockedValue({ $0 }) { open() }
            try await client.frames.first { $0.type == RawFrame.data && $0.stream == 1 }
            try await client.closed()
            await draining.value
        }
    }

    @Test func drainAnswersARequestThatComesWhenItHasBegun() async throws {
        try await self.run { server, client in
            try await client.send(.request(1, "/hello"))
            try await client.frames.first {
                $0.stream == 1 && $0.flags & RawFrame.endStream != 0
            }
            let draining = Task { await server.server.drain(deadline: .now() + .seconds(30)) }
            while !server.server.isDraining { await Task.yield() }
            try await client.send(.request(3, "/hello"))
            try await client.frames.first {
                $0.stream == 3 && $0.flags & RawFrame.endStream != 0
            }
            try await client.frames.first {
                $0.type == RawFrame.goAway && $0.payload.starts(with: [0, 0, 0, 3])
            }
            try await client.closed()
            await draining.value
        }
    }

    @Test func idleConnectionEndsWithGoAway() async throws {
        try await self.run {
            $0.timeouts.keepAlive = .seconds(1)
        } _: { _, client in
            try? await client.send(.request(1, "/hello"))
            let goAway = try await client.frames.first { $0.type == RawFrame.goAway }
            #expect(goAway.errorCode == 0)
            try await client.closed()
        }
    }

    /// Neither silence in the middle of a header block nor more of it puts its end off; requests
    /// that are whole have nothing to fear.
    @Test func aHeaderBlockThatDoesNotEndIsGivenUp() async throws {
        try await self.run {
            $0.timeouts.header = .seconds(1)
        } _: { _, client in
            for stream: UInt32 in [1, 3] { try await client.send(.request(stream, "/hello")) }
            try await client.frames.first { $0.type == RawFrame.data && $0.stream == 3 }
            let begun = NIODeadline.now()
            var head = RawFrame.request(5, "/hello")
            head.flags = 0
            try await client.send(head)
            try await client.send(
                RawFrame(
                    type: RawFrame.continuation,
                    stream: 5,
                    payload: RawFrame.block([("x", "y")])
                )
            )
            try await client.closed()
            #expect(NIODeadline.now() - begun >= .milliseconds(990))
        }
        try await self.run {
            $0.timeouts.header = .milliseconds(300)
        } _: { _, client in
            try await client.send(.request(1, "/hello"))
            try await client.frames.first { $0.type == RawFrame.data && $0.stream == 1 }
            var head = RawFrame.request(3, "/hello")
            head.flags = 1
            let rest = RawFrame(
                type: RawFrame.continuation,
                flags: 4,
                stream: 3,
                payload: RawFrame.block([("x", "y")])
            )
            try await client.send(head, rest)
            try await client.frames.first { $0.type == RawFrame.data && $0.stream == 3 }
            // For longer than the deadline of the blocks that were complete.
            let end = NIODeadline.now() + .milliseconds(600)
            var stream: UInt32 = 5
            while NIODeadline.now() < end {
                try await client.send(.request(stream, "/hello"))
                let asked = stream
                try await client.frames.first { $0.type == RawFrame.data && $0.stream == asked }
                stream += 2
            }
        }
    }

    @Test func slowBodyGets408() async throws {
        try await self.run {
            $0.timeouts.bodyIdle = .milliseconds(50)
        } _: { server, client in
            try await client.send(.request(1, "/slow", method: "PUT", end: false))
            try await client.frames.first { $0.type == RawFrame.headers && $0.stream == 1 }
            try await server.log.first { $0.status == 408 }
        }
    }

    /// What gRPC's watches do: the answer has begun, and the request stays open without a word.
    @Test func aSilentRequestGoesOnOnceItIsAnswered() async throws {
        try await self.run {
            $0.timeouts.bodyIdle = .milliseconds(50)
        } _: { server, client in
            try await client.send(.request(1, "/echo", method: "POST", end: false))
            try await client.frames.first { $0.type == RawFrame.headers && $0.stream == 1 }
            try await client.send(.request(3, "/slow", method: "PUT", end: false))
            try await server.log.first { $0.status == 408 }
            let last = RawFrame(
                type: RawFrame.data,
                flags: 1,
                stream: 1,
                payload: Array("still".utf8)
            )
            try await client.send(last)
            let echo = try await client.frames.first { $0.type == RawFrame.data && $0.stream == 1 }
            #expect(echo.payload == Array("still".utf8))
        }
    }

    private static let call = RawFrame.request(
        1,
        "/hello",
        method: "POST",
        end: false,
        [("content-type", "application/grpc+proto"), ("te", "trailers")]
    )

    /// A subscription whose server begins its answer with the first message.
    @Test func aSilentCallLivesAsLongAsItsVisitor() async throws {
        try await self.run {
            $0.timeouts.bodyIdle = .seconds(2)
        } _: { server, client in
            client.answersPings()
            try await client.send(Self.call)
            // The client answers them.
            try await client.frames.first { $0.type == RawFrame.ping && $0.payload.last == 3 }
            #expect(server.log.events.isEmpty)
            try await client.send(
                RawFrame(type: RawFrame.data, flags: RawFrame.endStream, stream: 1, payload: [1])
            )
            let data = try await client.frames.first { $0.type == RawFrame.data }
            #expect(data.payload == Array("hello 1".utf8))
        }
    }

    @Test func aSilentCallOfAVisitorThatIsGoneIsGivenUp() async throws {
        try await self.run {
            $0.timeouts.bodyIdle = .milliseconds(100)
        } _: { server, client in
            try await client.send(Self.call)
            try await client.frames.first { $0.type == RawFrame.ping && $0.flags == 0 }
            try await server.log.first { $0.status == 408 && $0.errorCode == "too-slow" }
            try await server.router.recorder.first { $0 == .reset(path: "/hello", .cancelled) }
        }
    }

    /// gRPC's form: a head that ends the stream, status 200 in HTTP, and what it was in the log.
    @Test func aCallsFailureIsAHeadAlone() async throws {
        try await self.run { server, client in
            var call = Self.call
            call.payload = RawFrame.block([
                (":method", "POST"), (":scheme", "https"), (":authority", "a.test"),
                (":path", "/unreachable"), ("content-type", "application/grpc"),
            ])
            try await client.send(call)
            let head = try await client.frames.first { $0.type == RawFrame.headers }
            #expect(head.flags == RawFrame.endStream | RawFrame.endHeaders)
            #expect(head.payload.first == 0x88, ":status 200 of HPACK's static table")
            try await server.log.first {
                $0.status == 502 && $0.errorCode == "origin-unreachable" && $0.responseBytes == 0
            }
            #expect(!client.frames.events.contains { $0.type == RawFrame.data })
        }
    }
}

/// What a hostile HTTP/2 client may try; each ends its stream or its connection.
@Suite(.timeLimit(.minutes(1)))
struct HTTP2HostileInputTests {
    /// `last`: the highest stream, which a client may not take for one that nothing was done for.
    private func isEnded(
        _ code: UInt32,
        last: UInt32 = 0,
        _ frames: @escaping @Sendable () -> [RawFrame]
    ) async throws {
        try await TestServer.run(tls: true) { server in
            let client = try await FrameClient(server)
            try await client.send(frames())
            let goAway = try await client.frames.first { $0.type == RawFrame.goAway }
            #expect(goAway.errorCode == code)
            let said = goAway.payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
            #expect(said == last)
            try await client.closed()
        }
    }

    /// The first reset beyond 200 is that of stream 401.
    @Test func rapidReset() async throws {
        try await self.isEnded(11, last: 401) {
            (0..<250).flatMap { index -> [RawFrame] in
                let stream = UInt32(2 * index + 1)
                return [
                    .request(stream, "/hang"),
                    RawFrame(type: RawFrame.resetStream, stream: stream, payload: [0, 0, 0, 8]),
                ]
            }
        }
    }

    @Test func continuationFlood() async throws {
        try await self.isEnded(11) {
            var head = RawFrame.request(1, "/")
            head.flags = 0
            let more = RawFrame(
                type: RawFrame.continuation,
                stream: 1,
                payload: RawFrame.block([("x", "y")])
            )
            return [head] + Array(repeating: more, count: 10)
        }
    }

    @Test func settingsFlood() async throws {
        try await self.isEnded(11) {
            Array(repeating: RawFrame(type: RawFrame.settings), count: 2_000)
        }
    }

    @Test func pingFlood() async throws {
        try await self.isEnded(11, last: 3) {
            [.request(1, "/hello"), .request(3, "/hang")]
                + Array(repeating: Self.ping(0), count: 2_000)
        }
    }

    private static func ping(_ number: UInt8) -> RawFrame {
        RawFrame(type: RawFrame.ping, payload: [0, 0, 0, 0, 0, 0, 0, number])
    }

    private static let piecesWithPings = [[RawFrame]](
        repeating: [RawFrame(type: RawFrame.data, stream: 1, payload: [1]), ping(0)],
        count: 100
    ).flatMap(\.self)

    /// What gRPC's ends do while messages flow: it is paid for, and a flood behind it still is one.
    @Test func aPingForEachDataFrameIsFine() async throws {
        try await TestServer.run(tls: true) { server in
            let client = try await FrameClient(server)
            try await client.send(.request(1, "/echo", method: "POST", end: false))
            for round in 1...30 as ClosedRange<UInt8> {
                try await client.send(Self.piecesWithPings + [Self.ping(round)])
                try await client.frames.first { $0.isAnswer(round) || $0.type == RawFrame.goAway }
            }
            try await client.send(
                RawFrame(type: RawFrame.data, flags: RawFrame.endStream, stream: 1, payload: [2])
            )
            try await client.frames.first {
                $0.type == RawFrame.data && $0.flags & RawFrame.endStream != 0
            }
            #expect(!client.frames.events.contains { $0.type == RawFrame.goAway })
            // More than all that was echoed has paid for.
            try await client.send(Array(repeating: Self.ping(0), count: 6_500))
            let end = try await client.frames.first { $0.type == RawFrame.goAway }
            #expect(end.errorCode == 11 && end.payload.prefix(4) == [0, 0, 0, 1])
            try await client.close()
        }
    }

    @Test func priorityFlood() async throws {
        try await self.isEnded(11) {
            Array(repeating: RawFrame(type: 2, stream: 1, payload: [0, 0, 0, 0, 1]), count: 2_000)
        }
    }

    @Test func emptyDataFlood() async throws {
        try await self.isEnded(11, last: 1) {
            [.request(1, "/hang", method: "PUT", end: false)]
                + Array(repeating: RawFrame(type: RawFrame.data, stream: 1), count: 20)
        }
    }

    @Test func windowUpdateFlood() async throws {
        try await self.isEnded(11) {
            Array(
                repeating: RawFrame(type: RawFrame.windowUpdate, payload: [0, 0, 0, 1]),
                count: 1100
            )
        }
    }

    @Test func headerListBomb() async throws {
        try await self.isEnded(9) {
            // One field put into the dynamic table, then referred to again and again.
            let big = String(repeating: "a", count: 4000)
            let literal = [0x40] + RawFrame.block([("x", big)]).dropFirst()
            let block = literal + Array(repeating: UInt8(0x80 | 62), count: 12000)
            return [RawFrame(type: RawFrame.headers, flags: 5, stream: 1, payload: Array(block))]
        }
    }

    static let malformed: [[(String, String)]] = [
        [("transfer-encoding", "chunked")], [("connection", "close")], [("upgrade", "websocket")],
        [("X-Upper", "1")], [("te", "gzip")], [("content-length", "5")], [("x", "a\r\ny: b")],
        [("x", "a\u{0}")], [("content-length", "1"), ("content-length", "2")], [("x y", "1")],
        [(":path", "/again")], [("host", "a"), ("host", "b")],
    ]

    @Test(arguments: 0..<malformed.count)
    func malformedRequestIsAStreamError(_ index: Int) async throws {
        try await TestServer.run(tls: true) { server in
            let client = try await FrameClient(server)
            try await client.send(
                .request(1, "/hidden", Self.malformed[index]),
                .request(3, "/hello")
            )
            let reset = try await client.frames.first { $0.type == RawFrame.resetStream }
            #expect(reset.stream == 1)
            #expect(reset.errorCode == 1)
            try await client.frames.first { $0.type == RawFrame.data && $0.stream == 3 }
            #expect(server.router.requests.map(\.path) == ["/hello"])
            try await client.close()
        }
    }

    /// RFC 9113 §8.1.1: the DATA frames add up to Content-Length, or the stream is in error.
    @Test(arguments: [
        ([RawFrame(type: RawFrame.data, stream: 1, payload: [1, 2, 3, 4, 5, 6])]),
        ([RawFrame(type: RawFrame.data, flags: 1, stream: 1, payload: [1, 2, 3])]),
        ([
            RawFrame(type: RawFrame.data, stream: 1, payload: [1, 2, 3, 4, 5]),
            RawFrame(type: RawFrame.data, flags: 1, stream: 1, payload: [6]),
        ]),
        ([
            RawFrame(type: RawFrame.data, stream: 1, payload: [1, 2]),
            RawFrame(
                type: RawFrame.headers,
                flags: 5,
                stream: 1,
                payload: RawFrame.block([("x-sum", "1")])
            ),
        ]),
    ])
    func aBodyThatIsNotAsLongAsPromisedIsAStreamError(_ body: [RawFrame]) async throws {
        try await TestServer.run(tls: true) { server in
            let client = try await FrameClient(server)
            let head = RawFrame.request(
                1,
                "/hello",
                method: "POST",
                end: false,
                [("content-length", "5")]
            )
            try await client.send([head] + body)
            let reset = try await client.frames.first { $0.type == RawFrame.resetStream }
            #expect(reset.stream == 1 && reset.errorCode == 1)
            try await server.log.first { $0.errorCode == "bad-request" }
            // The connection lives, and what was promised is taken.
            let next = RawFrame.request(
                3,
                "/hello",
                method: "POST",
                end: false,
                [("content-length", "2")]
            )
            let two = RawFrame(type: RawFrame.data, flags: 1, stream: 3, payload: [1, 2])
            try await client.send(next, two)
            let answer = try await client.frames.first {
                $0.type == RawFrame.data && $0.stream == 3
            }
            #expect(String(decoding: answer.payload, as: UTF8.self) == "hello 2")
            try await client.close()
        }
    }

    @Test(arguments: ["1000000000000000000", "99999999999999999999999"])
    func aContentLengthBeyondAllLimitsGets400(_ length: String) async throws {
        try await TestServer.run(tls: true) { server in
            let client = try await FrameClient(server)
            try await client.send(
                .request(1, "/hidden", method: "POST", end: false, [("content-length", length)]),
                .request(3, "/hello")
            )
            let record = try await server.log.first { $0.status == 400 }
            #expect(record.errorCode == "bad-request")
            let page = try await client.frames.first {
                $0.type == RawFrame.data && $0.stream == 1
            }
            let text = String(decoding: page.payload, as: UTF8.self)
            #expect(text.contains("Content-Length has more than 18 digits"), "\(text)")
            try await client.frames.first { $0.type == RawFrame.data && $0.stream == 3 }
            #expect(server.router.requests.map(\.path) == ["/hello"])
            try await client.close()
        }
    }

    @Test func tooManyFieldsGet431AndTheConnectionLives() async throws {
        try await TestServer.run(tls: true) { server in
            let client = try await FrameClient(server)
            let fields = (0..<101).map { ("x-\($0)", "1") }
            try await client.send(.request(1, "/hidden", fields), .request(3, "/hello"))
            try await client.frames.first { $0.type == RawFrame.data && $0.stream == 3 }
            try await server.log.first { $0.status == 431 }
            try await client.close()
        }
    }

    /// RFC 9113 §5.1.2: an error of the stream; the visitor may not even have seen the limit.
    @Test func streamsBeyondTheLimitAreRefused() async throws {
        try await TestServer.run(tls: true) {
            $0.limits.http2RefusedStreams = 60
        } _: { server in
            let client = try await FrameClient(server)
            try await client.send((0..<150).map { .request(UInt32(2 * $0 + 1), "/hang") })
            let refused = try await client.frames.first {
                $0.type == RawFrame.resetStream && $0.stream == 299
            }
            #expect(refused.errorCode == 7, "REFUSED_STREAM")
            #expect(server.router.requests.count == 100)
            let said = client.frames.events.first { $0.type == RawFrame.settings }
            #expect(said?.payload.prefix(6) == [0, 3, 0, 0, 0, 100])
            // The connection lives, until it has asked for too many.
            try await client.send(RawFrame(type: RawFrame.ping, payload: [0, 1, 2, 3, 4, 5, 6, 7]))
            try await client.frames.first { $0.type == RawFrame.ping && $0.flags == 1 }
            try await client.send((150..<161).map { .request(UInt32(2 * $0 + 1), "/hang") })
            let end = try await client.frames.first { $0.type == RawFrame.goAway }
            #expect(end.errorCode == 11, "ENHANCE_YOUR_CALM")
            try await client.close()
        }
    }

    @Test func theConnectionsWindowIsGrantedOnce() async throws {
        try await TestServer.run(tls: true) { server in
            let client = try await FrameClient(server)
            for index in 0..<20 {
                try await client.send(.request(UInt32(2 * index + 1), "/hello"))
                try await client.frames.first {
                    $0.type == RawFrame.data && $0.stream == 2 * index + 1
                }
            }
            let grants = client.frames.events.filter {
                $0.type == RawFrame.windowUpdate && $0.stream == 0
            }
            #expect(grants.map(\.errorCode) == [1_048_576 - 65_535])
            try await client.close()
        }
    }

    @Test func cookieCrumbsAreJoined() async throws {
        try await TestServer.run(tls: true) { server in
            let client = try await FrameClient(server)
            try await client.send(.request(1, "/hello", [("cookie", "a=1"), ("cookie", "b=2")]))
            let head = try await server.router.request("/hello")
            #expect(head.fields.values("cookie") == ["a=1; b=2"])
            try await client.close()
        }
    }
}
