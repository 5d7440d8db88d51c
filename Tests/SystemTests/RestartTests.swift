import Foundation
import Testing

extension SystemTests {
    /// Ends of processes: killed, restarted, drained, frozen; and two connectors of one tunnel.
    @Suite struct Restart {
        @Test("edge killed and restarted: connectors are back within moments of it listening")
        func edgeRestarted() throws {
            let world = try Faithfulness.World()
            #expect(try world.curl("/before").status == 200)
            world.deployment.edge.killNow()
            // Long enough away for the connector to have slowed down.
            usleep(3_000_000)
            try world.deployment.restartEdge()
            let start = ContinuousClock.now
            let waiting = try world.deployment.beginCurl("/at-once")
            try world.deployment.edge.line("Connector connected", within: 10)
            let back = seconds(since: start)
            print("connector back \(back) s after the edge listened")
            #expect(back < 2)
            let answer = try waiting.finish()
            #expect(answer.status == 200, "\(answer.text)")
        }

        @Test(
            "SIGTERM drains the edge: a download and an upload complete, then exit 0",
            arguments: ["--http1.1", "--http2"]
        )
        func edgeDrains(version: String) throws {
            let world = try Faithfulness.World()
            let download = try world.deployment.beginCurl(
                "/bytes/10000000?seed=4&pause=0.015",
                [version]
            )
            let file = try world.deployment.directory.write(Data(count: 5 << 20), to: "upload")
            let upload = try world.deployment.beginCurl(
                "/up",
                [version, "-T", file, "--limit-rate", "3M"]
            )
            try waitFor("the first bytes") { download.body.isEmpty ? nil : true }
            try waitFor("the upload's begin") {
                try world.origin.openRequests().contains("/up") ? true : nil
            }
            world.deployment.edge.signal(SIGTERM)
            try waitFor("no new connection is taken") {
                let answer = try world.deployment.curl("/new", [version])
                return answer.exit != 0 || answer.status == 503 ? true : nil
            }
            #expect(download.process.exitStatus() == nil, "the download was over too soon to tell")
            let answer = try download.finish()
            #expect(answer.exit == 0 && answer.body.count == 10_000_000, "\(answer.said)")
            let echo = try Echo(upload.finish())
            #expect(echo.bodyBytes == 5 << 20)
            #expect(try world.deployment.edge.exit(within: 15) == 0)
        }

        /// A load balancer's address, behind which one edge takes the place of another.
        @Test(
            "an edge that drains is left before it is gone: the connector is at its successor first"
        )
        func successor() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            let relay = try CutRelay(to: deployment.port)
            let connector = try deployment.startConnector(to: origin, through: relay.port)
            let held = try deployment.beginCurl("/hold/successor")
            try waitFor("the request") { try origin.openRequests().isEmpty ? nil : true }
            let first = try deployment.replaceEdge()
            relay.redirect(to: deployment.port)
            first.signal(SIGTERM)
            try deployment.edge.line("Connector connected", within: 10)
            let answer = try deployment.curl("/new")
            #expect(answer.status == 200, "\(answer.said)\(deployment.logs(connector))")
            #expect(first.exitStatus() == nil, "the first edge was gone before")
            try origin.release("successor")
            let late = try held.finish()
            #expect(late.status == 200 && late.text == "held by origin", "\(late.said)")
            #expect(try first.exit(within: 15) == 0)
            #expect(try deployment.curl("/after").status == 200)
            #expect(connector.lines("Connected to the edge") == 2)
            connector.signal(SIGTERM)
            #expect(try connector.exit(within: 5) == 0)
        }

        @Test("the grace period is the longest a drain takes; a second signal ends it at once")
        func endOfDrain() throws {
            for signals in [1, 2] {
                let deployment = try Deployment(
                    settings: "grace-period: \(signals == 1 ? "2s" : "60s")"
                )
                let origin = try Origin(in: deployment.directory)
                try deployment.startConnector(to: origin)
                let held = try deployment.beginCurl("/hold/never")
                try waitFor("the request") { try origin.openRequests().isEmpty ? nil : true }
                deployment.edge.signal(SIGTERM)
                let start = ContinuousClock.now
                if signals == 2 {
                    try waitFor("the drain") {
                        try deployment.curl("/new").status == 200 ? nil : true
                    }
                    #expect(deployment.edge.exitStatus() == nil)
                    deployment.edge.signal(SIGTERM)
                }
                let status = try deployment.edge.exit(within: 20)
                #expect(status == 0)
                #expect(seconds(since: start) < 10, "\(signals) signals")
                #expect(try held.finish().exit != 0 || held.finish().status >= 500)
            }
        }

