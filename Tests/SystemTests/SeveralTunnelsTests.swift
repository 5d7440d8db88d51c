import Foundation
import Testing

extension SystemTests {
    /// Several tunnels in one process: they share it, and nothing else.
    @Suite(.timeLimit(.minutes(2))) struct SeveralTunnels {
        /// An edge with two tunnels, and an origin for each.
        private struct World {
            static let hosts = ["demo": Deployment.host, "other": "other.test"]

            let deployment: Deployment
            let origins: [String: Origin]

            init() throws {
                let deployment = try Deployment()
                self.deployment = deployment
                self.origins = try Dictionary(
                    uniqueKeysWithValues: Self.hosts.keys.map { name in
                        (name, try Origin(name, in: deployment.directory))
                    }
                )
            }

            /// The configuration file of a tunnel, all of whose requests go to its origin.
            func file(_ tunnel: String, _ settings: String = "", through port: Int? = nil) throws
                -> String
            {
                let origin = try #require(self.origins[tunnel])
                let host = try #require(Self.hosts[tunnel])
                return try self.deployment.configure(
                    tunnel,
                    ingress: ["{hostname: \(host), service: 'http://127.0.0.1:\(origin.port)'}"],
                    through: port,
                    settings: settings
                )
            }

            func curl(_ tunnel: String, _ path: String) throws -> Curl {
                try self.deployment.curl(path, host: try #require(Self.hosts[tunnel]))
            }

            func begin(_ tunnel: String, _ path: String) throws -> Curl.Running {
                try self.deployment.beginCurl(path, host: try #require(Self.hosts[tunnel]))
            }

            /// Has the edge not know a tunnel's key any more.
            func revoke(_ tunnel: String) throws {
                let text = self.deployment.directory.text("edge.yml")
                let key = try #require(
                    text.firstMatch("name: \(tunnel)[, \\n]+public-key: ([^, \\n]+)")
                )
                let fresh = try Deployment.keygen("fresh-\(tunnel)", in: self.deployment.directory)
                let file = URL(fileURLWithPath: self.deployment.directory.file("edge.yml"))
                try Data(text.replacingOccurrences(of: key, with: fresh).utf8)
                    .write(to: file, options: .atomic)
            }
        }

        private func ready(_ port: Int, _ deployment: Deployment) throws -> Curl {
            try Curl("http://127.0.0.1:\(port)/ready", in: deployment.directory)
        }

        @Test("two tunnels of one process serve two hostnames; metrics tell them apart")
        func serves() throws {
            let world = try World()
            let metrics = try freePort()
            let connector = try world.deployment.startConnector(
                files: [world.file("demo", "metrics: 127.0.0.1:\(metrics)"), world.file("other")]
            )
            #expect(try Echo(world.curl("demo", "/a")).origin == "demo")
            #expect(try Echo(world.curl("other", "/b")).origin == "other")
            #expect(try Echo(world.curl("other", "/c")).origin == "other")
            #expect(connector.lines("tunnel=demo.* Request") == 1, "\(connector.said)")
            #expect(connector.lines("tunnel=other.* Request") == 2, "\(connector.said)")
            let ready = try self.ready(metrics, world.deployment)
            #expect(ready.status == 200)
            #expect(ready.text.contains(#""readyConnections":2,"#), "\(ready.text)")
            #expect(ready.text.hasSuffix(#","tunnels":2}"# + "\n"), "\(ready.text)")
            let text = try Curl(
                "http://127.0.0.1:\(metrics)/metrics",
                in: world.deployment.directory
            )
            .text
            for line in [
                #"culvert_connector_ready_connections{tunnel="demo"} 1"#,
                #"culvert_connector_requests_total{tunnel="demo",code="2xx"} 1"#,
                #"culvert_connector_requests_total{tunnel="other",code="2xx"} 2"#,
                #"culvert_connector_host_requests_total{tunnel="other",host="other.test",code="2xx"} 2"#,
            ] {
                #expect(text.contains("\n\(line)\n"), "\(line)\n\(text)")
            }
            #expect(text.firstMatch(#"(?m)^(culvert_build_info)\{"#) != nil)
            #expect(!text.contains("culvert_connector_ready_connections 1"))
        }

        @Test(
            "one that its edge refuses for good leaves the other alone; without any, the process ends"
        )
        func refused() throws {
            let world = try World()
            let metrics = try freePort()
            let socket = try NotifySocket(world.deployment.directory.file("notify"))
            let connector = try world.deployment.startConnector(
                files: [world.file("demo", "metrics: 127.0.0.1:\(metrics)"), world.file("other")],
                [],
                ["NOTIFY_SOCKET=\(socket.name)"]
            )
            #expect(try socket.line("STATUS=") == "STATUS=0 of 2 tunnels connected")
            #expect(socket.lines.first == "READY=1")
            try socket.line("STATUS=2 of 2 tunnels connected")
            let load = try Load(world.deployment, seconds: 4, kinds: ["small=4"])
            try load.started()
            let stream = try world.begin("demo", "/ticks/30?pause=0.1")
            try world.revoke("other")
            let line = try connector.line("^.*The edge refuses this tunnel for good.*$")
            #expect(line.contains(" error ") && line.contains("tunnel=other"), "\(line)")
            try socket.line("STATUS=1 of 2 tunnels connected; refused for good: other")
            #expect(try self.ready(metrics, world.deployment).status == 503)
            let report = try load.report()
            #expect(report.failures == [] && (report.counts["small"] ?? 0) > 10, "\(report)")
            let whole = try stream.finish()
            #expect(whole.exit == 0 && whole.status == 200, "\(whole.said)")
            #expect(connector.lines("tunnel=demo.*(lost|not reached)") == 0, "\(connector.said)")
            #expect(connector.exitStatus() == nil)
            // The last one takes the process with it.
            try world.revoke("demo")
            #expect(try connector.exit() == 77)
            #expect(connector.errors.contains("No tunnel is left"), "\(connector.said)")
            for name in ["demo", "other"] {
                #expect(connector.errors.contains("\n\(name): "), "\(connector.said)")
            }
        }

        @Test("one that is refused from the first does not keep the other from its edge")
        func refusedAtOnce() throws {
            let world = try World()
            _ = try Deployment.keygen("stranger", in: world.deployment.directory)
            let stranger = try world.deployment.configure("stranger", ingress: [])
            let connector = try ManagedProcess(
                Programs.culvert,
                ["tunnel", "run", "--config", stranger, "--config", world.file("demo")],
                in: world.deployment.directory
            )
            try connector.line("tunnel=stranger.*The edge refuses this tunnel for good")
            try connector.line("tunnel=demo.*Connected to the edge")
            #expect(try Echo(world.curl("demo", "/a")).origin == "demo")
            connector.signal(SIGTERM)
            #expect(try connector.exit(within: 10) == 0)
        }

        @Test("a cut of one tunnel's link does not touch the other's")
        func cut() throws {
            let world = try World()
            let relays = try [
                "demo": CutRelay(to: world.deployment.port),
                "other": CutRelay(to: world.deployment.port),
            ]
            let connector = try world.deployment.startConnector(
                files: ["demo", "other"].map { try world.file($0, "", through: relays[$0]?.port) }
            )
            let downloads = try ["demo", "other"].map { name in
                (name, try world.begin(name, "/bytes/8000000?seed=3&pause=0.01"))
            }
            for (_, download) in downloads {
                try waitFor("the first bytes") { download.body.isEmpty ? nil : true }
            }
            for number in 0..<3 {
                relays["demo"]?.cut()
                try connector.line("tunnel=demo.*Session resumed", skipping: number)
            }
            for (name, download) in downloads {
                let whole = try download.finish()
                #expect(whole.exit == 0 && whole.body.count == 8_000_000, "\(name) \(whole.said)")
            }
            #expect(connector.lines("tunnel=demo.*Link to the edge lost") == 3)
            #expect(connector.lines("tunnel=other.*(lost|resumed|not reached)") == 0)
            #expect(relays["other"]?.counts.cuts == 0)
        }

        @Test("SIGTERM drains both at the same time, within the longest of their grace periods")
        func drains() throws {
            let world = try World()
            let socket = try NotifySocket(world.deployment.directory.file("notify"))
            let connector = try world.deployment.startConnector(
                files: [
                    world.file("demo", "grace-period: 1s"),
                    world.file("other", "grace-period: 40s"),
                ],
                [],
                ["NOTIFY_SOCKET=\(socket.name)"]
            )
            let held = try ["demo", "other"].map {
                (name: $0, visit: try world.begin($0, "/hold/\($0)"))
            }
            for name in World.hosts.keys {
                try waitFor("the request") {
                    try world.origins[name]?.openRequests().isEmpty == false ? true : nil
                }
            }
            connector.signal(SIGTERM)
            try socket.line("STOPPING=1")
            #expect(socket.lines.contains("EXTEND_TIMEOUT_USEC=45000000"), "\(socket.lines)")
            try connector.line("tunnel=demo.*Stopping")
            try connector.line("tunnel=other.*Stopping")
            for (name, visit) in held {
                #expect(connector.exitStatus() == nil, "\(connector.said)")
                try world.origins[name]?.release(name)
                let late = try visit.finish()
                #expect(late.status == 200 && late.text == "held by \(name)", "\(late.said)")
            }
            #expect(try connector.exit(within: 10) == 0)
        }

        @Test(
            "a file that changes concerns its own tunnel; a bad one leaves its rules; SIGHUP is for all"
        )
        func reload() throws {
            let world = try World()
            let files = try ["demo": world.file("demo"), "other": world.file("other")]
            let connector = try world.deployment.startConnector(
                files: files.values.sorted()
            )
            func write(_ rule: String, to tunnel: String) throws {
                let url = URL(fileURLWithPath: try #require(files[tunnel]))
                let head = try String(contentsOf: url, encoding: .utf8)
                    .components(separatedBy: "ingress:")[0]
                try Data("\(head)ingress:\n  - {service: '\(rule)'}\n".utf8)
                    .write(to: url, options: .atomic)
            }
            try write("http_status:418", to: "demo")
            try connector.line("tunnel=demo.*Read the configuration again")
            #expect(try world.curl("demo", "/").status == 418)
            #expect(try Echo(world.curl("other", "/")).origin == "other")
            #expect(connector.lines("tunnel=other.*Read the configuration again") == 0)
            try write("nonsense://x", to: "other")
            try connector.line("tunnel=other.*The configuration stays as it was")
            #expect(try Echo(world.curl("other", "/")).origin == "other")
            #expect(try world.curl("demo", "/").status == 418)
            try write("http_status:410", to: "other")
            connector.signal(SIGHUP)
            try connector.line("tunnel=other.*Read the configuration again")
            try connector.line("tunnel=demo.*Read the configuration again", skipping: 1)
            #expect(try world.curl("other", "/").status == 410)
            #expect(try world.curl("demo", "/").status == 418)
        }

        @Test("one tunnel at two edges is two connectors of one process, told apart by the edge")
        func twoEdges() throws {
            let world = try World()
            let first = try world.file("demo")
            let firstPort = world.deployment.port
            let firstEdge = try world.deployment.replaceEdge()
            let connector = try world.deployment.startConnector(
                files: [first, world.file("demo")]
            )
            for port in [firstPort, world.deployment.port] {
                let label = "tunnel=demo@connect.example.test:\(port)"
                #expect(connector.lines("\(label).*Connected") == 1, "\(connector.said)")
            }
            #expect(try Echo(world.curl("demo", "/")).origin == "demo")
            // The edge that was there first goes; its connector dials on, the other one serves.
            firstEdge.killNow()
            try connector.line(
                "tunnel=demo@connect.example.test:\(firstPort).*Link to the edge lost"
            )
            #expect(try Echo(world.curl("demo", "/")).origin == "demo")
        }

        @Test(
            "tunnels are named by names, tokens or both files and tokens; one file may be all of theirs"
        )
        func named() throws {
            let world = try World()
            let home = try Home(world.deployment.directory)
            var tokens: [String] = []
            for (index, name) in ["demo", "other"].enumerated() {
                let credentials = try OwnedCredentials(
                    name,
                    id: "0000000\(index)-2222-3333-4444-555555555555",
                    in: world.deployment.directory,
                    for: world.deployment
                )
                try home.write(
                    credentials.json(),
                    to: "\(credentials.fields["TunnelID"] ?? "").json"
                )
                tokens.append(try credentials.token())
            }
            let tokenFiles = try ["a", "b"].enumerated().map { try home.write(tokens[$0], to: $1) }
            let origin = try #require(world.origins["demo"])
            let shared = try home.write(
                "ingress: [{service: 'http://127.0.0.1:\(origin.port)'}]\n",
                to: "shared.yml"
            )
            let own = try ["demo", "other"].map { name in
                let rule = "{service: 'http://127.0.0.1:\(world.origins[name]?.port ?? 0)'}"
                return try home.write("tunnel: \(name)\ningress: [\(rule)]\n", to: "\(name).yml")
            }
            func each(_ option: String, _ values: [String]) -> [String] {
                values.flatMap { [option, $0] }
            }
            let address = ["--edge-address", "127.0.0.1:\(world.deployment.port)"]
            let all: [(words: [String], environment: [String], isShared: Bool)] = [
                (["demo", "other", "--config", shared], [], true),
                (["--config", shared], ["CULVERT_TOKEN=\(tokens[0]) \n\(tokens[1])"], true),
                (each("--token-file", tokenFiles) + ["--config", shared], [], true),
                (each("--config", own.reversed()), ["CULVERT_TOKEN=\(tokens[0])"], false),
                (each("--config", own) + each("--token-file", tokenFiles.reversed()), [], false),
            ]
            for (words, environment, isShared) in all {
                let connector = try home.start(["tunnel", "run"] + address + words, environment)
                try connector.line("Connected to the edge", skipping: 1)
                #expect(try Echo(world.curl("demo", "/")).origin == "demo")
                let other = try Echo(world.curl("other", "/")).origin
                #expect(other == (isShared ? "demo" : "other"), "\(words)")
                #expect(!(connector.output + connector.errors).contains("cvt_"))
                connector.end()
            }
        }
    }
}
