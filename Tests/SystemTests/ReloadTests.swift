import Foundation
import Testing

extension SystemTests {
    /// Configuration files that change under running processes.
    @Suite struct Reload {
        private func write(_ rules: String, to file: String) throws {
            let url = URL(fileURLWithPath: file)
            let text = try String(contentsOf: url, encoding: .utf8)
            let head = text.components(separatedBy: "ingress:")[0]
            try Data("\(head)ingress:\n\(rules)\n".utf8).write(to: url, options: .atomic)
        }

        @Test("SIGHUP ends no connector without a file, and culvert http as SIGTERM does")
        func hangUp() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            let origin = try Origin(in: deployment.directory)
            try ann.ok(["tunnel", "create", "web"])
            try ann.ok(["tunnel", "route", "dns", "web", "ann.example.test"])
            let connector = try ann.connect(["web"], to: origin)
            let held = try deployment.beginCurl("/hold/it", host: "ann.example.test")
            try waitFor("the request") { try origin.openRequests().isEmpty ? nil : true }
            connector.signal(SIGHUP)
            #expect(try deployment.curl("/status/201", host: "ann.example.test").status == 201)
            try origin.release("it")
            #expect(try held.finish().status == 200)
            let quick = try ann.start(["http", "\(origin.port)", "--hostname", "quick"])
            try quick.line("^https://quick")
            let last = try deployment.beginCurl("/hold/it2", host: "quick.example.test")
            try waitFor("the request") { try origin.openRequests().isEmpty ? nil : true }
            quick.signal(SIGHUP)
            try origin.release("it2")
            #expect(try last.finish().status == 200)
            #expect(try quick.exit() == 0)
        }

        @Test("a connector's rules change at once, a bad file changes nothing, and nothing is cut")
        func connector() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            let all = "http://127.0.0.1:\(origin.port)"
            let connector = try deployment.startConnector(
                ingress: ["{hostname: app.example.test, service: '\(all)'}"]
            )
            let name = try #require(
                try FileManager.default.contentsOfDirectory(atPath: deployment.directory.path)
                    .first { $0.hasPrefix("config-") }
            )
            let file = deployment.directory.file(name)
            let stream = try deployment.beginCurl("/ticks/60?pause=0.1")
            #expect(try deployment.curl("/status/201").status == 201)
            // Written anew: noticed by itself.
            try self.write(
                "  - {hostname: app.example.test, path: ^/new, service: 'http_status:418'}\n"
                    + "  - {service: '\(all)'}",
                to: file
            )
            try connector.line("Read the configuration again")
            #expect(try deployment.curl("/new").status == 418)
            #expect(try deployment.curl("/status/202").status == 202)
            // What the next start would fail of is a mistake now.
            let text = deployment.directory.text(name)
            for (key, lost) in [
                ("ca-file", "/nowhere/ca.pem"), ("credentials-file", "/nowhere/key.json"),
            ] {
                let line = try #require(text.firstMatch("(?m)^(\(key):.*)$"))
                let wrong = text.replacingOccurrences(of: line, with: "\(key): \(lost)")
                try Data(wrong.utf8).write(
                    to: URL(fileURLWithPath: file)
                )
                connector.signal(SIGHUP)
                try connector.line("The configuration stays as it was.*\n?.*\(lost)")
            }
            #expect(try deployment.curl("/new").status == 418)
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            connector.signal(SIGHUP)
            try connector.line("Read the configuration again", skipping: 1)
            // With a mistake: told with file and line, and the rules stay.
            try self.write("  - {service: 'nonsense://x'}", to: file)
            try connector.line("The configuration stays as it was.*\n?.*\(name):[0-9]+:.*nonsense")
            #expect(try deployment.curl("/new").status == 418)
            // At a signal, too.
            try self.write("  - {service: 'http_status:410'}", to: file)
            connector.signal(SIGHUP)
            try waitFor("the new rules") {
                try deployment.curl("/new").status == 410 ? true : nil
            }
            let whole = try stream.finish()
            #expect(whole.exit == 0 && whole.status == 200, "\(whole.said)")
        }

        @Test("the tunnels that edge.yml declares change at once; a bad file changes nothing")
        func edge() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            let connector = try deployment.startConnector(
                ingress: ["{service: 'http://127.0.0.1:\(origin.port)'}"].dropLast() + [
                    "{hostname: '*.example.test', service: 'http://127.0.0.1:\(origin.port)'}"
                ]
            )
            let file = deployment.directory.file("edge.yml")
            let before = deployment.directory.text("edge.yml")
            #expect(try deployment.curl("/", host: "new.example.test").status == 404)
            let more = before.replacingOccurrences(
                of: "hostnames: [app.example.test,",
                with: "hostnames: [new.example.test, app.example.test,"
            )
            try Data(more.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
            try waitFor("the new hostname", explain: { deployment.edge.said }) {
                let visit = try deployment.curl("/status/201", host: "new.example.test")
                return visit.status == 201 ? true : nil
            }
            try Data("\(more)\nnonsense: 1\n".utf8).write(to: URL(fileURLWithPath: file))
            try deployment.edge.line("The configuration stays as it was.*nonsense")
            #expect(try deployment.curl("/status/202").status == 202)
            let lost = more.replacingOccurrences(
                of: deployment.certificates.other.key,
                with: "/nowhere/key.pem"
            )
            try Data(lost.utf8).write(to: URL(fileURLWithPath: file))
            try deployment.edge.line("The configuration stays as it was.*/nowhere/key.pem")
            // The tunnel is gone, and so is its connector.
            let less = before.replacingOccurrences(of: "name: demo", with: "name: demo2")
                .replacingOccurrences(
                    of: try #require(before.firstMatch("(public-key: [^ \\n]+)\\n")),
                    with: "public-key: \(try Deployment.keygen("fresh", in: deployment.directory))"
                )
            try Data(less.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
            deployment.edge.signal(SIGHUP)
            try connector.line("no tunnel of this edge has this key")
            #expect(try connector.exit() == 77)
        }
    }
}
