import Foundation
import Testing

extension SystemTests {
    /// Three connectors of one tunnel, each in front of an origin that names itself.
    @Suite struct Balancing {
        private static let sticky = Deployment.host
        private static let inTurns = "x.sub.example.test"
        private static let names = ["one", "two", "three"]

        private struct Fleet {
            let deployment: Deployment
            /// By their origins' names.
            let connectors: [String: ManagedProcess]

            init() throws {
                let deployment = try Deployment(
                    hostnames: "{hostname: \(Deployment.host), balance: sticky}, "
                        + "{hostname: ws.example.test, balance: sticky}, "
                        + "{hostname: '*.sub.example.test', balance: round-robin}"
                )
                self.deployment = deployment
                var connectors: [String: ManagedProcess] = [:]
                for name in Balancing.names {
                    let origin = try Origin(name, in: deployment.directory)
                    let websockets = try WebSocketOrigin(name, in: deployment.directory)
                    connectors[name] = try deployment.startConnector(
                        to: origin,
                        websockets: websockets.port
                    )
                }
                self.connectors = connectors
            }

            /// The origin that a visit came to.
            func origin(_ host: String) throws -> String {
                try Echo(self.deployment.curl("/", host: host)).origin
            }

            /// A visit with a jar of cookies.
            func visit(_ jar: String, _ arguments: [String]) throws -> Curl {
                let file = self.deployment.directory.file(jar)
                return try self.deployment.curl("/", arguments + ["-b", file, "-c", file])
            }
        }

        @Test("round-robin spreads exactly evenly, whatever other hostnames of the tunnel do")
        func roundRobin() throws {
            let fleet = try Fleet()
            var visits: [String] = []
            for _ in 0..<12 {
                visits.append(try fleet.origin(Self.inTurns))
                _ = try fleet.origin(Self.sticky)
            }
            #expect(Set(visits.prefix(3)) == Set(Self.names))
            for index in 3..<12 { #expect(visits[index] == visits[index - 3], "\(visits)") }
            // Of those that are left, evenly too.
            fleet.connectors["two"]?.signal(SIGTERM)
            #expect(try fleet.connectors["two"]?.exit(within: 10) == 0)
            let later = try (0..<8).map { _ in try fleet.origin(Self.inTurns) }
            #expect(later.count { $0 == "one" } == 4 && later.count { $0 == "three" } == 4)
        }

        @Test(
            "a visitor with cookies stays at its connector, and at another when that is killed",
            arguments: Faithfulness.versions
        )
        func sticky(version: String) throws {
            let fleet = try Fleet()
            let first = try fleet.visit("jar", [version])
            let name = try Echo(first).origin
            let cookie = try #require(first.first("set-cookie"))
            #expect(cookie.hasPrefix("culvert-sticky=") && cookie.hasSuffix("; Secure"))
            #expect(first.first("cache-control") == "private")
            // The application's own cookies cross; the edge's does not.
            let jar = fleet.deployment.directory.file("jar")
            let own = ["\(Self.sticky)", "FALSE", "/", "FALSE", "0", "own", "a b"]
            let kept = try String(contentsOfFile: jar, encoding: .utf8)
            try Data((kept + own.joined(separator: "\t") + "\n").utf8)
                .write(to: URL(fileURLWithPath: jar))
            for _ in 0..<6 {
                let visit = try fleet.visit("jar", [version])
                let echo = try Echo(visit)
                #expect(echo.origin == name)
                #expect(echo.values("cookie") == ["own=a b"])
                #expect(visit.first("set-cookie") == nil && visit.first("cache-control") == nil)
            }
            let others = try Set(
                (0..<3).map { try Echo(fleet.visit("jar\($0)", [version])).origin }
            )
            #expect(others.count > 1, "new visitors have connectors of their own")

            fleet.connectors[name]?.killNow()
            let moved = try fleet.visit("jar", [version])
            let next = try Echo(moved).origin
            #expect(next != name)
            #expect(moved.values("set-cookie").count == 1)
            for _ in 0..<4 {
                let visit = try fleet.visit("jar", [version])
                #expect(try Echo(visit).origin == next)
                #expect(visit.first("set-cookie") == nil)
            }
        }

        @Test("a connector that stops is left at once; the edge's restart loses no visitor")
        func stickyOverRestarts() throws {
            let fleet = try Fleet()
            let name = try Echo(fleet.visit("jar", [])).origin
            fleet.deployment.edge.signal(SIGTERM)
            _ = try fleet.deployment.edge.exit(within: 20)
            try fleet.deployment.restartEdge()
            for index in 0..<3 {
                try fleet.deployment.edge.line("Connector connected", skipping: index)
            }
            let after = try fleet.visit("jar", [])
            #expect(try Echo(after).origin == name)
            #expect(after.first("set-cookie") == nil)
            fleet.connectors[name]?.signal(SIGTERM)
            #expect(try fleet.connectors[name]?.exit(within: 10) == 0)
            let moved = try fleet.visit("jar", [])
            #expect(try Echo(moved).origin != name)
            #expect(moved.values("set-cookie").count == 1)
        }

        @Test("a WebSocket's handshake sticks as well")
        func webSockets() throws {
            let fleet = try Fleet()
            let visitor = try Finished(
                Programs.python,
                [
                    Programs.script("websocket_visitor.py"), "ws.example.test",
                    "\(fleet.deployment.port)", fleet.deployment.certificates.authority, "sticky",
                ],
                in: fleet.deployment.directory
            )
            #expect(visitor.output.contains("good"), "\(visitor.output)\(visitor.errors)")
        }

        @Test("what edge.yml says of a hostname changes while the edge runs")
        func reload() throws {
            let fleet = try Fleet()
            #expect(try fleet.visit("jar", []).values("set-cookie").count == 1)
            let text = fleet.deployment.directory.text("edge.yml")
            let changed = text.replacingOccurrences(
                of: "{hostname: \(Self.sticky), balance: sticky}",
                with: "{hostname: \(Self.sticky), balance: round-robin}"
            )
            #expect(changed != text)
            try Data(changed.utf8).write(
                to: URL(fileURLWithPath: fleet.deployment.directory.file("edge.yml")),
                options: .atomic
            )
            try waitFor("an answer that sets no cookie") {
                try fleet.deployment.curl("/").first("set-cookie") == nil ? true : nil
            }
            // Whoever has a cookie goes round like all others.
            let visits = try (0..<3).map { _ in try Echo(fleet.visit("jar", [])).origin }
            #expect(Set(visits) == Set(Self.names))
        }
    }
}
