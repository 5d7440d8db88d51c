import Foundation
import Logging
import NIOPosix
import StatusServer
import Testing

@Suite("The status listener, asked by curl", .timeLimit(.minutes(1)))
struct StatusServerTests {
    private static func edge(notReady: String? = nil) -> [String: @Sendable () -> StatusAnswer] {
        StatusRoutes.edge(EdgeMetrics(version: "1").registry, notReady: { notReady })
    }

    @Test("An edge's /metrics, /healthz and /readyz")
    func edge() async throws {
        try await StatusFixture.with(routes: Self.edge()) { fixture in
            let answer = try await fixture.curl(["-i"], "/metrics")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"))
            #expect(answer.contains("cache-control: no-store\r\n"))
            let body = try #require(answer.range(of: "\r\n\r\n")).upperBound
            let read = try Exposition(String(answer[body...]))
            #expect(read["culvert_edge_requests_total", ["code": "2xx"]] == 0)
            #expect(try await fixture.curl([], "/healthz") == "ok\n")
            #expect(try await fixture.curl(["-w", "%{http_code}"], "/readyz") == "ready\n200")
        }
    }

    @Test("An edge that is not ready says why")
    func notReady() async throws {
        try await StatusFixture.with(routes: Self.edge(notReady: "it drains")) { fixture in
            let answer = try await fixture.curl(["-w", "%{http_code}"], "/readyz")
            #expect(answer == "not ready: it drains\n503")
            #expect(try await fixture.curl([], "/healthz") == "ok\n")
        }
    }

    @Test("A connector's /ready is cloudflared's", arguments: [(0, 503), (1, 200)])
    func connector(connections: Int, status: Int) async throws {
        let routes = StatusRoutes.connector(ConnectorMetrics(version: "1").registry) {
            ConnectorReadiness(readyConnections: connections, connectorID: "a\"b\n")
        }
        try await StatusFixture.with(routes: routes) { fixture in
            let answer = try await fixture.curl(["-w", "%{http_code} %{content_type}"], "/ready")
            #expect(answer.hasSuffix("\n\(status) application/json"))
            let json = try JSONSerialization.jsonObject(
                with: Data(try #require(answer.split(separator: "\n").first).utf8)
            )
            let object = try #require(json as? [String: Any])
            #expect(object["status"] as? Int == status)
            #expect(object["readyConnections"] as? Int == connections)
            #expect(object["connectorId"] as? String == "a\"b\n")
            #expect(object.count == 3)
            #expect(try await fixture.curl([], "/metrics").hasPrefix("# HELP culvert_"))
        }
    }

    @Test(
        "With several tunnels, /ready is 200 only when all are connected, and says of how many",
        arguments: [(0, 503), (1, 503), (2, 200)]
    )
    func severalTunnels(connected: Int, status: Int) async throws {
        let routes = StatusRoutes.connector(MetricsRegistry()) {
            ConnectorReadiness(readyConnections: connected, connectorID: "x", tunnels: 2)
        }
        try await StatusFixture.with(routes: routes) { fixture in
            let answer = try await fixture.curl(["-w", "%{http_code}"], "/ready")
            #expect(
                answer == "{\"status\":\(status),\"readyConnections\":\(connected),"
                    + "\"connectorId\":\"x\",\"tunnels\":2}\n\(status)"
            )
        }
    }

