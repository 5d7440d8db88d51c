import HTTPSemantics
import NIOCore
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertConnector

/// A scripted answer, and what has to become of it.
struct Answer: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: String
    var method = "GET"
    var closes = true
    var reset: ResetCode?
    var body = ""
    var trailers: HTTPFields?
    /// Whether the connection may be used again, when the origin leaves it open.
    var isReused = false

    var testDescription: String { self.name }

    static let ok = "HTTP/1.1 200 OK\r\n"

    static let good: [Answer] = [
        Answer(
            name: "length",
            bytes: ok + "Content-Length: 5\r\n\r\nhello",
            closes: false,
            body: "hello",
            isReused: true
        ),
        Answer(
            name: "chunks, extensions, trailers",
            bytes: ok + "Transfer-Encoding: chunked\r\n\r\n"
                + "2;a=b\r\nhe\r\n003\r\nllo\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n",
            closes: false,
            body: "hello",
            trailers: ["X-Sum": "1"],
            isReused: true
        ),
        Answer(name: "until close", bytes: ok + "\r\nhello", body: "hello"),
        Answer(name: "HTTP/1.0", bytes: "HTTP/1.0 200 OK\r\n\r\nhello", body: "hello"),
        Answer(
            name: "HTTP/1.0 kept",
            bytes: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
            closes: false,
            body: "x",
            isReused: true
        ),
        Answer(
            name: "HEAD",
            bytes: ok + "Content-Length: 5\r\n\r\n",
            method: "HEAD",
            closes: false,
            isReused: true
        ),
        Answer(
            name: "304 with length",
            bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            closes: false,
            isReused: true
        ),
        Answer(
            name: "Connection: close",
            bytes: ok + "Connection: x, Close\r\nContent-Length: 1\r\nx: y\r\n\r\nx",
            closes: false,
            body: "x"
        ),
        Answer(
            name: "no reason phrase",
            bytes: "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
            closes: false,
            body: "x",
            isReused: true
        ),
        Answer(
            name: "same length twice, blank before colon",
            bytes: ok + "Content-Length : 1, 1\r\ncontent-length: 1\r\n\r\nx",
            closes: false,
            body: "x",
            isReused: true
        ),
        Answer(
            name: "bytes behind the answer",
            bytes: ok + "Content-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n",
            closes: false,
            body: "x"
        ),
    ]

    static let bad: [Answer] = [
        Answer(name: "silent close", bytes: "", reset: .truncated),
        Answer(name: "cut in the head", bytes: "HTTP/1.1 200 OK\r\nA:", reset: .truncated),
        Answer(name: "cut after 100", bytes: "HTTP/1.1 100 C\r\n\r\n", reset: .truncated),
        Answer(
            name: "cut in the length",
            bytes: ok + "Content-Length: 6\r\n\r\nhello",
            reset: .truncated,
            body: "hello"
        ),
        Answer(
            name: "cut in a chunk",
            bytes: ok + "Transfer-Encoding: chunked\r\n\r\n6\r\nhello",
            reset: .truncated,
            body: "hello"
        ),
        Answer(
            name: "no last chunk",
            bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            reset: .truncated,
            body: "hello"
        ),
        Answer(
            name: "cut in the trailers",
            bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n",
            reset: .truncated,
            body: "hello"
        ),
    ]

    static let malformed: [Answer] =
        [
            "SSH-2.0-OpenSSH_9\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.2 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 200 O\u{1}K\r\n\r\n",
            "HTTP/1.1 200 OK\nA: b\n\n",
            "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\u{0}\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a\u{0}b\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA b: c\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 201) + "\r\n",
        ].map { bytes in
            Answer(name: bytes, bytes: bytes, closes: false, reset: .malformedMessage)
        }
}

