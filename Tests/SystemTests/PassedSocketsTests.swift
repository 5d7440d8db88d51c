import Foundation
import Testing

extension SystemTests {
    /// Listening sockets that somebody else holds, as systemd does (sd_listen_fds(3)).
    @Suite(.timeLimit(.minutes(2))) struct PassedSockets {
        /// Starts an edge with sockets; `NAME=HOST:PORT` each.
        private func activate(
            _ sockets: [String],
            _ deployment: Deployment
        ) throws -> ManagedProcess {
            let edge = ["edge", "run", "--config", deployment.directory.file("edge.yml")]
            return try ManagedProcess(
                Programs.python,
                [Programs.script("activator.py")] + sockets + ["--", Programs.culvert] + edge,
                in: deployment.directory
            )
        }

        @Test("an edge is restarted under load, twice: nobody is refused, and nothing fails")
        func restarts() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            deployment.edge.killNow()
            // One by its port, one by its name, whose port is not the file's.
            let sockets = ["=127.0.0.1:\(deployment.port)", "http=127.0.0.1:0"]
            let edge = try self.activate(sockets, deployment)
            try edge.line("Edge started")
            let connector = try deployment.startConnector(to: origin)
            let kinds = ["small=8", "fresh=4", "download=2", "upload=2", "events", "http2"]
            let load = try Load(deployment, seconds: 16, kinds: kinds)
            try load.started()
            for restart in 1...2 {
                edge.signal(SIGHUP)
                try edge.line("Edge started", skipping: restart)
                try connector.line("Connected to the edge", skipping: restart)
            }
            let report = try load.report()
            #expect(report.failures == [], "\(edge.said)\(connector.said)")
            #expect(edge.lines("ended with 0") == 2)
            print("restarted under load: \(report.counts), slowest \(report.slowest)")
            let port = try edge.line(#"^socket http 127.0.0.1:(\d+)"#)
            let plain = try Curl(
                "http://\(Deployment.host):\(port)/",
                ["--resolve", "*:\(port):127.0.0.1"],
                in: deployment.directory
            )
            #expect(plain.status == 308)
            edge.signal(SIGTERM)
            #expect(try edge.exit() == 0)
        }

        @Test("connections wait while no edge is there, and are served by the next")
        func waiting() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            deployment.edge.killNow()
            let edge = try self.activate(["https=127.0.0.1:\(deployment.port)"], deployment)
            try edge.line("Edge started")
            try deployment.startConnector(to: origin)
            let held = try deployment.beginCurl("/hold/first")
            try waitFor("the request") { try origin.openRequests().isEmpty ? nil : true }
            edge.signal(SIGHUP)
            try edge.line("Stopping: no new connections")
            let waiting = try deployment.beginCurl("/second")
            try origin.release("first")
            #expect(try held.finish().text == "held by origin")
            #expect(try waiting.finish().status == 200)
            try edge.line("Edge started", skipping: 1)
        }

        @Test("a socket that is not asked for, or is none, keeps the edge from starting, in words")
        func refusals() throws {
            let deployment = try Deployment()
            deployment.edge.killNow()
            let https = "https=127.0.0.1:\(deployment.port)"
            let cases: [([String], String)] = [
                ([https, "metrics=127.0.0.1:0"], "`listen.metrics` is off"),
                ([https, "other=127.0.0.1:0"], "no key of `listen` has port"),
                ([https, "https=127.0.0.1:0"], "two sockets were passed for `listen.https`"),
            ]
            for (sockets, words) in cases {
                let edge = try self.activate(sockets, deployment)
                #expect(try edge.exit() == 1, "\(sockets)")
                #expect(edge.errors.contains(words), "\(edge.said)")
            }
            let edge = "edge run --config \(deployment.directory.file("edge.yml"))"
            let none = try Finished(
                "/bin/sh",
                ["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \(Programs.culvert) \(edge) 3</dev/null"],
                in: deployment.directory
            )
            #expect(none.status == 1)
            #expect(none.errors.contains("not a listening TCP socket"), "\(none.errors)")
        }

        @Test("sockets that are another process's are left alone")
        func others() throws {
            let deployment = try Deployment()
            deployment.edge.killNow()
            let edge = try ManagedProcess(
                "/usr/bin/env",
                ["LISTEN_PID=1", "LISTEN_FDS=1", Programs.culvert, "edge", "run", "--config"]
                    + [deployment.directory.file("edge.yml")],
                in: deployment.directory
            )
            try edge.line("Edge started")
            edge.signal(SIGTERM)
            #expect(try edge.exit() == 0)
        }
    }
}
