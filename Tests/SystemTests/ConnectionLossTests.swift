import Foundation
import Testing

extension SystemTests {
    /// "Nothing is lost": the connection between connector and edge is cut, refused or goes silent.
    @Suite struct ConnectionLoss {
        /// An edge and a connector with a relay between them.
        struct World {
            let deployment: Deployment
            let origin: Origin
            let relay: CutRelay
            let connector: ManagedProcess

            init(settings: String = "", limits: [String] = [], websockets: Bool = false) throws {
                self.deployment = try Deployment(settings: settings, limits: limits)
                self.origin = try Origin(in: self.deployment.directory)
                self.relay = try CutRelay(to: self.deployment.port)
                let echo =
                    websockets ? try WebSocketOrigin(in: self.deployment.directory).port : nil
                self.connector = try self.deployment.startConnector(
                    to: self.origin,
                    websockets: echo,
                    through: self.relay.port
                )
            }

            var logs: String { self.deployment.logs(self.connector) }
        }

        @Test(
            "cut at any byte: no failed request, every SHA-256 right, every echo and event once and in order",
            .timeLimit(.minutes(4))
        )
        func cutAtAnyByte() throws {
            let world = try World(websockets: true)
            let load = try Load(
                world.deployment,
                seconds: isLongRun ? 60 : 20,
                kinds: ["small=4", "download=2", "upload=2", "events=2", "websocket=2", "http2"]
            )
            world.relay.cutAtRandom()
            let report = try load.report()
            #expect(report.failures == [], "\(world.logs)")
            #expect(report.counts.count == 6 && report.counts.values.allSatisfy { $0 > 0 })
            let counts = world.relay.counts
            #expect(counts.cuts >= (isLongRun ? 12 : 4))
            // One session from begin to end.
            #expect(world.deployment.edge.lines("Connector connected") == 1)
            print(
                "cut \(counts.cuts) times in \(counts.passed >> 20) MiB: \(report.counts), slowest \(report.slowest)"
            )
        }

        @Test("cut many times in a row while a download runs", .timeLimit(.minutes(2)))
        func cutOftenInARow() throws {
            let world = try World()
            let running = try world.deployment.beginCurl("/bytes/20000000?seed=1&pause=0.01")
            try waitFor("the first bytes") { running.body.isEmpty ? nil : true }
            for _ in 0..<10 {
                try waitFor("a connection", explain: { world.logs }) {
                    world.relay.connections > 0 ? true : nil
                }
                let before = world.relay.counts.cuts
                let passed = running.body.count
                world.relay.cut()
                try waitFor("a cut", explain: { world.logs }) {
                    world.relay.counts.cuts > before ? true : nil
                }
                guard running.process.exitStatus() == nil else { break }
                try waitFor("progress after a cut", explain: { world.logs }) {
                    running.body.count > passed || running.process.exitStatus() != nil ? true : nil
                }
            }
            let answer = try running.finish()
            #expect(
                answer.exit == 0 && answer.body.count == 20_000_000,
                "\(answer.said)\(world.logs)"
            )
            #expect(try answer.body == world.origin.ask("/bytes/20000000?seed=1").body)
        }