@Suite("Answers of an origin", .timeLimit(.minutes(1)))
struct AnswerTests {
    @Test(arguments: Answer.good + Answer.bad + Answer.malformed, [false, true])
    func scriptedAnswer(_ answer: Answer, byByte: Bool) async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            guard peer.hasHeads(1), peer.step == 0 else { return }
            peer.step = 1
            if byByte {
                peer.sendByByte(answer.bytes) { if answer.closes { $0.close() } }
            } else {
                peer.send(answer.bytes)
                if answer.closes { peer.close() }
            }
        }
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: target, method: answer.method)
        #expect(seen.reset == answer.reset)
        #expect(seen.isEnded == (answer.reset == nil))
        if answer.reset != .malformedMessage { #expect(seen.text == answer.body) }
        #expect(seen.trailers == answer.trailers)
        #expect(seen.unflushed == 0)
        #expect(seen.record?.failure?.code == answer.reset)
        // Byte by byte, what is behind the answer comes when the connection idles already.
        guard !byByte || answer.name != "bytes behind the answer" else { return }
        let idle = try await bench.use { $0.idleConnections }
        #expect(idle == (answer.isReused ? 1 : 0))
    }

    @Test func tooLargeHead() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            peer.send("HTTP/1.1 200 OK\r\nA: " + String(repeating: "x", count: 70_000))
        }
        defer { origin.stop() }
        let seen = try await bench.exchange("/", to: target)
        #expect(seen.reset == .malformedMessage)
    }

    @Test func resetInUntilCloseBodyIsTruncation() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.step == 0 { peer.send("HTTP/1.1 200 OK\r\n\r\nhello") }
            if peer.received.hasSuffix("go\r\n") { peer.resetConnection() }
            peer.step += 1
        }
        defer { origin.stop() }
        try await bench.open("/", to: target, method: "POST", then: [.text("a")])
        try await bench.wait("/") { $0.text == "hello" }
        try await bench.deliver("/", to: target, [.text("go")])
        let seen = try await bench.wait("/") { $0.isRecorded }
        #expect(seen.reset == .truncated)
    }

    @Test func eventsAreFlushedAsTheyCome() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.step == 0 {
                peer.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n"
                )
            }
            // Each upload piece asks for one event.
            if peer.received.hasSuffix("one\r\n") { peer.send("8\r\ndata: 1\n\r\n") }
            if peer.received.hasSuffix("two\r\n0\r\n\r\n") {
                peer.send("8\r\ndata: 2\n\r\n0\r\n\r\n")
            }
            peer.step += 1
        }
        defer { origin.stop() }
        try await bench.open("/sse", to: target, method: "POST", then: [])
        try await bench.wait("/sse") { $0.heads.count == 1 && $0.unflushed == 0 }
        try await bench.deliver("/sse", to: target, [.text("one")])
        try await bench.wait("/sse") { $0.text == "data: 1\n" && $0.unflushed == 0 }
        try await bench.deliver("/sse", to: target, [.text("two"), .end])
        let seen = try await bench.wait("/sse") { $0.isRecorded }
        #expect(seen.text == "data: 1\ndata: 2\n")
        #expect(seen.isEnded)
    }

    @Test(arguments: [
        ("timeout=5", 5), ("max=3, TIMEOUT=70", 70), ("timeout=-1", nil), ("timeout=", nil),
        ("timeout=-9223372036854775808", nil), ("timeout=9223372036854775807", nil),
    ])
    func keepAliveTimes(_ value: String, _ seconds: Int?) {
        var parser = ResponseParser()
        parser.begin(isHeadRequest: false)
        let head = "HTTP/1.1 200 OK\r\nKeep-Alive: \(value)\r\nContent-Length: 0\r\n\r\n"
        parser.append(ByteBuffer(string: head))
        guard case .head = parser.next() else {
            Issue.record("no head")
            return
        }
        #expect(parser.keepAliveSeconds == seconds)
    }

    @Test func octetsThatAreNotUTF8() {
        var text = Array("HTTP/1.1 200 Caf".utf8) + [0xE9]
        text += Array("\r\nA: ".utf8) + [0xFC] + Array("\r\n\r\n".utf8)
        var parser = ResponseParser()
        parser.begin(isHeadRequest: false)
        parser.append(ByteBuffer(bytes: text))
        guard case .head(let head) = parser.next() else {
            Issue.record("no head")
            return
        }
        #expect(head.reason.readableText == "Café")
        #expect(head.fields.first("A")?.readableText == "ü")
        #expect(head.fields.first("A")?.withOctets { Array($0) } == [0xFC])
    }
}
