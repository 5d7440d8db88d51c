import HTTPSemantics
import NIOCore
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertConnector

/// Starts an origin that runs `script`, and a target that names it.
func scripted(
    options: OriginOptions = OriginOptions(),
    _ script: @escaping ScriptedOrigin.Script
) async throws -> (origin: ScriptedOrigin, target: OriginTarget) {
    let origin = try await ScriptedOrigin.start(script: script)
    let service = OriginService.http(host: "127.0.0.1", port: origin.port)
    return (origin, OriginTarget(service: service, options: options))
}

@Suite("Requests to an origin", .timeLimit(.minutes(1)))
struct RequestTests {
    @Test func bodylessRequestHasNoFraming() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            guard peer.hasHeads(1) else { return }
            peer.send("HTTP/1.1 200 Fine Thanks\r\nContent-Length: 2\r\nA: 1\r\na: 2\r\n\r\nok")
        }
        defer { origin.stop() }
        let fields: HTTPFields = ["X-B": "1", "x-a": "2", "X-B": "3", "Keep-Alive": "5"]
        let seen = try await bench.exchange("/p?q=1", to: target, method: "PURGE", fields: fields)
        #expect(seen.text == "ok")
        #expect(seen.head?.reason == "Fine Thanks")
        #expect(seen.head?.fields == ["Content-Length": "2", "A": "1", "a": "2"])
        #expect(seen.reset == nil)
        #expect(seen.unflushed == 0)
        #expect(
            origin.counters.received[1] == """
                PURGE /p?q=1 HTTP/1.1\r\nHost: app.example.com\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\n\r\n
                """
        )
        #expect(seen.record?.status == 200)
        #expect(seen.record?.responseBytes == 2)
    }

    @Test func chunkedUploadWithTrailers() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            guard peer.received.hasSuffix("X-Sum: 9\r\n\r\n") else { return }
            peer.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        }
        defer { origin.stop() }
        let parts: [StreamPart] = [.text("hello"), .text("0123456789abcdefg")]
        try await bench.open("/up", to: target, method: "POST", then: parts)
        try await bench.wait("/up") { $0.consumed == 22 }
        try await bench.deliver("/up", to: target, [.trailers(["X-Sum": "9"])])
        let seen = try await bench.wait("/up") { $0.isRecorded }
        #expect(seen.head?.status == 201)
        #expect(
            origin.counters.received[1] == """
                POST /up HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\n\r\n\
                5\r\nhello\r\n11\r\n0123456789abcdefg\r\n0\r\nX-Sum: 9\r\n\r\n
                """
        )
    }

    @Test func declaredLengthIsKept() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            guard peer.received.hasSuffix("\r\n\r\nabcde") else { return }
            peer.send("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
        }
        defer { origin.stop() }
        let seen = try await bench.exchange(
            "/up",
            to: target,
            method: "PUT",
            fields: ["Content-Length": "5"],
            then: [.text("abc"), .text("de"), .end]
        )
        #expect(seen.head == ResponseHead(status: 204, reason: "No Content"))
        #expect(origin.counters.received[1]?.contains("Content-Length: 5\r\n") == true)
        #expect(origin.counters.received[1]?.contains("chunked") == false)
    }

    @Test func hostHeaderOption() async throws {
        let bench = try await Bench()
        var options = OriginOptions()
        options.httpHostHeader = "inner.test"
        let (origin, target) = try await scripted(options: options) { peer in
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        defer { origin.stop() }
        _ = try await bench.exchange("/", to: target)
        #expect(origin.counters.received[1] == "GET / HTTP/1.1\r\nHost: inner.test\r\n\r\n")
    }

    @Test func disabledChunkingCollects() async throws {
        let bench = try await Bench()
        var options = OriginOptions()
        options.disableChunkedEncoding = true
        let (origin, target) = try await scripted(options: options) { peer in
            guard peer.received.hasSuffix("\r\n\r\nabcde") else { return }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        defer { origin.stop() }
        try await bench.open("/c", to: target, method: "POST", then: [.text("abc")])
        try await bench.wait("/c") { $0.consumed == 3 }
        try await bench.deliver("/c", to: target, [.text("de"), .end])
        let seen = try await bench.wait("/c") { $0.isRecorded }
        #expect(seen.head?.status == 200)
        #expect(seen.consumed == 5)
        #expect(origin.counters.received[1]?.contains("Content-Length: 5\r\n\r\nabcde") == true)

        let large = try await bench.exchange(
            "/large",
            to: target,
            method: "POST",
            then: [.zeros(40_000), .zeros(40_000), .end]
        )
        #expect(large.reset == .overLimit)
    }

    static let unwritable: [(String, String, HTTPFields)] = [
        ("GET", "/a b", HTTPFields()),
        ("GET", "/a\r\nX: y", HTTPFields()),
        ("GE T", "/a", HTTPFields()),
        ("GET", "/n", ["X": "1\r\nTransfer-Encoding: chunked"]),
        ("GET", "/l", ["X": "1\nY: 2"]),
        ("GET", "/z", ["X": "a\u{0}b"]),
        ("GET", "/s", ["Transfer-Encoding ": "chunked"]),
        ("POST", "/cl", ["Content-Length": "1, 2"]),
        ("POST", "/cl2", ["Content-Length": "1", "content-length": "2"]),
        ("POST", "/cl3", ["Content-Length": "-1"]),
    ]

    @Test(
        "A request that would not stay itself on the wire never reaches an origin",
        arguments: Self.unwritable
    )
    func badRequest(_ method: String, _ path: String, _ fields: HTTPFields) async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { $0.send("HTTP/1.1 200 OK\r\n\r\n") }
        defer { origin.stop() }
        let seen = try await bench.exchange(path, to: target, method: method, fields: fields)
        #expect(seen.reset == .malformedMessage)
        #expect(origin.counters.received.isEmpty)
    }

    @Test("A body that differs from its Content-Length", arguments: [2, 4])
    func wrongLength(_ length: Int) async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { _ in }
        defer { origin.stop() }
        let seen = try await bench.exchange(
            "/",
            to: target,
            method: "POST",
            fields: ["Content-Length": "\(length)"],
            then: [.text("abc"), .end]
        )
        #expect(seen.reset == .malformedMessage)
    }

    @Test func continueIsForwarded() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            if peer.step == 0, peer.hasHeads(1) {
                peer.step = 1
                peer.send(
                    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
                )
            }
            guard peer.received.hasSuffix("\r\n0\r\n\r\n") else { return }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        defer { origin.stop() }
        let fields: HTTPFields = ["Expect": "100-continue"]
        try await bench.open("/e", to: target, method: "POST", fields: fields, then: [])
        try await bench.wait("/e") { $0.heads.count == 2 }
        try await bench.deliver("/e", to: target, [.text("body"), .end])
        let seen = try await bench.wait("/e") { $0.isRecorded }
        #expect(seen.heads.map(\.status) == [100, 103, 200])
        #expect(seen.heads[1].fields == ["Link": "a"])
        #expect(seen.text == "ok")
        #expect(origin.counters.received[1]?.contains("Expect: 100-continue\r\n") == true)
    }

    @Test func lateEndOfGetIsStillBodyless() async throws {
        let bench = try await Bench()
        let (origin, target) = try await scripted { peer in
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        defer { origin.stop() }
        try await bench.open("/g", to: target, then: [])
        try await bench.deliver("/g", to: target, [.end])
        let seen = try await bench.wait("/g") { $0.isRecorded }
        #expect(seen.head?.status == 200)
        #expect(origin.counters.received[1]?.contains("chunked") == false)
    }
}