        @Test("away for ten seconds: requests wait and are answered", .timeLimit(.minutes(2)))
        func awayForTenSeconds() throws {
            let world = try World()
            let file = try world.deployment.directory.write(Data(count: 3 << 20), to: "upload")
            let download = try world.deployment.beginCurl("/bytes/5000000?pause=0.01")
            try waitFor("the first bytes") { download.body.isEmpty ? nil : true }
            try world.relay.become(.refuse)
            let start = ContinuousClock.now
            let waiting = [
                try world.deployment.beginCurl("/one", ["--http1.1"]),
                try world.deployment.beginCurl("/two", ["--http2"]),
                try world.deployment.beginCurl("/three", ["-d", "not safe to repeat"]),
                try world.deployment.beginCurl("/four", ["--http1.1", "-T", file]),
                try world.deployment.beginCurl("/five", ["--http2", "-T", file]),
            ]
            let away = isLongRun ? 10.0 : 5.0
            // The time away is the point of this test.
            usleep(UInt32(away * 1_000_000))
            for running in waiting { #expect(running.process.exitStatus() == nil) }
            try world.relay.become(.pass)
            for running in waiting {
                let echo = try Echo(running.finish())
                #expect(
                    echo.bodyBytes == ["/three": 18, "/four": 3 << 20, "/five": 3 << 20][
                        echo.target
                    ] ?? 0
                )
            }
            let answer = try download.finish()
            #expect(answer.exit == 0 && answer.body.count == 5_000_000, "\(answer.said)")
            print("away \(away) s; all answered after \(seconds(since: start)) s")
            #expect(seconds(since: start) < away + 10)
        }

        @Test("too many waiting: 503 with Retry-After; after the resume window all of them")
        func tooManyWaiting() throws {
            let world = try World(settings: "resume-window: 4s", limits: ["waiting-requests: 3"])
            try world.relay.become(.refuse)
            let start = ContinuousClock.now
            let waiting = try (0..<5).map { try world.deployment.beginCurl("/wait/\($0)") }
            let answers = try waiting.map { try $0.finish() }
            for answer in answers {
                #expect(answer.exit == 0 && answer.status == 503, "\(answer.said)\(world.logs)")
                #expect(answer.first("retry-after").flatMap { Int($0) } ?? 0 > 0)
            }
            let codes = answers.compactMap { $0.first("culvert-error") }
            #expect(codes.filter { $0 == "no-connector" }.count == 3, "\(codes)")
            #expect(codes.filter { $0 == "too-many-waiting" }.count == 2, "\(codes)")
            #expect(seconds(since: start) >= 3.5 && seconds(since: start) < 15)
            // It comes back with a new session.
            try world.relay.become(.pass)
            try world.connector.line("Connected to the edge", skipping: 1)
            #expect(try world.deployment.curl("/after").status == 200)
        }

        @Test("no connector at all: 503 after the wait; one that comes in time: an answer")
        func noConnector() throws {
            let deployment = try Deployment(settings: "resume-window: 2s")
            let start = ContinuousClock.now
            let answer = try deployment.curl("/x")
            #expect(answer.status == 503 && answer.first("culvert-error") == "no-connector")
            #expect(answer.first("retry-after") != nil)
            #expect(seconds(since: start) >= 1.9 && seconds(since: start) < 10)
            let waiting = try deployment.beginCurl("/y")
            let origin = try Origin(in: deployment.directory)
            try deployment.startConnector(to: origin)
            let late = try waiting.finish()
            #expect(late.status == 200, "\(late.text)")
        }

        @Test(
            "dead without a word: noticed within the liveness deadline, then answered",
            .timeLimit(.minutes(2))
        )
        func deadWithoutAWord() throws {
            let world = try World()
            let download = try world.deployment.beginCurl("/bytes/20000000?seed=2&pause=0.02")
            try waitFor("the first bytes") { download.body.isEmpty ? nil : true }
            try world.relay.become(.blackHole)
            // Let the relay's connections see it, then let new ones pass: only the old path is dead.
            usleep(200_000)
            try world.relay.become(.pass)
            let start = ContinuousClock.now
            let answer = try world.deployment.curl("/after", within: 60)
            #expect(answer.status == 200, "\(answer.said)\(world.logs)")
            print("a dead path was noticed after \(seconds(since: start)) s")
            #expect(seconds(since: start) < 25)
            let whole = try download.finish()
            #expect(whole.exit == 0 && whole.body.count == 20_000_000, "\(whole.said)")
            #expect(world.deployment.edge.lines("Connector connected") == 1, "resumed")
        }
    }
}
