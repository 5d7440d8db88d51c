import Foundation
import Testing

extension SystemTests {
    /// Tunnels whose rules live at the edge: told to connectors when they come and when they change.
    @Suite struct ManagedTunnels {
        private func rules(_ rules: String...) -> String {
            "ingress:\n" + rules.map { "  - \($0)\n" }.joined()
        }

        /// Gives a tunnel rules by the command.
        private func configure(_ person: Person, _ text: String) throws {
            let file = try person.deployment.directory.write(text, to: "rules.yml")
            try person.ok(["tunnel", "config", "set", "web", file])
        }

        private func start(_ person: Person, _ words: [String] = ["web"]) throws -> ManagedProcess {
            try person.start(["tunnel", "run"] + words)
        }

        private func connectors(_ person: Person) throws -> [[String: Any]] {
            let info = try person.ok(["tunnel", "info", "web", "--output", "json"])
            let document = try JSONSerialization.jsonObject(with: Data(info.utf8))
            return try #require((document as? [String: Any])?["connectors"] as? [[String: Any]])
        }

        private func await(
            _ what: String,
            _ file: String,
            _ isThere: (String) -> Bool
        ) throws {
            _ = try waitFor(what) { () -> Bool? in
                guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                    return nil
                }
                return isThere(text) ? true : nil
            }
        }

        private func owner(at deployment: Deployment) throws -> Person {
            let ann = try Person("ann", at: deployment)
            try ann.ok(["tunnel", "create", "web"])
            try ann.ok(["tunnel", "route", "dns", "web", "ann.example.test"])
            return ann
        }

        @Test("a connector without rules is told them, also when they change, and cuts nothing")
        func live() throws {
            let deployment = try Deployment()
            let ann = try self.owner(at: deployment)
            let origin = try Origin(in: deployment.directory)
            let all = "{service: 'http://127.0.0.1:\(origin.port)'}"
            try self.configure(ann, self.rules(all))
            let connector = try self.start(ann)
            try connector.line("Runs the edge's configuration")
            let stream = try deployment.beginCurl(
                "/ticks/60?pause=0.1",
                host: "ann.example.test"
            )
            let first = try deployment.curl("/status/201", host: "ann.example.test")
            #expect(first.status == 201, "\(deployment.logs(connector))")
            try self.configure(ann, self.rules("{path: ^/new, service: 'http_status:418'}", all))
            try connector.line("Runs the edge's configuration", skipping: 1)
            let new = try deployment.curl("/new", host: "ann.example.test")
            #expect(new.status == 418)
            #expect(try self.connectors(ann).map { $0["configuration_version"] as? Int } == [2])
            let whole = try stream.finish()
            #expect(whole.exit == 0 && whole.status == 200, "\(whole.said)")
        }

        @Test("visitors of a connector that waits for its rules wait with it")
        func noRequestBeforeTheRules() throws {
            let deployment = try Deployment()
            let ann = try self.owner(at: deployment)
            try self.configure(ann, self.rules("{service: 'http_status:418'}"))
            let visits = try (0..<8).map { _ in
                try deployment.beginCurl("/", host: "ann.example.test", ["--insecure"])
            }
            let connector = try self.start(ann)
            for visit in visits {
                let answer = try visit.finish()
                #expect(answer.status == 418, "\(deployment.logs(connector))")
            }
        }

        @Test("a configuration that cannot be applied is reported, and the old one stays")
        func aMistake() throws {
            let deployment = try Deployment()
            let ann = try self.owner(at: deployment)
            try self.configure(ann, self.rules("{service: 'http_status:418'}"))
            let connector = try self.start(ann)
            try connector.line("Runs the edge's configuration")
            // Not by the command, which looks it through; the API takes what it is given.
            let login = try Data(contentsOf: URL(fileURLWithPath: ann.home + "/login.json"))
            let kept = try JSONSerialization.jsonObject(with: login) as? [String: Any]
            let token = try #require(kept?["token"] as? String ?? kept?["Token"] as? String)
            let text = #"ingress:\n  - {service: 'nonsense://x'}"#
            let stored = try deployment.curl(
                "/api/v1/tunnels/web/configuration",
                host: "edge.example.test",
                [
                    "-X", "PUT", "-H", "Authorization: Bearer \(token)", "-H",
                    "Content-Type: application/json", "--data",
                    "{\"version\":1,\"text\":\"\(text)\"}",
                ]
            )
            #expect(stored.status == 200, "\(stored.text)")
            try connector.line("The edge's configuration stays as it was: version 2:2:.*nonsense")
            try deployment.edge.line("Connector cannot apply its configuration")
            #expect(try deployment.curl("/", host: "ann.example.test").status == 418)
            let shown = try self.connectors(ann)
            #expect(shown.map { $0["configuration_version"] as? Int } == [1])
            let problem = shown.first?["configuration_problem"] as? String
            #expect(problem?.contains("version 2:2:") == true, "\(shown)")
            #expect(try ann.ok(["tunnel", "info", "web"]).contains("version 1: version 2:2:"))
            // The next good one is taken.
            try self.configure(ann, self.rules("{service: 'http_status:419'}"))
            try connector.line("Runs the edge's configuration", skipping: 1)
            #expect(try deployment.curl("/", host: "ann.example.test").status == 419)
            #expect(try self.connectors(ann).first?["configuration_problem"] == nil)
        }