    @Test("HEAD has the length and no body")
    func head() async throws {
        try await StatusFixture.with { fixture in
            let answer = try await fixture.curl(["-I"], "/hello")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("content-length: 6\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test("Other methods get 405 with Allow", arguments: ["POST", "DELETE", "OPTIONS", "TRACE"])
    func method(name: String) async throws {
        try await StatusFixture.with { fixture in
            let answer = try await fixture.curl(["-i", "-X", name], "/hello")
            #expect(answer.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n"))
            #expect(answer.contains("allow: GET, HEAD\r\n"))
        }
    }

    @Test("An unknown path gets 404 with those that exist, and nothing of the request")
    func unknown() async throws {
        try await StatusFixture.with(routes: Self.edge()) { fixture in
            let answer = try await fixture.curl(["-w", "%{http_code}"], "/nowhere?%3Cscript%3E")
            #expect(answer.hasSuffix("/healthz\n/metrics\n/readyz\n404"))
            #expect(!answer.contains("nowhere"))
            #expect(!answer.contains("script"))
        }
    }

    @Test("A query, and the absolute form that a proxy's client sends, reach the path")
    func targets() async throws {
        try await StatusFixture.with { fixture in
            #expect(try await fixture.curl([], "/hello?name=x") == "hello\n")
            let answer = try await fixture.exchange(
                "GET http://edge.example/hello?x HTTP/1.0\r\nHost: x\r\n\r\n"
            )
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\nhello\n"))
        }
    }

    @Test("One connection carries many requests, one after the other")
    func keepAlive() async throws {
        try await StatusFixture.with { fixture in
            let url = fixture.url("/hello")
            let answer = try await fixture.curl(["-w", "%{num_connects} ", url, url], "/hello")
            #expect(answer == "hello\n1 hello\n0 hello\n0 ")
        }
    }

    @Test("A body is refused and its bytes are no request")
    func body() async throws {
        try await StatusFixture.with { fixture in
            let answer = try await fixture.curl(
                ["-X", "GET", "-w", "%{http_code}", "-d", "x=1"],
                "/hello"
            )
            #expect(answer.hasSuffix("413"))
            let smuggled = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
            let raw = try await fixture.exchange(
                "GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n"
                    + smuggled
            )
            #expect(raw.hasPrefix("HTTP/1.1 413 "))
            #expect(raw.components(separatedBy: "HTTP/1.1").count == 2)
        }
    }

    @Test("IPv6, and every address", arguments: ["::1", "", "localhost"])
    func addresses(host: String) async throws {
        try await StatusFixture.with(host: host) { fixture in
            let name = host == "" ? "127.0.0.1" : fixture.host
            let output = try await offPool {
                try CommandLineTool.run(
                    "curl",
                    ["-sS", "-g", "--noproxy", "*", "http://\(name):\(fixture.port)/hello"]
                )
                .output
            }
            #expect(output == "hello\n")
        }
    }

    @Test("A port that is taken, and an address that is not this machine's, are named")
    func occupied() async throws {
        try await StatusFixture.with { fixture in
            let logger = Logger(label: "status") { _ in SwiftLogNoOpLogHandler() }
            for (host, port) in [("127.0.0.1", fixture.port), ("192.0.2.1", 0)] {
                let other = StatusServer(routes: [:], logger: logger)
                let error = await #expect(throws: StatusServerError.self) {
                    try await other.start(
                        on: (host, port),
                        group: MultiThreadedEventLoopGroup.singleton
                    )
                }
                #expect(error?.message.contains("\(host):\(port)") == true)
                #expect(error?.message.contains("metrics:") == true)
            }
        }
    }

    @Test("Stopping closes listener and connections; starting again is an error")
    func stop() async throws {
        try await StatusFixture.with { fixture in
            let client = try RawClient(port: fixture.port)
            client.send(Array("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
            _ = try await offPool { client.read(10) }
            await fixture.server.stop()
            let rest = try await offPool { client.readToEnd() }
            #expect(rest.hasSuffix("hello\n"))
            #expect(throws: RawClient.Failed.self) { try RawClient(port: fixture.port) }
            await #expect(throws: StatusServerError.self) {
                try await fixture.server.start(
                    on: ("127.0.0.1", 0),
                    group: MultiThreadedEventLoopGroup.singleton
                )
            }
        }
    }

    @Test("Prometheus' own client reads every line")
    func prometheusReadsIt() async throws {
        let reader = """
            import sys; from prometheus_client.parser import text_string_to_metric_families as read
            print(sum(len(family.samples) for family in read(sys.stdin.read())))
            """
        let metrics = EdgeMetrics(version: "1 \"quoted\" \\ \n")
        metrics.requestEnded(
            status: 200,
            host: "a.example",
            bytesIn: 1,
            bytesOut: 2,
            nanoseconds: 3,
            error: "origin-timeout"
        )
        metrics.observe(
            visitorConnections: { 1 },
            tunnels: {
                [
                    .init(
                        name: "demo",
                        connectedSessions: 1,
                        interruptedSessions: 0,
                        streams: 1,
                        waitingRequests: 0
                    )
                ]
            }
        )
        let connector = ConnectorMetrics(version: "1")
        connector.observe(readyConnections: { 1 }, unhealthyHostnames: { 0 })
        for text in [metrics.registry.render(), connector.registry.render()] {
            let result = try await offPool {
                try CommandLineTool.run("/usr/bin/python3", ["-c", reader], input: text)
            }
            #expect(result.status == 0, "\(result.output)")
            let samples = text.split(separator: "\n").count { !$0.hasPrefix("#") }
            #expect(samples > 20)
            #expect(result.output == "\(samples)\n")
        }
    }
}
