import Foundation
import Testing

extension SystemTests {
    /// What holds up an edge that stops, and what does not: with an hour to stop in, and an hour in which a
    /// tunnel may lose its connection, a test ends only where nothing is waited for in vain.
    @Suite(.timeLimit(.minutes(2))) struct Drain {
        private static let patience = "grace-period: 60m\nresume-window: 60m"

        /// Waits until curl has sent its request.
        private func sent(_ visit: Curl.Running, _ path: String) throws {
            try visit.process.line("^> [A-Z]+ \(path) ")
        }

        @Test(
            "a request that waits for a connector is answered at once, one under way goes on",
            arguments: ["--http1.1", "--http2"]
        )
        func waiting(version: String) throws {
            let deployment = try Deployment(settings: Self.patience)
            let origin = try Origin(in: deployment.directory)
            try deployment.startConnector(to: origin)
            let held = try deployment.beginCurl("/hold/it", [version])
            try waitFor("the request") { try origin.openRequests().isEmpty ? nil : true }
            let waiting = try deployment.beginCurl("/waiting", host: "other.test", [version])
            try self.sent(waiting, "/waiting")
            deployment.edge.signal(SIGTERM)
            let answer = try waiting.finish()
            #expect(answer.status == 503, "\(answer.said)")
            #expect(answer.first("culvert-error") == "no-connector")
            #expect(answer.first("retry-after") == "5")
            #expect(deployment.edge.exitStatus() == nil && held.process.exitStatus() == nil)
            try origin.release("it")
            let late = try held.finish()
            #expect(late.status == 200 && late.text == "held by origin", "\(late.said)")
            #expect(try deployment.edge.exit() == 0)
        }

        @Test("what is cut at the end of the grace period is cut, whatever the visitor does")
        func frozenVisitor() throws {
            let deployment = try Deployment(settings: "grace-period: 1s")
            let origin = try Origin(in: deployment.directory)
            try deployment.startConnector(to: origin)
            let visit = try deployment.beginCurl("/hold/never")
            try waitFor("the request") { try origin.openRequests().isEmpty ? nil : true }
            // It neither reads nor answers any more. TLS waits five seconds for such a visitor's end.
            visit.process.signal(SIGSTOP)
            defer { visit.process.killNow() }
            deployment.edge.signal(SIGTERM)
            #expect(try deployment.edge.exit(within: 4.5) == 0)
        }

        @Test(
            "a request whose connector is lost meanwhile fails at once, with a code that says why"
        )
        func lost() throws {
            let deployment = try Deployment(settings: Self.patience)
            let origin = try Origin(in: deployment.directory)
            let connector = try deployment.startConnector(to: origin)
            let post = try deployment.beginCurl("/hold/never", ["-d", "x"])
            let get = try deployment.beginCurl("/hold/never")
            try waitFor("the requests") { try origin.openRequests().count == 2 ? true : nil }
            deployment.edge.signal(SIGTERM)
            try deployment.edge.line("Stopping: no new connections")
            connector.killNow()
            // Whether it took effect nobody knows, so it is not repeated; the other would be, and waits no
            // more than any.
            let answer = try post.finish()
            #expect(answer.status == 502, "\(answer.said)")
            #expect(answer.first("culvert-error") == "edge-stopping")
            let repeated = try get.finish()
            #expect(repeated.status == 503, "\(repeated.said)")
            #expect(repeated.first("culvert-error") == "no-connector")
            #expect(try deployment.edge.exit() == 0)
        }

        @Test("a tunnel that has lost its connection before is not waited for either")
        func lostBefore() throws {
            let deployment = try Deployment(settings: Self.patience)
            let origin = try Origin(in: deployment.directory)
            let connector = try deployment.startConnector(to: origin)
            let post = try deployment.beginCurl("/hold/never", ["-d", "x"])
            try waitFor("the request") { try origin.openRequests().isEmpty ? nil : true }
            connector.killNow()
            try deployment.edge.line("Connector has lost its link")
            let waiting = try deployment.beginCurl("/waiting")
            try self.sent(waiting, "/waiting")
            deployment.edge.signal(SIGTERM)
            #expect(try post.finish().first("culvert-error") == "edge-stopping")
            #expect(try waiting.finish().first("culvert-error") == "no-connector")
            #expect(try deployment.edge.exit() == 0)
        }

        @Test("a visitor of a TCP port who waits for a connector is reset at once")
        func waitingForTCP() throws {
            let deployment = try Deployment(settings: Self.patience, tcpPorts: "127.0.0.1:0")
            let origin = try TCPOrigin(in: deployment.directory)
            let (connector, port) = try deployment.startTCPConnector(to: origin)
            connector.killNow()
            try deployment.edge.line("Connector has lost its link")
            let visitor = try ManagedProcess(
                Programs.python,
                [Programs.script("tcp_visitor.py"), "\(port)", "knock"],
                in: deployment.directory
            )
            try waitFor("the visitor to be inside") {
                try hasAccepted(port: port, in: deployment.directory) ? true : nil
            }
            deployment.edge.signal(SIGTERM)
            #expect(try visitor.exit() == 0 && visitor.output == "reset\n", "\(visitor.said)")
            #expect(try deployment.edge.exit() == 0)
        }
    }
}