        @Test(
            "SIGTERM drains the connector: its requests complete, then exit 0; new ones go to the other"
        )
        func connectorDrains() throws {
            let deployment = try Deployment()
            let first = try Origin("first", in: deployment.directory)
            let connector = try deployment.startConnector(to: first)
            let download = try deployment.beginCurl("/bytes/10000000?seed=5&pause=0.015")
            try waitFor("the first bytes") { download.body.isEmpty ? nil : true }
            let second = try Origin("second", in: deployment.directory)
            try deployment.startConnector(to: second)
            connector.signal(SIGTERM)
            var answered: [String] = []
            while connector.exitStatus() == nil, download.process.exitStatus() == nil {
                answered.append(try Echo(deployment.curl("/new")).origin)
            }
            let answer = try download.finish()
            #expect(answer.exit == 0 && answer.body.count == 10_000_000, "\(answer.said)")
            #expect(try connector.exit(within: 15) == 0)
            #expect(answered.last == "second" && answered.count > 3)
            // Requests on their way at the signal may still reach the first.
            #expect(answered.dropFirst(3).allSatisfy { $0 == "second" }, "\(answered)")
            #expect(try Echo(deployment.curl("/after")).origin == "second")
        }

        @Test(
            "an idle connector and an idle edge end at once on SIGTERM and on SIGINT",
            arguments: [SIGTERM, SIGINT]
        )
        func idleEnd(signal: CInt) throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            let websockets = try WebSocketOrigin(in: deployment.directory)
            let connector = try deployment.startConnector(to: origin, websockets: websockets.port)
            #expect(try deployment.curl("/x").status == 200)
            connector.signal(signal)
            #expect(try connector.exit(within: 5) == 0)
            deployment.edge.signal(signal)
            #expect(try deployment.edge.exit(within: 5) == 0)
        }

        @Test(
            "two connectors share the requests; kill -9 of one fails none that is safe to repeat",
            .timeLimit(.minutes(2))
        )
        func killedUnderLoad() throws {
            let pair = try Pair()
            let load = try Load(pair.deployment, seconds: 6, kinds: ["small=16"])
            try load.started()
            usleep(1_500_000)
            pair.connectors[0].killNow()
            let report = try load.report()
            #expect(report.failures == [], "\(pair.deployment.logs(pair.connectors[1]))")
            let first = report.origins["first"] ?? 0
            let second = report.origins["second"] ?? 0
            print("kill -9 under load: \(report.origins), slowest \(report.slowest)")
            #expect(first > 50 && second > first, "both had their share before, one after")
        }

        @Test(
            "a frozen connector is taken out within the liveness deadline",
            .timeLimit(.minutes(2))
        )
        func frozen() throws {
            let pair = try Pair()
            let load = try Load(pair.deployment, seconds: 22, kinds: ["small=4"])
            try load.started()
            pair.connectors[0].signal(SIGSTOP)
            let report = try load.report()
            #expect(report.failures == [], "\(pair.deployment.logs(pair.connectors[1]))")
            let slowest = report.slowest["small"] ?? 0
            print("a frozen connector: \(report.origins), slowest \(slowest) s")
            #expect(slowest < 25)
            // Thawed, it is used again.
            pair.connectors[0].signal(SIGCONT)
            try waitFor("the thawed connector's answer", seconds: 30) {
                try Echo(pair.deployment.curl("/thawed")).origin == "first" ? true : nil
            }
        }

        /// Two connectors of one tunnel, whose origins tell them apart.
        private struct Pair {
            let deployment: Deployment
            let connectors: [ManagedProcess]

            init() throws {
                let deployment = try Deployment()
                self.deployment = deployment
                self.connectors = try ["first", "second"].map { name in
                    let origin = try Origin(name, in: deployment.directory)
                    return try deployment.startConnector(to: origin)
                }
            }
        }
    }
}
