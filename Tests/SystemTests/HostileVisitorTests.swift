import Foundation
import Testing

extension SystemTests {
    /// "Ambiguous framing is refused with 400 and the connection closed; nothing of it reaches an origin."
    @Suite struct HostileVisitors {
        /// A second request, which must never be seen.
        static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: app.example.test\r\n\r\n"

        static func post(_ fields: String, body: String = "") -> String {
            "POST /front HTTP/1.1\r\nHost: app.example.test\r\n\(fields)\r\n\(body)"
        }

        static let chunked = "Transfer-Encoding: chunked\r\n"

        /// Each is answered with 400 (501 for an unknown coding), closed, and nothing reaches the origin.
        static let refused: [(name: String, bytes: String)] = [
            (
                "length and chunked",
                post("Content-Length: 4\r\n" + chunked, body: "0\r\n\r\n" + smuggled)
            ),
            (
                "chunked and length",
                post(chunked + "Content-Length: 5\r\n", body: "0\r\n\r\n" + smuggled)
            ),
            (
                "differing lengths",
                post("Content-Length: 0\r\nContent-Length: 5\r\n", body: smuggled)
            ),
            ("lengths in a list", post("Content-Length: 0, 5\r\n", body: smuggled)),
            ("signed length", post("Content-Length: +5\r\n", body: "hello" + smuggled)),
            ("negative length", post("Content-Length: -1\r\n", body: smuggled)),
            ("hexadecimal length", post("Content-Length: 0x5\r\n", body: "hello" + smuggled)),
            ("length with space", post("Content-Length: 0 5\r\n", body: smuggled)),
            ("empty length", post("Content-Length: \r\n", body: smuggled)),
            ("huge length", post("Content-Length: 99999999999999999999999\r\n", body: smuggled)),
            (
                "chunked twice",
                post("Transfer-Encoding: chunked, chunked\r\n", body: "0\r\n\r\n" + smuggled)
            ),
            (
                "chunked, then identity",
                post("Transfer-Encoding: chunked, identity\r\n", body: "0\r\n\r\n" + smuggled)
            ),
            (
                "unknown coding",
                post("Transfer-Encoding: xchunked\r\n", body: "0\r\n\r\n" + smuggled)
            ),
            (
                "coding in quotes",
                post("Transfer-Encoding: \"chunked\"\r\n", body: "0\r\n\r\n" + smuggled)
            ),
            (
                "coding after a vertical tab",
                post("Transfer-Encoding:\u{0B}chunked\r\n", body: "0\r\n\r\n" + smuggled)
            ),
            (
                "space before colon",
                post("Transfer-Encoding : chunked\r\n", body: "0\r\n\r\n" + smuggled)
            ),
            (
                "folded field",
                post("X-A: b\r\n Transfer-Encoding: chunked\r\n", body: "0\r\n\r\n" + smuggled)
            ),
            ("folded first field", "GET / HTTP/1.1\r\n Host: app.example.test\r\n\r\n"),
            ("bare LF", "GET /front HTTP/1.1\nHost: app.example.test\n\n" + smuggled),
            ("bare CR in a value", post("X-A: b\rTransfer-Encoding: chunked\r\n", body: smuggled)),
            ("NUL in a value", post("X-A: b\u{0}c\r\n")),
            ("NUL in the target", "GET /a\u{0}b HTTP/1.1\r\nHost: app.example.test\r\n\r\n"),
            ("a field without a colon", post("Nonsense\r\n")),
            ("an empty field name", post(": value\r\n")),
            ("a bad field name", post("X A: b\r\n")),
            (
                "two Host",
                "GET / HTTP/1.1\r\nHost: app.example.test\r\nHost: ws.example.test\r\n\r\n"
            ),
            ("no Host", "GET / HTTP/1.1\r\nX-A: b\r\n\r\n"),
            ("a bad Host", "GET / HTTP/1.1\r\nHost: app.example.test/x\r\n\r\n"),
            ("a user in Host", "GET / HTTP/1.1\r\nHost: a@app.example.test\r\n\r\n"),
            ("a space in the target", "GET /a b HTTP/1.1\r\nHost: app.example.test\r\n\r\n"),
            ("a tab for a space", "GET\t/ HTTP/1.1\r\nHost: app.example.test\r\n\r\n"),
            ("two spaces", "GET  / HTTP/1.1\r\nHost: app.example.test\r\n\r\n"),
            ("no version", "GET /\r\nHost: app.example.test\r\n\r\n"),
            ("a lower-case version", "GET / http/1.1\r\nHost: app.example.test\r\n\r\n"),
            (
                "chunked in HTTP/1.0",
                "POST / HTTP/1.0\r\nHost: app.example.test\r\n" + chunked + "\r\n0\r\n\r\n"
                    + smuggled
            ),
        ]

