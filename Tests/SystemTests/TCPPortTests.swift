import Foundation
import Glibc
import Testing

extension SystemTests {
    /// `culvert tcp`: a port of the edge for a TCP service.
    @Suite struct TCPPort {
        /// A development edge, a TCP origin, and `culvert tcp` between them.
        private struct World {
            let demo: DemoPath.Demo
            let origin: TCPOrigin
            let connector: ManagedProcess
            let port: Int

            init(_ options: [String] = [], origin port: Int? = nil) throws {
                self.demo = try DemoPath.Demo()
                self.origin = try TCPOrigin(in: self.demo.directory)
                self.connector = try Self.start(self.demo, port ?? self.origin.port, options)
                self.port = try Self.announced(by: self.connector)
            }

            static func start(
                _ demo: DemoPath.Demo,
                _ port: Int,
                _ options: [String]
            ) throws -> ManagedProcess {
                try ManagedProcess(
                    Programs.culvert,
                    ["tcp", "127.0.0.1:\(port)", "--dir", demo.directory.file("dev")] + options,
                    in: demo.directory
                )
            }

            static func announced(by connector: ManagedProcess) throws -> Int {
                let port = try connector.line(#"^tcp://127.0.0.1:(\d+)$"#)
                return try #require(Int(port))
            }

            /// Whether the port is listened on.
            var isOpen: Bool {
                guard let socket = connectedSocket(port: self.port) else { return false }
                close(socket)
                return true
            }

            func visit(_ kind: String, _ words: String...) throws -> String {
                let visitor = try Finished(
                    Programs.python,
                    [Programs.script("tcp_visitor.py"), "\(self.port)", kind] + words,
                    in: self.demo.directory
                )
                #expect(visitor.status == 0, "\(visitor.errors)\(self.connector.said)")
                return visitor.output.trimmingCharacters(in: .whitespacesAndNewlines)
            }
        }

        @Test(
            "bytes cross both ways, whole, and each direction ends by itself",
            .timeLimit(.minutes(1))
        )
        func bothWays() throws {
            let world = try World()
            #expect(world.connector.output == "tcp://127.0.0.1:\(world.port)\n")
            for count in [0, 1, 100_000, 30_000_000] {
                let words = try world.visit("upload", "\(count)").components(
                    separatedBy: " wanted "
                )
                #expect(words.count == 2 && words[0] == words[1], "\(words)")
            }
            let whole = try world.visit("download", "30000000")
            #expect(whole.hasPrefix("30000000 "))
            #expect(try world.visit("download", "30000000", "half") == whole)
            #expect(try world.visit("download", "0").hasPrefix("0 "))
            #expect(try world.visit("echo", "500").hasSuffix("echoed 500"))
        }

        @Test("an origin that ends first gets all that comes, and its end", .timeLimit(.minutes(1)))
        func originEndsFirst() throws {
            let world = try World()
            for round in 0..<3 {
                let sent = try world.visit("last", "5000000")
                let took = try world.origin.process.line("^(took|lost) (.*)$", skipping: round)
                #expect(took == "took", "\(world.origin.process.said)\(world.connector.said)")
                #expect(world.origin.process.said.hasSuffix(sent.dropFirst("sent".count)))
            }
        }

        @Test("an origin that breaks off is not taken for one that ends", .timeLimit(.minutes(1)))
        func broken() throws {
            let world = try World()
            #expect(try world.visit("broken", "5000000") == "reset")
        }

        @Test("an origin that is not there, and a visitor who may not, get a reset at once")
        func refused() throws {
            let dead = try World(origin: try freePort())
            #expect(try dead.visit("knock") == "reset")
            let closed = try World(["--cidr-allow", "127.0.0.1"])
            #expect(try closed.visit("knock", "0", "127.0.0.2") == "reset")
            #expect(try closed.visit("echo", "1", "127.0.0.1").hasSuffix("echoed 1"))
        }

        @Test("the port is closed with its connector, and can be had again")
        func closing() throws {
            let world = try World()
            world.connector.end()
            _ = try world.connector.exit()
            try waitFor("the port to be closed") { world.isOpen ? nil : true }
            let next = try World.start(
                world.demo,
                world.origin.port,
                ["--port", "\(world.port)"]
            )
            #expect(try World.announced(by: next) == world.port)
            #expect(try world.visit("echo", "1").hasSuffix("echoed 1"))
        }

        @Test("two connectors of a port share its visitors; the port stays while one is there")
        func two() throws {
            let world = try World()
            let other = try World.start(
                world.demo,
                world.origin.port,
                ["--port", "\(world.port)"]
            )
            #expect(try World.announced(by: other) == world.port)
            world.connector.killNow()
            _ = try world.connector.exit()
            #expect(try world.visit("echo", "3").hasSuffix("echoed 3"))
        }

        @Test("a lost session gets its port back", .timeLimit(.minutes(1)))
        func edgeRestart() throws {
            let world = try World()
            world.demo.edge.killNow()
            _ = try world.demo.edge.exit()
            let edge = try ManagedProcess(
                Programs.culvert,
                [
                    "edge", "dev", "--https", "127.0.0.1:\(world.demo.port)", "--http", "off",
                    "--dir", world.demo.directory.file("dev"),
                ],
                in: world.demo.directory
            )
            try edge.line("Edge for development")
            try waitFor("the port", seconds: 40, explain: { world.connector.said }) {
                world.isOpen ? true : nil
            }
            #expect(try world.visit("echo", "3").hasSuffix("echoed 3"))
        }

        @Test("a connection goes on through cuts of the tunnel", .timeLimit(.minutes(1)))
        func cuts() throws {
            let demo = try DemoPath.Demo()
            let relay = try CutRelay(to: demo.port)
            let file = demo.directory.file("dev/connector.yml")
            let text = try String(contentsOfFile: file, encoding: .utf8)
            try Data(
                text.replacingOccurrences(
                    of: "edge-address: 127.0.0.1:\(demo.port)",
                    with: "edge-address: 127.0.0.1:\(relay.port)"
                ).utf8
            ).write(to: URL(fileURLWithPath: file))
            let origin = try TCPOrigin(in: demo.directory)
            let connector = try World.start(demo, origin.port, [])
            let port = try World.announced(by: connector)
            let visitor = try ManagedProcess(
                Programs.python,
                [Programs.script("tcp_visitor.py"), "\(port)", "echo", "2000"],
                in: demo.directory
            )
            for number in 1...5 {
                try visitor.line("^line \(number * 300)$")
                relay.cut()
            }
            try visitor.line("echoed 2000", within: 40)
            #expect(try visitor.exit() == 0)
            #expect(relay.counts.cuts >= 5)
        }

        @Test("an edge that gives no ports says so, and one outside the range is refused")
        func notGiven() throws {
            let demo = try DemoPath.Demo()
            for (ports, words) in [
                ("off", "gives no TCP ports"), ("127.0.0.1:21000-21009", "is not one of 21000"),
            ] {
                let edge = try ManagedProcess(
                    Programs.culvert,
                    [
                        "edge", "dev", "--https", "127.0.0.1:0", "--http", "off", "--dir",
                        demo.directory.file("other"), "--tcp-ports", ports,
                    ],
                    in: demo.directory
                )
                try edge.line("Edge for development")
                let refused = try Finished(
                    Programs.culvert,
                    [
                        "tcp", "22", "--port", "2222", "--dir", demo.directory.file("other"),
                    ],
                    in: demo.directory
                )
                #expect(refused.status == 77 && refused.errors.contains(words), "\(refused.errors)")
                edge.end()
                _ = try edge.exit()
            }
        }
    }
}
