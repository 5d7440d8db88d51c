import Foundation
import HTTPSemantics
import Testing

@testable import CulvertEdge

/// Real clients over TLS, both versions.
@Suite(.timeLimit(.minutes(1)))
struct VisitorClientTests {
    private func curl(_ server: TestServer, _ arguments: String...) async throws -> Tool.Result {
        let common = ["-sS", "-k", "-m", "20", "--connect-to", "::127.0.0.1:\(server.port)"]
        return try await Tool.run("curl", common + arguments)
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func curlGetsWhatTheOriginSent(_ version: String) async throws {
        try await TestServer.run(tls: true) { server in
            let hello = try await self.curl(server, version, "-i", "https://a.test/hello")
            #expect(hello.status == 0, "\(hello.output)")
            #expect(hello.output.hasSuffix("hello 0"))
            let isHTTP2 = version == "--http2"
            #expect(hello.output.hasPrefix(isHTTP2 ? "HTTP/2 200" : "HTTP/1.1 200 OK"))

            let echo = try await self.curl(
                server,
                version,
                "-d",
                String(repeating: "abc", count: 40000),
                "https://a.test/echo"
            )
            #expect(echo.output.utf8.count == 120_000)

            let head = try await self.curl(server, version, "-I", "https://a.test/head")
            #expect(head.output.lowercased().contains("content-length: 1234"))

            let trailers = try await self.curl(server, version, "-i", "https://a.test/chunks")
            #expect(trailers.output.contains("onetwo"))
            #expect(trailers.output.lowercased().contains("x-sum: 6"))

            let big = try await self.curl(server, version, "https://a.test/big")
            #expect(big.output.utf8.count == 1 << 20)

            let record = try await server.log.first { $0.path == "/hello" }
            #expect(record.protocol == (isHTTP2 ? .http2 : .http11))
            #expect(record.scheme == "https")
        }
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func aStickyHostnamesCookieStaysBetweenVisitorAndEdge(_ version: String) async throws {
        try await TestServer.run(tls: true) { server in
            let answer = try await self.curl(
                server,
                version,
                "-i",
                "-b",
                "a=1; culvert-sticky=old; b=2",
                "https://sticky.test/continue"
            )
            let lines = answer.output.lowercased().split(whereSeparator: \.isNewline)
            let cookies = lines.filter { $0.hasPrefix("set-cookie") }
            #expect(
                cookies == [
                    "set-cookie: culvert-sticky=token; path=/; httponly; samesite=lax; secure"
                ]
            )
            #expect(lines.contains("cache-control: private"))
            // Not with an informational head.
            let final = try #require(lines.lastIndex { $0.hasPrefix("http/") })
            #expect(try #require(lines.firstIndex { $0.hasPrefix("set-cookie") }) > final)
            let head = try await server.router.request("/continue")
            #expect(head.fields.values("cookie") == ["a=1; b=2"])

            // What the edge answers itself is as ever, and so is another hostname.
            let failure = try await self.curl(
                server,
                version,
                "-i",
                "https://sticky.test/unreachable"
            )
            #expect(!failure.output.lowercased().contains("set-cookie"))
            let other = try await self.curl(
                server,
                version,
                "-i",
                "-b",
                "culvert-sticky=old",
                "https://a.test/hello"
            )
            #expect(!other.output.lowercased().contains("set-cookie"))
            let untouched = try await server.router.request("/hello")
            #expect(untouched.fields.values("cookie") == ["culvert-sticky=old"])
        }
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func curlSeesABrokenBody(_ version: String) async throws {
        try await TestServer.run(tls: true) { server in
            for path in ["/broken", "/short"] {
                let result = try await self.curl(server, version, "https://a.test\(path)")
                #expect(result.status != 0, "\(path): \(result.output)")
            }
            let old = try await self.curl(server, "--http1.0", "https://a.test/broken")
            #expect(old.status != 0, "\(old.output)")
        }
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func errorPagesSuitTheirReader(_ version: String) async throws {
        try await TestServer.run(tls: true) { server in
            let html = try await self.curl(
                server,
                version,
                "-i",
                "-H",
                "Accept: text/html",
                "https://unknown.test/"
            )
            #expect(html.output.contains("<!doctype html>"))
            #expect(html.output.lowercased().contains("culvert-error: hostname-unknown"))
            let json = try await self.curl(
                server,
                version,
                "-H",
                "Accept: application/json",
                "https://away.test/"
            )
            #expect(json.output.contains("\"error\":\"no-connector\",\"status\":503"))
            #expect(json.output.contains("\"retryAfterSeconds\":7"))
            let text = try await self.curl(server, version, "https://away.test/")
            #expect(text.output.contains("Culvert-Error: no-connector"))
        }
    }

    @Test(arguments: ["--http1.1", "--http2"])
    func misdirectedRequestsGet421(_ version: String) async throws {
        try await TestServer.run(tls: true, serverName: "a.test") { server in
            let result = try await self.curl(server, version, "-i", "https://other.test/hello")
            #expect(result.output.contains(" 421"))
            #expect(result.output.lowercased().contains("culvert-error: misdirected"))
            let fine = try await self.curl(server, version, "https://b.test/hello")
            #expect(fine.output == "hello 0")
        }
    }

    @Test func cleartextUpgradeToHTTP2IsIgnored() async throws {
        try await TestServer.run { server in
            let result = try await self.curl(
                server,
                "--http2",
                "-i",
                "http://a.test/hello",
                "http://a.test/hello"
            )
            #expect(result.output.hasPrefix("HTTP/1.1 200 OK"))
            #expect(result.output.contains("hello 0HTTP/1.1 200 OK"))
            #expect(server.router.requests.allSatisfy { !$0.fields.contains("Upgrade") })
            #expect(server.router.requests.allSatisfy { !$0.fields.contains("HTTP2-Settings") })
        }
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/nghttp")))
    func nghttpUploadsAndGetsTrailers() async throws {
        try await TestServer.run(tls: true) { server in
            let file = FileManager.default.temporaryDirectory
                .appendingPathComponent("culvert-\(UUID().uuidString)")
            try Data(repeating: 0x61, count: 300_000).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            let result = try await Tool.run(
                "nghttp",
                [
                    "-v", "--no-verify-peer", "-d", file.path, "--trailer=x-sum: 9",
                    "https://127.0.0.1:\(server.port)/echo",
                ]
            )
            #expect(result.output.contains("x-sum: 9"))
            try await server.router.recorder.first {
                $0 == .ended(path: "/echo", trailers: ["x-sum": "9"])
            }
            let record = try await server.log.first { _ in true }
            #expect(record.requestBytes == 300_000)
            #expect(record.responseBytes == 300_000)
        }
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/h2load")))
    func manyStreamsAndConnectionsAreAnswered() async throws {
        try await TestServer.run(tls: true) { server in
            let target = "https://127.0.0.1:\(server.port)/hello"
            let many = try await Tool.run("h2load", ["-n", "2000", "-c", "4", "-m", "64", target])
            #expect(many.output.contains("2000 succeeded, 0 failed"), "\(many.output)")
            let old = try await Tool.run("h2load", ["--h1", "-n", "2000", "-c", "8", target])
            #expect(old.output.contains("2000 succeeded, 0 failed"), "\(old.output)")
            #expect(server.log.events.count == 4000)
        }
    }
}
