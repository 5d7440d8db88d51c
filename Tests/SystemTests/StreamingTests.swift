import Foundation
import Testing

extension SystemTests {
    /// "SSE and any other stream flushed piece by piece"; WebSockets.
    @Suite struct Streaming {
        @Test(
            "an event is visible to the visitor before the next is sent",
            arguments: ["--http1.1", "--http2"]
        )
        func events(version: String) throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            try deployment.startConnector(to: origin)
            let run = "run" + version.suffix(1)
            let running = try deployment.beginCurl("/events/50?run=\(run)", [version])
            var slowest = 0.0
            for index in 0..<50 {
                let start = ContinuousClock.now
                // The origin sends an event only when the one before was acknowledged.
                try waitFor("event \(index)", explain: { deployment.logs(running.process) }) {
                    let text = String(decoding: running.body, as: UTF8.self)
                    return text.hasSuffix("data: event \(index)\n\n") ? true : nil
                }
                slowest = max(slowest, seconds(since: start))
                let acknowledgement = try deployment.curl("/_ack/\(run).\(index)")
                #expect(acknowledgement.status == 200)
            }
            #expect(slowest < 1)
            let answer = try running.finish()
            #expect(answer.exit == 0)
            #expect(answer.first("content-type") == "text/event-stream")
        }

        @Test(
            "WebSocket: echoes of 0 B to 1 MiB, fragments, order, ping and pong, close codes",
            arguments: ["echo", "close", "ping"]
        )
        func websocket(what: String) throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            let websockets = try WebSocketOrigin(in: deployment.directory)
            let connector = try deployment.startConnector(to: origin, websockets: websockets.port)
            let visit = try Self.visit(deployment, what)
            #expect(
                visit.status == 0 && visit.output == "good\n",
                "\(visit.errors)\(deployment.logs(connector))"
            )
            if what == "echo" {
                #expect(websockets.process.output.contains("closed 4321 done"))
            }
        }

        @Test("a WebSocket whose visitor vanishes ends at the origin, too")
        func websocketAbort() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            let websockets = try WebSocketOrigin(in: deployment.directory)
            try deployment.startConnector(to: origin, websockets: websockets.port)
            let visit = try Self.visit(deployment, "abort")
            #expect(visit.status == 0, "\(visit.errors)")
            try websockets.process.line("^closed 1006")
        }

        @Test("a WebSocket refused by its origin: the visitor gets the origin's answer")
        func websocketRefused() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            try deployment.startConnector(to: origin)
            let answer = try deployment.curl(
                "/status/403",
                [
                    "--http1.1", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket",
                    "-H", "Sec-WebSocket-Version: 13", "-H",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                ]
            )
            #expect(answer.status == 403 && answer.text == "status 403", "\(answer.said)")
        }

        private static func visit(_ deployment: Deployment, _ what: String) throws -> Finished {
            try Finished(
                Programs.python,
                [
                    Programs.script("websocket_visitor.py"), "ws.example.test",
                    "\(deployment.port)", deployment.certificates.authority, what,
                ],
                in: deployment.directory
            )
        }
    }
}