        @Test("refused with 400 and closed, and nothing of it at the origin")
        func ambiguousHeads() throws {
            let world = try Faithfulness.World()
            let visitor = TLSVisitor(world.deployment)
            for (name, bytes) in Self.refused {
                let answer = try visitor.exchange(bytes)
                #expect(answer.statuses.count == 1, "\(name): \(answer.text)")
                #expect([400, 501].contains(answer.status), "\(name): \(answer.text)")
                #expect(answer.closed, "\(name) leaves the connection open")
                #expect(answer.text.contains("ulvert-"), "\(name): \(answer.text)")
            }
            #expect(try world.origin.log() == [])
        }

        /// Bodies whose framing breaks after the head was good; `/front` may reach the origin, but
        /// never whole, and nothing after it.
        static let badBodies: [(name: String, body: String)] = [
            ("size that is no number", "zz\r\nhello\r\n0\r\n\r\n"),
            ("signed size", "+5\r\nhello\r\n0\r\n\r\n"),
            ("hexadecimal prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
            ("space before the size", " 5\r\nhello\r\n0\r\n\r\n"),
            ("size that wraps", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
            ("bare LF after the size", "5\nhello\r\n0\r\n\r\n"),
            ("bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n"),
            ("bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
            ("nothing after the data", "5\r\nhello0\r\n\r\n"),
            ("longer than the size", "5\r\nhello!\r\n0\r\n\r\n"),
            ("empty size", "\r\nhello\r\n0\r\n\r\n"),
            (
                "endless extension",
                "5;" + String(repeating: "a", count: 100_000) + "\r\nhello\r\n0\r\n\r\n"
            ),
            ("bare LF at the end", "5\r\nhello\r\n0\n\n"),
            ("trailer without a colon", "5\r\nhello\r\n0\r\nnonsense\r\n\r\n"),
        ]

        @Test("bad chunks: 400, closed, and the request never ends well at the origin")
        func badChunks() throws {
            let world = try Faithfulness.World()
            let visitor = TLSVisitor(world.deployment)
            for (name, body) in Self.badBodies {
                let answer = try visitor.exchange(
                    Self.post(Self.chunked, body: body + Self.smuggled)
                )
                #expect(answer.status == 400, "\(name): \(answer.text)")
                #expect(answer.statuses.count == 1, "\(name): \(answer.text)")
                #expect(answer.closed, "\(name) leaves the connection open")
            }
            #expect(try !world.origin.log().contains { $0.target == "/smuggled" })
            try waitFor("the broken requests' end") {
                try world.origin.openRequests().isEmpty ? true : nil
            }
        }

        @Test("an answer the edge makes itself does not leave the body to be read as a request")
        func unreadBody() throws {
            let world = try Faithfulness.World()
            let visitor = TLSVisitor(world.deployment)
            let length = Self.smuggled.utf8.count
            for framing in [
                ("Content-Length: \(length)\r\n", Self.smuggled),
                (Self.chunked, "\(String(length, radix: 16))\r\n\(Self.smuggled)\r\n0\r\n\r\n"),
            ] {
                let request =
                    "POST /front HTTP/1.1\r\nHost: nobody.example.test\r\n\(framing.0)\r\n\(framing.1)"
                let after = "GET /after HTTP/1.1\r\nHost: nobody.example.test\r\n"
                let answer = try visitor.exchange(request + after + "Connection: close\r\n\r\n")
                #expect(answer.closed)
                #expect(
                    answer.statuses == [404, 404] || answer.statuses == [404],
                    "\(answer.text)"
                )
            }
            #expect(try world.origin.log() == [])
        }

        @Test("too large, too many, too long, too slow: 431, 431, 414, 408, 413")
        func limits() throws {
            let world = try Faithfulness.World(
                limits: ["header-timeout: 1s", "body-idle-timeout: 1s", "body-size: 1MiB"]
            )
            let visitor = TLSVisitor(world.deployment)
            let host = "Host: app.example.test\r\n"
            let large = "X-A: " + String(repeating: "a", count: 33_000) + "\r\n"
            let many = String(repeating: "X-A: b\r\n", count: 101)
            let long = "/" + String(repeating: "a", count: 17_000)
            let cases: [(status: Int, bytes: String)] = [
                (431, "GET / HTTP/1.1\r\n\(host)\(large)\r\n"),
                (431, "GET / HTTP/1.1\r\n\(host)\(many)\r\n"),
                (414, "GET \(long) HTTP/1.1\r\n\(host)\r\n"),
                (408, "GET / HTTP/1.1\r\n\(host)X-Slow: "),
                (413, "POST / HTTP/1.1\r\n\(host)Content-Length: 2000000\r\n\r\n"),
            ]
            for (status, bytes) in cases {
                let answer = try visitor.exchange(bytes, silence: 10)
                #expect(answer.status == status, "\(status): \(answer.text)")
                #expect(answer.closed)
            }
            #expect(try world.origin.log() == [])
            // A body that stops: the answer says so, and the origin's request does not end well.
            let stopped = try visitor.exchange(
                "POST /stops HTTP/1.1\r\n\(host)Content-Length: 100\r\n\r\nhello",
                silence: 10
            )
            #expect(stopped.status == 408 && stopped.closed, "\(stopped.text)")
            let file = try world.deployment.directory.write(Data(count: 2 << 20), to: "large")
            for version in ["--http1.1", "--http2"] {
                for form in [[], ["-H", "Transfer-Encoding: chunked"]] {
                    let answer = try world.curl("/up", [version, "-T", file] + form)
                    #expect(answer.status == 413, "\(version) \(form): \(answer.said)")
                }
            }
        }

        @Test("CONNECT, h2c, an unknown expectation: decided")
        func oddities() throws {
            let world = try Faithfulness.World()
            let visitor = TLSVisitor(world.deployment)
            let connect = try visitor.exchange(
                "CONNECT app.example.test:443 HTTP/1.1\r\nHost: app.example.test:443\r\n\r\n"
            )
            #expect(connect.status == 405 && connect.closed)
            let plain = try world.curl(
                "/h2c",
                ["--http1.1", "-H", "Upgrade: h2c", "-H", "Connection: Upgrade"]
            )
            #expect(plain.status == 200)
            #expect(try Echo(plain).values("upgrade").isEmpty)
            let old = try visitor.exchange("GET /old HTTP/1.0\r\nHost: app.example.test\r\n\r\n")
            #expect(old.status == 200 && old.closed)
            let preface = try visitor.exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            #expect(preface.closed && preface.status != 200)
        }

        @Test("a hundred silent visitors delay nobody")
        func silentVisitors() throws {
            let world = try Faithfulness.World()
            let port = world.deployment.port
            let silent = (0..<100).compactMap { _ in connectedSocket(port: port) }
            ProcessScope.current?.atEnd { silent.forEach { close($0) } }
            #expect(silent.count == 100)
            // Half of them begin a TLS record and stop.
            for descriptor in silent.prefix(50) { _ = write(descriptor, "\u{16}\u{03}\u{01}", 3) }
            let start = ContinuousClock.now
            #expect(try Echo(world.curl("/x")).target == "/x")
            #expect(seconds(since: start) < 5)
        }
    }
}
