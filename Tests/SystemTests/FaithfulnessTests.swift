import Foundation
import Testing

extension SystemTests {
    /// "Through the tunnel unchanged": compared with what an echoing origin says it got.
    @Suite struct Faithfulness {
        /// An edge, a connector and the echoing origin.
        struct World {
            let deployment: Deployment
            let origin: Origin

            init(deployment: Deployment, origin: Origin) {
                self.deployment = deployment
                self.origin = origin
            }

            init(limits: [String] = []) throws {
                self.deployment = try Deployment(limits: limits)
                self.origin = try Origin(in: self.deployment.directory)
                try self.deployment.startConnector(to: self.origin)
            }

            func curl(_ path: String, _ arguments: [String] = []) throws -> Curl {
                try self.deployment.curl(path, arguments)
            }

            /// A file of random bytes, and its SHA-256.
            func randomFile(bytes: Int) throws -> (path: String, sha256: String) {
                var data = Data(count: bytes)
                data.withUnsafeMutableBytes { buffer in
                    var generator = SystemRandomNumberGenerator()
                    for index in stride(from: 0, to: buffer.count - 7, by: 8) {
                        buffer.storeBytes(
                            of: generator.next(),
                            toByteOffset: index,
                            as: UInt64.self
                        )
                    }
                }
                let path = try self.deployment.directory.write(data, to: "random")
                let sum = try Finished("sha256sum", [path], in: self.deployment.directory)
                return (path, String(sum.output.prefix(64)))
            }
        }

        static let versions = ["--http1.1", "--http2"]

        @Test("any method, with its target as it was written", arguments: versions)
        func methods(version: String) throws {
            let world = try World()
            let target = "/a//b/../c%2Fd/%7e;p=1?q=a+b&q=%20%c3%bc&empty=&[x]"
            for method in ["GET", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH", "X!#$%&'*+.^_`|~9"] {
                let echo = try Echo(world.curl(target, [version, "-X", method]))
                #expect(echo.method == method)
                #expect(echo.target == target)
                #expect(echo.version == "HTTP/1.1")
                #expect(echo.bodyBytes == 0)
            }
            let star = try Echo(
                world.curl("", [version, "-X", "OPTIONS", "--request-target", "*"])
            )
            #expect(star.method == "OPTIONS" && star.target == "*")
        }

        @Test("repeated fields and their order, odd values, big headers", arguments: versions)
        func requestFields(version: String) throws {
            let world = try World()
            let long = String(repeating: "c", count: 12_000)
            let echo = try Echo(
                world.curl(
                    "/fields-of-mine",
                    [
                        version, "-H", "X-One: 1", "-H", "X-Two: a", "-H", "x-one: 2, 3",
                        "-H", "X-Empty;", "-H", "X-Under_score: u", "-H", "X-Utf8: \u{fc}\u{1F600}",
                        "-H", "Cookie: a=b; c=d", "-H", "X-Long: \(long)",
                    ]
                )
            )
            #expect(echo.values("x-one") == ["1", "2, 3"])
            let mine = echo.fields.map { $0[0].lowercased() }.filter {
                ["x-one", "x-two", "x-empty", "x-under_score", "x-long"].contains($0)
            }
            #expect(mine == ["x-one", "x-two", "x-one", "x-empty", "x-under_score", "x-long"])
            #expect(echo.values("x-empty") == [""])
            #expect(echo.values("x-long") == [long])
            #expect(echo.values("cookie") == ["a=b; c=d"])
            let latin1 = echo.values("x-utf8").first?.data(using: .isoLatin1) ?? Data()
            #expect(String(decoding: latin1, as: UTF8.self) == "\u{fc}\u{1F600}")
        }

