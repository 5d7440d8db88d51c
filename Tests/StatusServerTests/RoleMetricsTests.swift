import Synchronization
import Testing

@testable import StatusServer

@Suite("The series of edge and connector")
struct RoleMetricsTests {
    @Test("An edge's exchanges are counted by status, host and error")
    func edgeRequests() throws {
        let metrics = EdgeMetrics(version: "1.2")
        func end(_ status: Int, _ host: String?, error: String? = nil) {
            metrics.requestEnded(
                status: status,
                host: host,
                bytesIn: 10,
                bytesOut: 100,
                nanoseconds: 2_000_000,
                error: error
            )
        }
        end(200, "a.example")
        end(204, "a.example")
        end(101, "a.example")
        end(502, "b.example", error: "origin-unreachable")
        end(404, nil, error: "hostname-unknown")
        end(404, "unknown")
        end(0, "a.example", error: "connection-lost")
        let read = try Exposition(metrics.registry.render())
        #expect(read["culvert_edge_requests_total", ["code": "1xx"]] == 1)
        #expect(read["culvert_edge_requests_total", ["code": "2xx"]] == 2)
        #expect(read["culvert_edge_requests_total", ["code": "3xx"]] == 0)
        #expect(read["culvert_edge_requests_total", ["code": "none"]] == 1)
        #expect(read["culvert_edge_request_duration_seconds_count"] == 6)
        #expect(read["culvert_edge_request_body_bytes_total"] == 70)
        #expect(read["culvert_edge_response_body_bytes_total"] == 700)
        let hosts = "culvert_edge_host_requests_total"
        #expect(read[hosts, ["host": "a.example", "code": "2xx"]] == 2)
        #expect(read[hosts, ["host": "b.example", "code": "5xx"]] == 1)
        #expect(read[hosts, ["host": "unknown", "code": "4xx"]] == 2)
        #expect(
            read["culvert_edge_host_response_body_bytes_total", ["host": "a.example"]] == 400
        )
        #expect(
            read["culvert_edge_host_request_duration_seconds_total", ["host": "a.example"]]
                == 0.006
        )
        let errors = "culvert_edge_request_errors_total"
        #expect(read[errors, ["error": "origin-unreachable"]] == 1)
        #expect(read["culvert_build_info", ["version": "1.2"]] == 1)
    }

    @Test("The 1,001st hostname is other, and so is every one after it")
    func manyHosts() throws {
        let metrics = EdgeMetrics(version: "1")
        for index in 0..<1_200 {
            metrics.requestEnded(
                status: 200,
                host: "h\(index).example",
                bytesIn: 0,
                bytesOut: 1,
                nanoseconds: 1,
                error: "error-\(index)"
            )
        }
        let read = try Exposition(metrics.registry.render())
        #expect(read.family("culvert_edge_host_requests_total")?.samples.count == 1_001)
        #expect(read["culvert_edge_host_requests_total", ["host": "other", "code": "2xx"]] == 200)
        #expect(read.family("culvert_edge_request_errors_total")?.samples.count == 65)
    }

    @Test("Statuses that are none do not trap", arguments: [-1, 0, 99, 600, 999, Int.max, .min])
    func oddStatus(status: Int) throws {
        let metrics = EdgeMetrics(version: "1")
        metrics.requestEnded(
            status: status,
            host: "",
            bytesIn: -1,
            bytesOut: .max,
            nanoseconds: .min,
            error: ""
        )
        let read = try Exposition(metrics.registry.render())
        #expect(read["culvert_edge_requests_total", ["code": "none"]] == 1)
    }

    @Test("Sessions, links, resumes and refusals", arguments: UInt16(0)...9)
    func sessions(code: UInt16) throws {
        let metrics = EdgeMetrics(version: "1")
        metrics.sessions.sessionOpened()
        metrics.sessions.linkLost()
        metrics.sessions.sessionResumed()
        metrics.sessions.sessionClosed()
        metrics.sessions.loginRefused(code: code)
        let read = try Exposition(metrics.registry.render())
        for name in ["sessions_opened", "sessions_closed", "sessions_resumed", "links_lost"] {
            #expect(read["culvert_edge_\(name)_total"] == 1)
        }
        let reasons = [
            2: "unknown_key", 3: "bad_signature", 7: "malformed", 8: "other", 9: "other",
        ]
        let refusals = try #require(read.family("culvert_edge_login_refusals_total"))
        #expect(refusals.samples.map(\.value).reduce(0, +) == 1)
        if let reason = reasons[Int(code)] {
            #expect(read["culvert_edge_login_refusals_total", ["reason": reason]] == 1)
        }
    }

    @Test("Tunnels are read at the scrape; those of one name are added, the rest is other")
    func tunnels() throws {
        let metrics = EdgeMetrics(version: "1")
        @Sendable func tunnel(_ name: String) -> EdgeMetrics.Tunnel {
            .init(
                name: name,
                connectedSessions: 1,
                interruptedSessions: 2,
                streams: 3,
                waitingRequests: 4
            )
        }
        metrics.observe(
            visitorConnections: { 7 },
            tunnels: { [tunnel("b"), tunnel("a"), tunnel("b")] }
        )
        let read = try Exposition(metrics.registry.render())
        #expect(read["culvert_edge_visitor_connections"] == 7)
        #expect(read["culvert_edge_tunnel_streams", ["tunnel": "a"]] == 3)
        #expect(read["culvert_edge_tunnel_streams", ["tunnel": "b"]] == 6)
        #expect(
            read["culvert_edge_tunnel_sessions", ["tunnel": "b", "state": "interrupted"]] == 4
        )
        #expect(read["culvert_edge_tunnel_waiting_requests", ["tunnel": "b"]] == 8)
        let many = EdgeMetrics.bounded((0..<1_500).map { tunnel("t\($0)") } + [tunnel("other")])
        #expect(many.count == 1_001)
        #expect(many.last?.name == "other")
        #expect(many.reduce(0) { $0 + $1.streams } == 4_503)
    }

    @Test("A connector's series")
    func connector() throws {
        let metrics = ConnectorMetrics(version: "1")
        metrics.dialEnded(isLoggedIn: true)
        metrics.dialEnded(isLoggedIn: false)
        metrics.dialEnded(isLoggedIn: false)
        metrics.requestEnded(
            status: 200,
            host: "a",
            bytesIn: 1,
            bytesOut: 2,
            nanoseconds: 3,
            error: nil
        )
        metrics.observe(readyConnections: { 1 }, unhealthyHostnames: { 2 })
        let read = try Exposition(metrics.registry.render())
        #expect(read["culvert_connector_dials_total", ["result": "failure"]] == 2)
        #expect(read["culvert_connector_ready_connections"] == 1)
        #expect(read["culvert_connector_unhealthy_hostnames"] == 2)
        #expect(read["culvert_connector_requests_total", ["code": "2xx"]] == 1)
    }

    @Test("Several connectors of a process share its series, each with its tunnel's label")
    func severalConnectors() throws {
        let registry = MetricsRegistry()
        let names = ["demo", "a\"b"]
        let connectors = names.map {
            ConnectorMetrics(version: "1", registry: registry, tunnel: $0)
        }
        for (index, connector) in connectors.enumerated() {
            for _ in 0...index {
                connector.requestEnded(
                    status: 502,
                    host: "h",
                    bytesIn: 1,
                    bytesOut: 2,
                    nanoseconds: 3,
                    error: "e"
                )
            }
            connector.sessions.sessionOpened()
            connector.observe(readyConnections: { index }, unhealthyHostnames: { 5 })
        }
        let read = try Exposition(registry.render())
        for (index, name) in names.enumerated() {
            let count = Double(index + 1)
            let tunnel = ["tunnel": name]
            func series(_ labels: [String: String]) -> [String: String] {
                labels.merging(tunnel) { first, _ in first }
            }
            #expect(read["culvert_connector_requests_total", series(["code": "5xx"])] == count)
            #expect(
                read["culvert_connector_host_requests_total", series(["host": "h", "code": "5xx"])]
                    == count
            )
            #expect(
                read["culvert_connector_request_errors_total", series(["error": "e"])] == count
            )
            #expect(read["culvert_connector_request_duration_seconds_count", tunnel] == count)
            #expect(read["culvert_connector_sessions_opened_total", tunnel] == 1)
            #expect(read["culvert_connector_ready_connections", tunnel] == Double(index))
        }
        #expect(read["culvert_connector_requests_total", ["code": "5xx"]] == nil)
        #expect(read.family("culvert_build_info")?.samples.count == 1)
        #expect(read.family("process_open_fds")?.samples.count == 1)
    }

    @Test("Hostnames that came and went do not keep others from a series of their own for ever")
    func hostsAreForgotten() {
        let begin = ContinuousClock.now
        let passed = Mutex(Duration.zero)
        let table = HostTable(now: { begin + passed.withLock { $0 } })
        for number in 0..<HostTable.maximum { table["n\(number).example"].requests[2].add(1) }
        let other = table["late.example"]
        #expect(other === table["later.example"])
        passed.withLock { $0 = HostTable.lifetime - .seconds(1) }
        #expect(table["late.example"] === other && table["n0.example"].requests[2].value == 1)
        passed.withLock { $0 = HostTable.lifetime }
        let own = table["late.example"]
        #expect(own !== other && own !== table["later.example"] && own === table["late.example"])
        #expect(table["n0.example"].requests[2].value == 0)
    }
}
