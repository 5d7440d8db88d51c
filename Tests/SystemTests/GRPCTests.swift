import Foundation
import Glibc
import Testing

extension SystemTests {
    /// "A real gRPC client and server over the tunnel, unary and both kinds of streaming."
    @Suite struct GRPC {
        /// An edge, a connector and a gRPC server behind it.
        struct World {
            let deployment: Deployment
            let origin: GRPCOrigin
            let connector: ManagedProcess
            let relay: CutRelay?

            /// - Parameters:
            ///   - transport: How the origin is spoken to.
            ///   - age: After how many milliseconds its connections are told to go away; 0 for never.
            ///   - relays: Whether the connector dials through a relay that can be cut.
            ///   - settings: Further lines of edge.yml.
            ///   - limits: Lines of its `limits`.
            ///   - rule: Further keys of the rule's `originRequest`.
            /// - Throws: `TestFailure` when something does not start.
            init(
                _ transport: GRPCOrigin.Transport = .http,
                age: Int = 0,
                relays: Bool = false,
                settings: String = "",
                limits: [String] = [],
                rule: String = "http2Origin: true"
            ) throws {
                self.deployment = try Deployment(settings: settings, limits: limits)
                self.origin = try GRPCOrigin(
                    transport,
                    age: age,
                    certificates: self.deployment.certificates,
                    in: self.deployment.directory
                )
                self.relay = relays ? try CutRelay(to: self.deployment.port) : nil
                let options = "\(rule), caPool: \(self.deployment.certificates.authority)"
                self.connector = try self.deployment.startConnector(
                    ingress: [
                        "{hostname: \(Deployment.host), service: '\(self.origin.service)', "
                            + "originRequest: {\(options)}}"
                    ],
                    through: self.relay?.port
                )
            }

            func beginVisit(
                _ what: [String],
                host: String = Deployment.host
            ) throws -> ManagedProcess {
                try ManagedProcess(
                    Programs.python,
                    [
                        Programs.script("grpc_visitor.py"), host,
                        "\(self.deployment.port)", self.deployment.certificates.authority,
                    ] + what,
                    in: self.deployment.directory
                )
            }

            /// Has the client do what the names in grpc_visitor.py say.
            func visit(_ what: String..., host: String = Deployment.host) throws {
                let visitor = try self.beginVisit(what, host: host)
                let status = try visitor.exit(within: 90)
                let logs = self.deployment.logs(self.connector, self.origin.process)
                #expect(status == 0 && visitor.output == "good\n", "\(visitor.said)\n\(logs)")
            }
        }

        @Test(
            "unary, both kinds of streaming, both at once, each message seen before the next is sent",
            arguments: GRPCOrigin.Transport.allCases
        )
        func calls(transport: GRPCOrigin.Transport) throws {
            let world = try World(transport)
            try world.visit(
                "unary",
                "client_streaming",
                "server_streaming",
                "bidirectional",
                "server_ends_first"
            )
        }

        @Test("statuses with their details and trailers: alone, behind messages, of no method")
        func status() throws {
            try World().visit("status")
        }

        @Test("deadlines and cancelling reach the server")
        func givingUp() throws {
            let world = try World()
            try world.visit("deadline")
            try world.origin.process.line("^cancelled deadline$")
            try world.visit("cancel")
            try world.origin.process.line("^cancelled cancel$")
        }

        @Test("a message of 8 MiB, there and back", arguments: GRPCOrigin.Transport.allCases)
        func large(transport: GRPCOrigin.Transport) throws {
            try World(transport).visit("large")
        }

        @Test("100 calls at once, none of which is answered before all have come")
        func concurrent() throws {
            let world = try World()
            try world.visit("concurrent", "unary")
        }

        @Test("no call fails while the server sends its connections away, one after the other")
        func rotation() throws {
            let world = try World(age: 300)
            try world.visit("rotation")
            #expect(world.origin.process.lines("^peer ") > 10, "in five seconds")
        }

        @Test("a conversation outlives the tunnel's connections: each message once and in order")
        func cuts() throws {
            let world = try World(relays: true)
            let relay = try #require(world.relay)
            let visitor = try world.beginVisit(["long_conversation"])
            try visitor.line("^under way$")
            for number in 1...3 {
                try waitFor("a connection") { relay.connections > 0 ? true : nil }
                relay.cut()
                try waitFor("a cut") { relay.counts.cuts >= number ? true : nil }
            }
            #expect(visitor.exitStatus() == nil, "it is still under way")
            let logs = world.deployment.logs(world.connector, world.origin.process)
            #expect(try visitor.exit(within: 90) == 0, "\(visitor.said)\n\(logs)")
            #expect(world.deployment.edge.lines("Connector connected") == 1)
        }

        @Test("a server that dies amid a call is seen as such; one that is gone is unavailable")
        func broken() throws {
            let world = try World()
            let visitor = try world.beginVisit(["broken"])
            try visitor.line("^answering$")
            world.origin.process.killNow()
            #expect(try visitor.exit(within: 60) == 0, "\(visitor.said)")
        }

        @Test("failures of the tunnel come as gRPC's own: code, words, and what the edge calls it")
        func failures() throws {
            let world = try World(settings: "resume-window: 1s")
            try world.visit("unknown", host: "nobody.example.test")
            try world.visit("away", host: "other.test")
            world.origin.process.killNow()
            try world.visit("down")
            for (status, code) in [
                (404, "hostname-unknown"), (503, "no-connector"), (502, "origin-unreachable"),
            ] {
                let line = "error=\(code) .*status=\(status)"
                #expect(world.deployment.edge.lines(line) == 1, "\(code)")
            }
        }

        @Test("who is not let in is told so in gRPC's form")
        func notLetIn() throws {
            let world = try World(rule: "http2Origin: true, basicAuth: ['ann:correct-horse']")
            try world.visit("not_let_in")
        }

        @Test("a call that is silent for longer than a body may be, before its server answers")
        func quiet() throws {
            try World(limits: ["body-idle-timeout: 1s"]).visit("quiet")
        }

        @Test("a rule without http2Origin: the connector's log says which key is missing")
        func missingKey() throws {
            let world = try World(rule: "http2Origin: false")
            try world.visit("unavailable")
            try world.connector.line("HTTP/2 only: set originRequest.http2Origin: true")
        }

        @Test("the same server to a visitor without gRPC: HTTP/2 origins serve everybody")
        func plainVisitor() throws {
            let world = try World()
            for version in ["--http1.1", "--http2"] {
                let answer = try world.deployment.curl(
                    "/test.Test/Unary",
                    [
                        version, "-X", "POST", "-H", "Content-Type: application/grpc", "-H",
                        "TE: trailers", "--data-binary", "x",
                    ]
                )
                // A body that is no message: gRPC's own status, in trailers or alone.
                #expect(answer.exit == 0 && answer.status == 200, "\(answer.said)")
            }
        }
    }
}