        @Test("a head of 30,000 bytes, which the limits allow", arguments: versions)
        func bigHead(version: String) throws {
            let world = try World()
            let long = String(repeating: "c", count: 30_000)
            let answer = try world.curl("/big", [version, "-H", "X-Long: \(long)"])
            #expect(answer.exit == 0 && answer.status == 200, "\(answer.said)")
            if answer.exit == 0 { #expect(try Echo(answer).values("x-long") == [long]) }
        }

        @Test("answer fields: repeated ones in order; hop-by-hop dropped", arguments: versions)
        func answerFields(version: String) throws {
            let world = try World()
            let answer = try world.curl("/fields", [version])
            #expect(answer.exit == 0 && answer.text == "fields", "\(answer.said)")
            #expect(answer.values("set-cookie") == ["a=1", "b=2"])
            #expect(answer.values("x-repeated") == ["one", "two"])
            #expect(answer.first("x-long")?.utf8.count == 20_000)
            #expect(answer.first("x-under_score") == "kept")
            #expect(answer.first("x-hop") == nil)
            #expect(answer.first("keep-alive") == nil)
            #expect(answer.first("connection") == nil)
        }

        @Test("heads and trailers longer than a frame of HTTP/2", arguments: versions)
        func longHeads(version: String) throws {
            let world = try World()
            for size in [10_000, 17_000, 40_000] {
                // curl takes trailers of 4 KiB over HTTP/1.1.
                let after = version == "--http2" ? size : 3_000
                let answer = try world.curl("/long-head/\(size)/\(after)", [version])
                #expect(answer.exit == 0 && answer.text == "long", "\(size): \(answer.said)")
                #expect(answer.first("x-long")?.utf8.count == size)
                #expect(answer.first("x-after")?.utf8.count == after)
            }
        }

        @Test("trailers of a request without a body")
        func trailersAlone() throws {
            let world = try World()
            let said = try TLSVisitor(world.deployment).exchange(
                "POST /t HTTP/1.1\r\nHost: app.example.test\r\nTransfer-Encoding: chunked\r\n"
                    + "Connection: close\r\n\r\n0\r\nX-T: 1\r\n\r\n"
            )
            #expect(said.text.contains(#""trailers": [["X-T", "1"]]"#), "\(said)")
        }

        @Test("octets beyond ASCII, whatever they mean, both ways")
        func octets() throws {
            let world = try World()
            let directory = world.deployment.directory
            let latin = Data("X-Latin: caf".utf8) + [0xE9]
            let utf8 = Data("X-UTF-8: café €".utf8)
            let fields = try directory.write(latin + [0x0A] + utf8 + [0x0A], to: "fields")
            let echo = try Echo(world.curl("/", ["--http1.1", "-H", "@\(fields)"]))
            // The origin reads everything as ISO 8859-1.
            #expect(echo.values("x-latin") == ["café"])
            #expect(echo.values("x-utf-8") == ["cafÃ© â\u{82}¬"])
            let head = directory.file("octets")
            _ = try world.curl("/fields", ["--http1.1", "-D", head])
            let raw = try Data(contentsOf: URL(fileURLWithPath: head))
            #expect(raw.range(of: latin + [0x0D]) != nil)
            #expect(raw.range(of: utf8 + [0x0D]) != nil)
            // NIO's HTTP/2 has texts only: what is no UTF-8 is written as if it were ISO 8859-1.
            _ = try world.curl("/fields", ["--http2", "-D", head])
            let second = try Data(contentsOf: URL(fileURLWithPath: head))
            #expect(second.range(of: Data("x-latin: café".utf8)) != nil)
            #expect(second.range(of: Data("x-utf-8: café €".utf8)) != nil)
        }

        @Test("20 MiB up and down, chunked and with a length, byte for byte", arguments: versions)
        func bigBodies(version: String) throws {
            let world = try World()
            let file = try world.randomFile(bytes: 20 << 20)
            for form in [[], ["-H", "Transfer-Encoding: chunked"]] {
                let up = try Echo(world.curl("/up", [version, "-T", file.path] + form))
                #expect(up.method == "PUT" && up.bodyBytes == 20 << 20)
                #expect(up.bodySHA256 == file.sha256)
                // HTTP/2 has no chunks; curl leaves the length out there, too.
                #expect(up.values("content-length") == (form.isEmpty ? ["\(20 << 20)"] : []))
            }
            for path in ["bytes", "chunked"] {
                let down = try world.curl("/\(path)/\(20 << 20)?seed=7", [version])
                let direct = try world.origin.ask("/\(path)/\(20 << 20)?seed=7")
                #expect(down.exit == 0 && down.status == 200, "\(down.said)")
                #expect(down.body == direct.body && down.body.count == 20 << 20)
                let length = path == "bytes" ? "\(20 << 20)" : nil
                #expect(down.first("content-length") == length)
            }
        }

        @Test("a file of nginx: whole, in ranges, conditional", arguments: versions)
        func nginx(version: String) throws {
            let deployment = try Deployment()
            let directory = deployment.directory
            try FileManager.default.createDirectory(
                atPath: directory.file("site"),
                withIntermediateDirectories: true
            )
            let content = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
            try directory.write(content, to: "site/file.bin")
            try directory.write("index", to: "site/index.html")
            let nginx = try Nginx(
                server: """
                    root \(directory.file("site"));
                    location /upload { dav_methods PUT; client_max_body_size 0; }
                    location /compressed { gzip on; gzip_types *; alias \(directory.file("site"))/; }
                    """,
                in: directory
            )
            try deployment.startConnector(
                ingress: ["{hostname: app.example.test, service: 'http://127.0.0.1:\(nginx.port)'}"]
            )
            let whole = try deployment.curl("/file.bin", [version])
            #expect(whole.exit == 0 && whole.body == content)
            let range = try deployment.curl("/file.bin", [version, "-r", "1000-1999"])
            #expect(range.status == 206 && range.body == content[1000..<2000])
            let tag = try #require(whole.first("etag"))
            let same = try deployment.curl("/file.bin", [version, "-H", "If-None-Match: \(tag)"])
            #expect(same.exit == 0 && same.status == 304 && same.body.isEmpty)
            let head = try deployment.curl("/file.bin", [version, "-I"])
            #expect(head.exit == 0 && head.first("content-length") == "3000000")
            let missing = try deployment.curl("/missing", [version])
            #expect(missing.status == 404 && missing.first("culvert-error") == nil)
            let packed = try deployment.curl("/compressed/file.bin", [version, "--compressed"])
            #expect(packed.first("content-encoding") == "gzip" && packed.body == content)
        }

        @Test("HEAD, 204 and 304 have no body; the connection goes on", arguments: versions)
        func noBody(version: String) throws {
            let world = try World()
            let head = try world.curl("/bytes/12345", [version, "-I"])
            #expect(head.exit == 0 && head.status == 200 && head.first("content-length") == "12345")
            for status in [204, 304] {
                let answer = try world.curl("/status/\(status)", [version])
                #expect(answer.exit == 0 && answer.status == status, "\(answer.said)")
                #expect(answer.first("content-length") == nil)
                #expect(answer.first("etag") == "\"x\"")
            }
            for status in [200, 201, 299, 400, 418, 500, 503, 599, 799] {
                let answer = try world.curl("/status/\(status)", [version])
                #expect(answer.exit == 0 && answer.status == status)
                #expect(answer.text == "status \(status)")
            }
            // One connection for all of these.
            let urls = ["204", "304", "200", "204"].map {
                "https://\(Deployment.host):\(world.deployment.port)/status/\($0)"
            }
            let many = try world.curl("/status/201", [version, "-I"] + urls)
            #expect(many.exit == 0)
            #expect(many.said.components(separatedBy: "Connected to").count == 2, "\(many.said)")
        }

        @Test("trailers of an answer", arguments: versions)
        func answerTrailers(version: String) throws {
            let world = try World()
            let answer = try world.curl("/chunked/100000?seed=3", [version, "-H", "TE: trailers"])
            #expect(answer.exit == 0)
            let sum = try Finished(
                "sha256sum",
                [try world.deployment.directory.write(answer.body, to: "got")],
                in: world.deployment.directory
            )
            #expect(answer.first("x-checksum") == String(sum.output.prefix(64)), "\(answer.said)")
            #expect(answer.first("x-second") == "two")
        }

        @Test("trailers of a request over HTTP/1.1; forbidden ones do not pass")
        func requestTrailers() throws {
            let world = try World()
            let answer = try TLSVisitor(world.deployment).exchange(
                "POST /t HTTP/1.1\r\nHost: app.example.test\r\nTransfer-Encoding: chunked\r\n"
                    + "Connection: close\r\n\r\n5;ext=1\r\nhello\r\n0\r\nX-Sum: 1\r\n"
                    + "Content-Length: 3\r\nX-More: 2\r\n\r\n"
            )
            let start = try #require(answer.text.range(of: "\r\n\r\n"))
            let data = Data(answer.text[start.upperBound...].utf8)
            let echo = try JSONDecoder().decode(Echo.self, from: data)
            #expect(echo.bodyBytes == 5)
            #expect(echo.trailers == [["X-Sum", "1"], ["X-More", "2"]])
        }

        @Test("trailers of a request over HTTP/2")
        func requestTrailersHTTP2() throws {
            let world = try World()
            let file = try world.deployment.directory.write("hello", to: "data")
            let sent = try Finished(
                "nghttp",
                [
                    "--data=\(file)", "--no-content-length", "--trailer", "x-sum: 1",
                    "--no-verify-peer",
                    "-H", ":authority: \(Deployment.host)",
                    "https://127.0.0.1:\(world.deployment.port)/t",
                ],
                in: world.deployment.directory
            )
            let data = Data(sent.output.utf8)
            let echo = try? JSONDecoder().decode(Echo.self, from: data)
            #expect(echo?.trailers == [["x-sum", "1"]], "\(sent.output) \(sent.errors)")
            #expect(echo?.bodyBytes == 5)
        }

        @Test("Expect: 100-continue is the origin's to answer", arguments: versions)
        func expectContinue(version: String) throws {
            let world = try World()
            let file = try world.randomFile(bytes: 100_000)
            let expect = [version, "-H", "Expect: 100-continue", "--expect100-timeout", "20"]
            let start = ContinuousClock.now
            let answer = try world.curl("/up", expect + ["-T", file.path])
            #expect(try Echo(answer).bodySHA256 == file.sha256)
            #expect(answer.statuses == [100, 200], "\(answer.said)")
            #expect(seconds(since: start) < 15, "curl did not have to wait")
            let refused = try world.curl("/refuse", expect + ["-T", file.path])
            #expect(refused.status == 417, "\(refused.said)")
            #expect(!refused.statuses.contains(100))
        }

        @Test("103 Early Hints pass", arguments: versions)
        func earlyHints(version: String) throws {
            let world = try World()
            let answer = try world.curl("/hints", [version])
            #expect(answer.exit == 0 && answer.text == "hinted")
            #expect(answer.statuses == [103, 200], "\(answer.said)")
        }

        @Test("an answer that begins while the upload still runs is seen then", arguments: versions)
        func earlyAnswer(version: String) throws {
            let world = try World()
            let file = try world.randomFile(bytes: 4 << 20)
            let running = try world.deployment.beginCurl(
                "/early",
                [version, "-T", file.path, "--limit-rate", "2M"]
            )
            try waitFor("the early answer", explain: { world.deployment.logs(running.process) }) {
                running.body.starts(with: Data("early\n".utf8)) ? true : nil
            }
            #expect(try world.origin.openRequests() == ["/early"], "the upload is over already")
            let answer = try running.finish()
            #expect(answer.exit == 0)
            #expect(answer.text == "early\n\(file.sha256)\n", "\(answer.said)")
        }

        @Test("X-Forwarded-… are the edge's, whatever a visitor claims", arguments: versions)
        func forwarded(version: String) throws {
            let world = try World()
            let echo = try Echo(
                world.curl(
                    "/x",
                    [
                        version, "-H", "X-Forwarded-For: 6.6.6.6", "-H",
                        "X-Forwarded-Proto: gopher",
                        "-H", "X-Forwarded-Host: evil.test", "-H", "Forwarded: for=6.6.6.6",
                        "-H", "X-Real-IP: 6.6.6.6", "-H", "X_Forwarded_For: 6.6.6.6",
                        "-H", "X-Forwarded_For: 6.6.6.6", "-H", "Culvert-Error: none",
                        "-H", "Transfer_Encoding: chunked", "-H", "Proxy: http://evil.test",
                        "-H", "X-Request-Id: kept-1",
                    ]
                )
            )
            #expect(echo.values("x-forwarded-for") == ["127.0.0.1"])
            #expect(echo.values("x-forwarded-proto") == ["https"])
            let authority = "\(Deployment.host):\(world.deployment.port)"
            #expect(echo.values("x-forwarded-host") == [authority])
            #expect(echo.values("host") == [authority])
            #expect(echo.values("x-request-id") == ["kept-1"])
            #expect(!echo.fields.contains { $0[1].contains("6.6.6.6") || $0[1].contains("evil") })
            let odd = echo.fields.map { $0[0].lowercased() }.filter { $0.contains("_") }
            #expect(odd.isEmpty)
            let made = try Echo(world.curl("/x", [version])).values("x-request-id")
            #expect(made.count == 1 && made.first?.utf8.count == 32)
        }

        @Test("hop-by-hop fields and what Connection names are dropped")
        func hopByHop() throws {
            let world = try World()
            let echo = try Echo(
                world.curl(
                    "/x",
                    [
                        "--http1.1", "-H", "Connection: keep-alive, X-Secret-Hop", "-H",
                        "X-Secret-Hop: 1",
                        "-H", "Keep-Alive: 300", "-H", "TE: trailers, gzip", "-H",
                        "Proxy-Connection: keep-alive", "-H", "Proxy-Authorization: Basic x",
                        "-H", "Upgrade: h2c", "-H", "HTTP2-Settings: AAMAAABkAAQAAP__",
                    ]
                )
            )
            for name in [
                "x-secret-hop", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade",
                "http2-settings",
            ] {
                #expect(echo.values(name).isEmpty, "\(name)")
            }
        }

        @Test(
            "a host is the same host in capitals, with a dot, a port; absolute-form wins over Host"
        )
        func hosts() throws {
            let world = try World()
            let visitor = TLSVisitor(world.deployment)
            for host in ["APP.Example.Test", "app.example.test.", "app.example.test:1234"] {
                let answer = try visitor.exchange(
                    "GET /h HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
                )
                #expect(answer.status == 200, "\(host): \(answer.text)")
            }
            let absolute = try visitor.exchange(
                "GET https://app.example.test/abs?x HTTP/1.1\r\nHost: ws.example.test\r\n"
                    + "Connection: close\r\n\r\n"
            )
            #expect(absolute.status == 200 && absolute.text.contains("\"/abs?x\""))
            #expect(absolute.text.contains("app.example.test"))
            let below = try world.deployment.curl("/x", host: "deep.sub.example.test")
            #expect(below.status == 200)
            let other = try world.deployment.curl(
                "/x",
                ["--http1.1", "-H", "Host: other.test"]
            )
            #expect(other.status == 421 && other.first("culvert-error") == "misdirected")
        }

        @Test("keep-alive: a hundred requests over one connection; pipelined ones in order")
        func pipelining() throws {
            let world = try World()
            let requests = (0..<50).map { "GET /p\($0) HTTP/1.1\r\nHost: app.example.test\r\n\r\n" }
            let last = "GET /last HTTP/1.1\r\nHost: app.example.test\r\nConnection: close\r\n\r\n"
            let answer = try TLSVisitor(world.deployment).exchange(requests.joined() + last)
            #expect(answer.closed)
            let targets = answer.text.matches(of: /"target": "\/(p\d+|last)"/).map { String($0.1) }
            #expect(targets == (0..<50).map { "p\($0)" } + ["last"])
        }

        @Test("a visitor who leaves cancels the origin's request", arguments: versions)
        func cancellation(version: String) throws {
            let world = try World()
            let token = "left" + version.suffix(1)
            let running = try world.deployment.beginCurl("/cancelled/\(token)", [version])
            try waitFor("the answer's begin") { running.body.isEmpty ? nil : true }
            running.process.killNow()
            #expect(try world.origin.wasLeft(token))
        }

        @Test(
            "one that gives up before the answer's begin, closing TLS properly",
            arguments: versions
        )
        func patience(version: String) throws {
            let world = try World()
            let token = "impatient" + version.suffix(1)
            let answer = try world.curl("/silent/\(token)", [version, "--max-time", "0.5"])
            #expect(answer.exit == 28)
            #expect(try world.origin.wasLeft(token))
        }
    }
}
