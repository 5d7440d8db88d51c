import Foundation
import Testing

extension SystemTests {
    /// Origins that are asked whether they are well.
    @Suite struct Health {
        private static func check(
            _ port: Int,
            _ keys: String,
            _ options: String = ""
        ) -> String {
            "{service: 'http://127.0.0.1:\(port)', hostname: \(Deployment.host), originRequest: "
                + "{healthCheck: {path: /status/204, interval: 100ms\(keys)}\(options)}}"
        }

        /// A number of a connector's metrics, by what stands before it.
        private func metric(_ name: String, _ port: Int, _ deployment: Deployment) throws -> Int? {
            let url = "http://127.0.0.1:\(port)/metrics"
            let text = try Curl(url, in: deployment.directory).text
            return text.firstMatch("(?m)^\(name) ([0-9]+)").flatMap { Int($0) }
        }

        @Test("a connector says which origins fail, why, and when they are back")
        func transitions() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            let metrics = try freePort()
            let connector = try deployment.startConnector(
                ingress: [Self.check(origin.port, "")],
                settings: "metrics: 127.0.0.1:\(metrics)"
            )
            func gauge(_ expected: Int) throws {
                try waitFor("the gauge") {
                    let name = "culvert_connector_unhealthy_hostnames"
                    return try self.metric(name, metrics, deployment) == expected ? true : nil
                }
            }
            try waitFor("a check") { try origin.log().isEmpty ? nil : true }
            #expect(try origin.log()[0] == .init(method: "GET", target: "/status/204"))
            try gauge(0)
            origin.process.killNow()
            let line = try connector.line("^.*An origin is unhealthy.*$")
            #expect(line.contains(Deployment.host) && line.contains("reason="), "\(line)")
            try gauge(1)
            _ = try Origin(listen: "\(origin.port)", in: deployment.directory)
            try connector.line("An origin is healthy again")
            try gauge(0)
            // No check is counted as a visitor's request.
            #expect(try deployment.curl("/status/201").status == 201)
            let count = "culvert_connector_request_duration_seconds_count"
            try waitFor("the count") {
                try self.metric(count, metrics, deployment) == 1 ? true : nil
            }
        }

        @Test("checks follow the rules: what is no longer asked for is no longer unhealthy")
        func reload() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            let connector = try deployment.startConnector(
                ingress: [Self.check(origin.port, ", expectedStatus: 200")]
            )
            try connector.line("answered 204.*An origin is unhealthy")
            let names = try FileManager.default.contentsOfDirectory(
                atPath: deployment.directory.path
            )
            let file = deployment.directory.file(
                try #require(names.first { $0.hasPrefix("config-") })
            )
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let changed = text.replacingOccurrences(of: "expectedStatus: 200", with: "timeout: 1s")
            #expect(changed != text)
            try Data(changed.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
            try connector.line("Read the configuration again")
            let asked = try origin.log().count
            try waitFor("checks") { try origin.log().count > asked + 3 ? true : nil }
            #expect(connector.lines("An origin is unhealthy") == 1)
            #expect(try deployment.curl("/status/201").status == 201)
        }

        @Test("the edge passes a connector over whose origin fails, and takes it back")
        func rotation() throws {
            let deployment = try Deployment()
            var one = try Origin("one", in: deployment.directory)
            let two = try Origin("two", in: deployment.directory)
            let first = try deployment.startConnector(
                ingress: [Self.check(one.port, ", unhealthyThreshold: 1, healthyThreshold: 1")]
            )
            // Who may visit concerns no check.
            let second = try deployment.startConnector(
                ingress: [Self.check(two.port, "", ", cidrAllow: [127.0.0.0/8]")]
            )
            func names() throws -> Set<String> {
                var names: Set<String> = []
                for _ in 0..<12 {
                    let visit = try deployment.curl("/status/200")
                    names.insert(visit.first("x-origin") ?? "\(visit.status)")
                }
                return names
            }
            #expect(try names() == ["one", "two"])
            one.process.killNow()
            try deployment.edge.line("Some of a connector.s origins fail their health checks")
            #expect(try names() == ["two"], "\(deployment.logs(first, second))")
            // Of a new session it is known from the beginning.
            deployment.edge.killNow()
            _ = try deployment.edge.exit()
            try deployment.restartEdge()
            try deployment.edge.line("Some of a connector.s origins fail their health checks")
            try waitFor("the other connector") {
                try deployment.curl("/status/200").first("x-origin") == "two" ? true : nil
            }
            #expect(try names() == ["two"], "\(deployment.logs(first, second))")
            one = try Origin("one", listen: "\(one.port)", in: deployment.directory)
            try deployment.edge.line("All of a connector.s origins pass their health checks again")
            #expect(try names() == ["one", "two"])
            // Where none is healthy, the origin's own error is truer than the edge's.
            one.process.killNow()
            two.process.killNow()
            try deployment.edge.line(
                "Some of a connector.s origins fail their health checks",
                skipping: 2
            )
            #expect(try names() == ["502"])
        }
    }
}