        @Test("a configuration that lacked a file runs at SIGHUP, once the file is there")
        func lateFile() throws {
            let deployment = try Deployment()
            let ann = try self.owner(at: deployment)
            try self.configure(ann, self.rules("{service: 'http_status:418'}"))
            let connector = try self.start(ann)
            try connector.line("Runs the edge's configuration")
            let pool = deployment.directory.file("late.pem")
            try self.configure(
                ann,
                self.rules("{service: 'http_status:419', originRequest: {caPool: \(pool)}}")
            )
            try connector.line("The edge's configuration stays as it was: .*late.pem")
            connector.signal(SIGHUP)
            try connector.line("The edge's configuration stays as it was: .*late.pem", skipping: 1)
            try FileManager.default.copyItem(
                atPath: deployment.certificates.authority,
                toPath: pool
            )
            connector.signal(SIGHUP)
            try connector.line("Runs the edge's configuration", skipping: 1)
            #expect(try deployment.curl("/", host: "ann.example.test").status == 419)
            try waitFor("the report") {
                let shown = try self.connectors(ann).first
                return shown?["configuration_version"] as? Int == 2
                    && shown?["configuration_problem"] == nil ? true : nil
            }
        }

        @Test("the last good one is kept, and run before the edge has answered")
        func kept() throws {
            let deployment = try Deployment()
            let ann = try self.owner(at: deployment)
            try self.configure(ann, self.rules("{service: 'http_status:418'}"))
            var connector = try self.start(ann)
            try connector.line("Runs the edge's configuration")
            let info = try ann.ok(["tunnel", "info", "web"])
            let id = try #require(info.firstMatch(#"ID: +([0-9a-f-]{36})"#), "\(info)")
            let file = "\(ann.home)/\(id).ingress.yml"
            try self.await("the file", file) { _ in true }
            connector.end()
            _ = try connector.exit()
            // Changed while it was away.
            try self.configure(ann, self.rules("{service: 'http_status:419'}"))
            connector = try self.start(ann)
            try connector.line("version=1.*Begins with the configuration that the edge sent last")
            try connector.line("Runs the edge's configuration")
            #expect(try deployment.curl("/", host: "ann.example.test").status == 419)
            try self.await("the new rules", file) { $0.contains("http_status:419") }
            connector.end()
            _ = try connector.exit()
            // A damaged one is told of, and does no harm.
            try Data("nonsense".utf8).write(to: URL(fileURLWithPath: file))
            connector = try self.start(ann)
            try connector.line("is of no use.*damaged")
            try connector.line("Runs the edge's configuration")
            #expect(try deployment.curl("/", host: "ann.example.test").status == 419)
        }

        @Test("a token is enough; where neither end has rules, both say so; local rules go first")
        func whoseRules() throws {
            let deployment = try Deployment()
            let ann = try self.owner(at: deployment)
            let token = try ann.ok(["tunnel", "token", "web"])
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let connector = try ann.start(
                ["tunnel", "run", "--edge-address", "127.0.0.1:\(deployment.port)"],
                ["CULVERT_TOKEN=\(token)"]
            )
            try connector.line("No rules: every request is answered 503.*tunnel config edit")
            #expect(try deployment.curl("/", host: "ann.example.test").status == 503)
            try self.configure(ann, self.rules("{service: 'http_status:418'}"))
            try connector.line("Runs the edge's configuration")
            #expect(try deployment.curl("/", host: "ann.example.test").status == 418)
            connector.end()
            _ = try connector.exit()
            let own = try self.start(ann, ["web", "--url", "hello_world"])
            try own.line("Connected to the edge")
            #expect(try deployment.curl("/", host: "ann.example.test").status == 200)
            let shown = try self.connectors(ann)
            #expect(shown.count == 1 && shown[0]["configuration_version"] == nil, "\(shown)")
        }
    }
}
