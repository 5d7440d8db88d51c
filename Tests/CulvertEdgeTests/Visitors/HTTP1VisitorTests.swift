import HTTPSemantics
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertEdge

private func get(_ path: String, _ fields: String = "") -> String {
    "GET \(path) HTTP/1.1\r\nHost: a.test\r\n\(fields)\r\n"
}

@Suite(.timeLimit(.minutes(1)))
struct HTTP1VisitorTests {
    @Test func requestAndAnswerCross() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                "PURGE /hello?x=1 HTTP/1.1\r\nHost: A.Test.:80\r\nX-Dup: 1\r\nX-Dup: 2\r\n"
                    + "Connection: x-hop\r\nX-Hop: gone\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
            )
            let answer = await client.receive("hello 0")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("X-One: 1\r\nX-One: 2\r\n"))
            let head = try await server.router.request("/hello?x=1")
            #expect(head.method == "PURGE")
            #expect(head.authority == "a.test")
            #expect(head.fields.values("X-Dup") == ["1", "2"])
            #expect(!head.fields.contains("X-Hop"))
            #expect(head.fields.values("X-Forwarded-For") == ["127.0.0.1"])
            #expect(head.fields.first("X-Request-Id")?.utf8.count == 32)
            let record = try await server.log.first { _ in true }
            #expect(record.status == 200)
            #expect(record.host == "a.test")
            #expect(record.responseBytes == 7)
            try await client.close()
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrderOnOneConnection() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                get("/later")
                    + "POST /hello HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc"
                    + get("/chunks")
            )
            try await server.router.recorder.first { $0 == .routed("/later", attempt: 1) }
            #expect(server.router.requests.isEmpty)
            for open in server.router.held.withLockedValue({ $0 }) { open() }
            let answer = await client.receive("X-Sum: 6\r\n\r\n")
            #expect(answer.contains("hello 0HTTP/1.1 200 OK"))
            #expect(answer.contains("hello 3HTTP/1.1 200 \r\n"))
            #expect(answer.hasSuffix("3\r\none\r\n3\r\ntwo\r\n0\r\nX-Sum: 6\r\n\r\n"))
            #expect(!answer.contains("Keep-Alive"))
            try await client.close()
        }
    }

    @Test func chunkedBodiesAndTrailersCrossBothWaysAtEverySplit() async throws {
        let request =
            "POST /echo HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "3;ext=1\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Sum: 13\r\nContent-Length: 5\r\n\r\n"
        try await TestServer.run { server in
            for split in stride(from: 1, to: request.utf8.count, by: 3) {
                let client = try await RawClient(server)
                try await client.send(String(request.prefix(split)))
                try await client.send(String(request.dropFirst(split)))
                let answer = await client.receive("X-Sum: 13\r\n\r\n")
                #expect(answer.contains("transfer-encoding: chunked"))
                #expect(!answer.contains("Content-Length"))
                try await client.close()
            }
        }
    }

    @Test func headAnd204And304HaveNoBody() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                "HEAD /head HTTP/1.1\r\nHost: a.test\r\n\r\n" + get("/204") + get("/304")
                    + get("/hello")
            )
            let received = await client.receive("hello 0")
            let dates = received.split(separator: "\r\n").filter { $0.hasPrefix("Date: ") }
            #expect(dates.count == 4 && dates.allSatisfy { $0.hasSuffix(" GMT") })
            let answer = received.replacing(/Date: [^\r]*\r\n/, with: "")
            #expect(
                answer.contains("Content-Length: 1234\r\n\r\nHTTP/1.1 204 \r\n\r\nHTTP/1.1 304")
            )
            #expect(answer.contains("Content-Length: 9\r\n\r\nHTTP/1.1 200"))
            try await client.close()
        }
    }

    @Test func http10GetsACloseDelimitedAnswer() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send("GET /chunks HTTP/1.0\r\nHost: a.test\r\n\r\n")
            let answer = await client.receiveToEnd()
            #expect(!answer.contains("chunked"))
            #expect(answer.hasSuffix("\r\n\r\nonetwo"))
            #expect(!client.wasReset)
            let kept = try await RawClient(server)
            try await kept.send(
                "GET /hello HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n"
            )
            await kept.receive("hello 0")
            try await kept.send("GET /hello HTTP/1.0\r\nHost: a.test\r\n\r\n")
            let both = await kept.receiveToEnd()
            #expect(both.contains("connection: keep-alive"))
            #expect(both.contains("connection: close"))
        }
    }

    @Test func interimHeadsCross() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                "POST /continue HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n"
                    + "Content-Length: 2\r\n\r\n"
            )
            await client.receive("HTTP/1.1 100 \r\n\r\n")
            try await client.send("ok")
            let answer = await client.receive("HTTP/1.1 200")
            #expect(answer.contains("HTTP/1.1 103 \r\nLink: </a>\r\n\r\n"))
            try await client.close()
        }
    }

    @Test func halfClosedVisitorGetsItsAnswer() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(get("/later"))
            try await client.halfClose()
            try await server.router.recorder.first { $0 == .routed("/later", attempt: 1) }
            for open in server.router.held.withLockedValue({ $0 }) { open() }
            let answer = await client.receiveToEnd()
            #expect(answer.hasSuffix("hello 0"))
        }
    }

    @Test func visitorWhoLeavesResetsTheStream() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                "POST /hang HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nx"
            )
            try await server.router.recorder.first { $0 == .body(path: "/hang", bytes: 1) }
            try await client.close()
            try await server.router.recorder.first { $0 == .reset(path: "/hang", .cancelled) }
            let waiting = try await RawClient(server)
            try await waiting.send(
                "POST /never HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nx"
            )
            try await server.router.recorder.first { $0 == .routed("/never", attempt: 1) }
            try await waiting.close()
            try await server.router.recorder.first { $0 == .cancelled }
        }
    }

    @Test func brokenOriginIsSeenAsABrokenBody() async throws {
        try await TestServer.run { server in
            for path in ["/broken", "/short"] {
                let client = try await RawClient(server)
                try await client.send(get(path))
                let answer = await client.receiveToEnd()
                #expect(answer.contains("half"))
                #expect(!answer.contains("\r\n0\r\n\r\n"))
            }
            let old = try await RawClient(server)
            try await old.send("GET /broken HTTP/1.0\r\nHost: a.test\r\n\r\n")
            _ = await old.receiveToEnd()
            #expect(old.wasReset)
        }
    }

    @Test func refusedAndLostStreamsAreTriedAgain() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                "POST /refused-once HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody"
                    + get("/lost-once") + get("/always-refused")
            )
            let answer = await client.receive("Culvert-Error: no-connector")
            #expect(answer.contains("hello 4"))
            #expect(answer.contains("hello 0"))
            #expect(answer.contains("HTTP/1.1 503 Service Unavailable"))
            let attempts = server.router.recorder.events.filter {
                if case .routed("/always-refused", _) = $0 { true } else { false }
            }
            #expect(attempts.count == 3)
            try await client.close()
        }
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                "POST /lost-once HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n"
            )
            await client.receive("Culvert-Error: connection-lost")
            try await client.close()
        }
    }

    @Test func halfClosedVisitorIsGoneWhenNothingHappens() async throws {
        try await TestServer.run {
            $0.timeouts.halfClosed = .milliseconds(200)
        } _: { server in
            let client = try await RawClient(server)
            try await client.send(get("/never"))
            try await server.router.recorder.first { $0 == .routed("/never", attempt: 1) }
            try await client.halfClose()
            try await server.router.recorder.first { $0 == .cancelled }
            #expect(await client.receiveToEnd() == "")
        }
    }

    @Test func whatWasReadIsNotKept() throws {
        let router = FakeRouter()
        let server = VisitorServer(
            configuration: VisitorConfiguration(),
            router: router,
            isAuthoritative: { _, _ in true }
        )
        let channel = EmbeddedChannel()
        let address = try #require(IPAddress("127.0.0.1"))
        let handler = HTTP1VisitorHandler(
            server: server,
            visitor: VisitorInfo(connection: VisitorConnection(peer: address, scheme: "http")),
            eventLoop: channel.eventLoop,
            redirectPort: nil,
            acceptedAt: .now(),
            isDraining: false
        )
        try channel.pipeline.syncOperations.addHandler(handler)
        let head = "POST /upload HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n40"
        try channel.writeInbound(ByteBuffer(string: head))
        let piece = "00\r\n" + String(repeating: "x", count: 0x4000) + "\r\n40"
        // Each read ends within a line.
        for _ in 0..<100 { try channel.writeInbound(ByteBuffer(string: piece)) }
        #expect(handler.inbox.readableBytes == 2)
        #expect(handler.inbox.capacity < 100_000, "of 1.6 MB")
        #expect(handler.exchange?.machine.requestBytes == 100 * 0x4000)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    @Test(arguments: [(503, "over-limit"), (429, "rate-limited")])
    func requestsInAllAndOfAnAddressHaveALimit(status: Int, code: String) async throws {
        try await TestServer.run {
            if status == 503 { $0.limits.requests = 1 } else { $0.limits.requestsPerAddress = 1 }
        } _: { server in
            let first = try await RawClient(server)
            try await first.send(
                "POST /never HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nx"
            )
            try await server.router.recorder.first { $0 == .routed("/never", attempt: 1) }
            let second = try await RawClient(server)
            try await second.send(get("/hello"))
            let refusal = await second.receive("Culvert-Error: \(code)")
            #expect(refusal.contains("HTTP/1.1 \(status)"))
            #expect(refusal.lowercased().contains("retry-after: 1"))
            try await first.close()
            try await server.router.recorder.first { $0 == .cancelled }
            try await second.send(get("/hello"))
            await second.receive("hello 0")
            try await second.close()
        }
    }

    @Test func failuresSayWhatHappened() async throws {
        let cases: [(String, String, String, String)] = [
            ("unknown.test", "/", "404", "hostname-unknown"),
            ("away.test", "/", "503", "no-connector"),
            ("limited.test", "/", "429", "rate-limited"),
            ("a.test", "/unreachable", "502", "origin-unreachable"),
            ("a.test", "/timeout", "504", "origin-timeout"),
            ("a.test", "/unasked", "502", "unasked-upgrade"),
            ("a.test", "/split", "502", "origin-malformed"),
        ]
        try await TestServer.run { server in
            let client = try await RawClient(server)
            for (host, path, status, code) in cases {
                try await client.send("GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                let answer = await client.receive("Culvert-Error: \(code)\r\n")
                #expect(answer.contains("HTTP/1.1 \(status) "))
            }
            let answer = await client.receive("Retry-After: 7")
            #expect(answer.contains("Cache-Control: no-store"))
            #expect(answer.contains("Retry-After: 9"))
            try await server.log.first { $0.errorCode == "origin-malformed" }
            try await client.close()
        }
    }

    @Test func unreadBodyIsNeverTheNextRequest() async throws {
        let hidden = "GET /hidden HTTP/1.1\r\nHost: a.test\r\n\r\n"
        let body = hidden + String(repeating: "x", count: 1000)
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                "POST / HTTP/1.1\r\nHost: unknown.test\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            )
            await client.receive("hostname-unknown")
            for piece in [body.prefix(20), body.dropFirst(20)] {
                try await client.send(String(piece))
            }
            try await client.send(get("/hello"))
            await client.receive("hello 0")
            #expect(server.router.requests.map(\.path) == ["/hello"])
            try await client.close()

            let big = try await RawClient(server)
            try await big.send(
                "POST / HTTP/1.1\r\nHost: unknown.test\r\nContent-Length: 900000\r\n\r\n"
                    + String(repeating: "x", count: 80000)
            )
            let answer = await big.receiveToEnd()
            #expect(answer.contains("hostname-unknown"))
            #expect(!server.router.requests.contains { $0.path == "/hidden" })

            let expecting = try await RawClient(server)
            try await expecting.send(
                "POST / HTTP/1.1\r\nHost: unknown.test\r\nContent-Length: 9\r\n"
                    + "Expect: 100-continue\r\n\r\n"
            )
            let refusal = await expecting.receiveToEnd()
            #expect(refusal.contains("connection: close"))
            #expect(!refusal.contains("100"))
        }
    }

    @Test func webSocketBytesCrossAndHalfCloseIsKept() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            let fields =
                "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            try await client.send(get("/ws-declined", fields))
            await client.receive("no")
            try await client.send(get("/ws", fields) + "early bytes")
            let answer = await client.receive("early bytes")
            #expect(answer.contains("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(answer.contains("connection: Upgrade\r\nupgrade: websocket\r\n"))
            let head = try await server.router.request("/ws")
            #expect(head.fields.first("Upgrade") == "websocket")
            try await client.send("more")
            await client.receive("more")
            try await client.halfClose()
            try await server.router.recorder.first { $0 == .ended(path: "/ws", trailers: nil) }
            _ = await client.receiveToEnd()
            try await server.log.first { $0.status == 101 && $0.requestBytes == 15 }
        }
    }

    @Test func earlyAnswerLetsTheUploadGoOn() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                "POST /early HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\nabc"
            )
            await client.receive("early")
            try await client.send("def" + get("/hello"))
            await client.receive("hello 0")
            #expect(server.router.recorder.events.contains(.ended(path: "/early", trailers: nil)))
            try await client.close()
        }
    }

    @Test func finalAnswerInsteadOfContinueEndsTheConnection() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(
                "POST /early HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n"
                    + "Expect: 100-continue\r\n\r\n"
            )
            let answer = await client.receiveToEnd()
            #expect(answer.contains("connection: close\r\n"))
            #expect(answer.hasSuffix("early"))
            try await server.router.recorder.first { $0 == .reset(path: "/early", .cancelled) }
        }
    }

    @Test func relayedBytesAllArriveThoughBothSidesHaveEnded() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            let fields =
                "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            try await client.send(get("/ws", fields))
            await client.receive("101")
            let text = String(repeating: "0123456789", count: 200_000)
            try await client.send(text)
            try await client.halfClose()
            let answer = await client.receiveToEnd()
            #expect(answer.utf8.count >= 2_000_000)
            #expect(answer.hasSuffix("0123456789"))
        }
    }

    @Test func stalledOriginStopsTheUpload() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            let size = 32 << 20
            try await client.send(
                "PUT /stall HTTP/1.1\r\nHost: a.test\r\nContent-Length: \(size)\r\n\r\n"
            )
            let upload = Task {
                try await client.send(ByteBuffer(repeating: 0x61, count: size))
            }
            let fake = try await server.router.streams.first { _ in true }
            for piece in 1...3 {
                try await server.router.recorder.first { $0 == .stalled(piece: piece) }
                fake.onLoop { $0.makeWritable() }
            }
            try await server.router.recorder.first { $0 == .stalled(piece: 4) }
            // Each time the stream filled up, at most what was read in one go went on to it.
            let bytes = server.router.recorder.events.reduce(0) {
                if case .body("/stall", let bytes) = $1 { $0 + bytes } else { $0 }
            }
            #expect(bytes <= 8 * 128 * 1024)
            upload.cancel()
            try await client.close()
        }
    }

    @Test func eventsAreVisibleAtOnce() async throws {
        try await TestServer.run { server in
            let client = try await RawClient(server)
            try await client.send(get("/events"))
            let stream = try await server.router.streams.first { _ in true }
            stream.onLoop { $0.deliver(.response(.init(status: 200))) }
            for number in 0..<5 {
                stream.onLoop { $0.deliver(.data(ByteBuffer(string: "data: \(number)\n\n"))) }
                await client.receive("data: \(number)\n\n")
            }
            try await client.close()
        }
    }

    @Test func silentVisitorIsClosedWithoutAWord() async throws {
        try await TestServer.run {
            $0.timeouts.header = .milliseconds(50)
        } _: { server in
            let silent = try await RawClient(server)
            #expect(await silent.receiveToEnd() == "")
        }
    }

    @Test func slowHeadGets408() async throws {
        try await TestServer.run {
            $0.timeouts.header = .seconds(2)
        } _: { server in
            let slow = try await RawClient(server)
            try await slow.send("GET / HT")
            #expect(await slow.receiveToEnd().hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test func slowBodyGets408AndAnIdleConnectionCloses() async throws {
        try await TestServer.run {
            $0.timeouts.keepAlive = .milliseconds(50)
            $0.timeouts.bodyIdle = .milliseconds(50)
        } _: { server in
            let idle = try await RawClient(server)
            try await idle.send(get("/hello"))
            #expect(await idle.receiveToEnd().hasSuffix("hello 0"))
            let body = try await RawClient(server)
            try await body.send("PUT /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nx")
            #expect(await body.receiveToEnd().contains("Culvert-Error: too-slow"))
            try await server.router.recorder.first { $0 == .reset(path: "/x", .cancelled) }
        }
    }

    @Test func plainConnectionsAreRedirected() async throws {
        try await TestServer.run(plain: .redirect(httpsPort: 8443)) { server in
            let client = try await RawClient(server)
            try await client.send(
                get("/a?b=c")
                    + "GET /\"<b>{%41|^` HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
            )
            let answer = await client.receiveToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 308 "))
            #expect(answer.contains("Location: https://a.test:8443/a?b=c\r\n"))
            #expect(
                answer.contains("Location: https://a.test:8443/%22%3Cb%3E%7B%41%7C%5E%60\r\n")
            )
            #expect(server.router.recorder.events.isEmpty)
        }
    }

    @Test func drainAnswersARequestThatComesWhenItHasBegun() async throws {
        try await TestServer.run { server in
            let kept = try await RawClient(server)
            try await kept.send(get("/hello"))
            await kept.receive("hello 0")
            let draining = Task { await server.server.drain(deadline: .now() + .seconds(30)) }
            while !server.server.isDraining { await Task.yield() }
            try await kept.send(get("/hello"))
            let answer = await kept.receiveToEnd()
            // It says `Connection: close`, unless it was faster than the word to the connection.
            #expect(answer.hasSuffix("hello 0"))
            try await kept.close()
            await draining.value
        }
    }

    @Test func drainEndsIdleConnectionsAndOthersAfterTheirAnswer() async throws {
        try await TestServer.run { server in
            let idle = try await RawClient(server)
            try await idle.send(get("/hello"))
            await idle.receive("hello 0")
            let busy = try await RawClient(server)
            try await busy.send(get("/later"))
            try await server.router.recorder.first { $0 == .routed("/later", attempt: 1) }
            let draining = Task { await server.server.drain(deadline: .now() + .seconds(30)) }
            _ = await idle.receiveToEnd()
            for open in server.router.held.withLockedValue({ $0 }) { open() }
            let answer = await busy.receiveToEnd()
            #expect(answer.contains("connection: close"))
            #expect(answer.hasSuffix("hello 0"))
            try await busy.close()
            try await idle.close()
            await draining.value
            #expect(server.server.connectionCount == 0)
        }
    }
}
