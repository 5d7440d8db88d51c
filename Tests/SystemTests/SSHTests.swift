import Foundation
import Glibc
import Testing

extension SystemTests {
    /// SSH through the tunnel with the real ssh, scp and sshd, and `culvert access ssh` between them.
    @Suite struct SSH {
        private static let size = isLongRun ? 1 << 30 : 256 << 20

        /// An sshd behind a connector, and a relay between that and the edge.
        private struct World {
            let deployment: Deployment
            let server: SSHServer
            let relay: CutRelay
            let connector: ManagedProcess

            init() throws {
                self.deployment = try Deployment()
                self.server = try SSHServer(in: self.deployment.directory)
                self.relay = try CutRelay(to: self.deployment.port)
                self.connector = try self.deployment.startConnector(
                    ingress: [
                        "{hostname: ssh.sub.example.test, service: 'ssh://127.0.0.1:\(self.server.port)'}"
                    ],
                    through: self.relay.port
                )
            }

            var directory: TemporaryDirectory { self.deployment.directory }
            var logs: String { self.deployment.logs(self.connector, self.server.process) }
            var options: [String] { self.server.options(through: self.deployment) }

            func sha256(_ name: String) throws -> String {
                let sum = try Finished("sha256sum", [self.directory.file(name)], in: self.directory)
                return String(sum.output.prefix(64))
            }

            /// Copies a file there and back.
            func copyBothWays(_ size: Int) throws {
                let file = self.directory.file("original")
                let made = try Finished(
                    "sh",
                    ["-c", "head -c \(size) /dev/urandom > \(file)"],
                    in: self.directory
                )
                #expect(made.status == 0)
                let hash = try self.sha256("original")
                let there = "\(SSHServer.destination):\(self.directory.file("there"))"
                for (from, to, name) in [
                    (file, there, "there"), (there, self.directory.file("back"), "back"),
                ] {
                    let start = ContinuousClock.now
                    let copy = try ManagedProcess(
                        "scp",
                        self.options + [from, to],
                        in: self.directory
                    )
                    let status = try copy.exit(within: isLongRun ? 900 : 200)
                    #expect(status == 0, "\(copy.said)\(self.logs)")
                    #expect(try self.sha256(name) == hash)
                    print("scp \(name): \(size >> 20) MiB in \(seconds(since: start)) s")
                }
            }
        }

        @Test("a command's output, errors and exit code", .timeLimit(.minutes(1)))
        func command() throws {
            let world = try World()
            let done = try Finished(
                "ssh",
                world.options + [SSHServer.destination, "echo out; echo err >&2; exit 7"],
                in: world.directory
            )
            #expect(done.status == 7, "\(done.errors)\(world.logs)")
            #expect(done.output == "out\n" && done.errors == "err\n")
        }

        @Test("a big file by scp, there and back, SHA-256 compared", .timeLimit(.minutes(30)))
        func bigFile() throws {
            let world = try World()
            try world.copyBothWays(Self.size)
            for (name, process) in [
                ("edge", world.deployment.edge), ("connector", world.connector),
            ] {
                print("\(name): \(process.residentBytes >> 20) MiB")
            }
        }

        @Test("the same while the tunnel's connection is cut", .timeLimit(.minutes(30)))
        func bigFileThroughCuts() throws {
            let world = try World()
            world.relay.cutAtRandom()
            try world.copyBothWays(Self.size)
            let cuts = world.relay.counts.cuts
            print("cut \(cuts) times")
            #expect(cuts >= 4)
            #expect(world.deployment.edge.lines("Connector connected") == 1, "one session")
        }

        @Test("a terminal's lines stay in order while the link is cut", .timeLimit(.minutes(2)))
        func terminalThroughCuts() throws {
            let world = try World()
            let pipe = world.directory.file("keyboard")
            try #require(mkfifo(pipe, 0o600) == 0)
            let keyboard = open(pipe, O_RDWR | O_CLOEXEC)
            ProcessScope.current?.atEnd { close(keyboard) }
            let shell = try ManagedProcess(
                "ssh",
                world.options + ["-tt", SSHServer.destination, "stty -echo; echo ready; cat"],
                input: pipe,
                in: world.directory
            )
            try shell.line("^ready")
            for number in 0..<40 {
                let line = "line \(number)\n"
                #expect(write(keyboard, line, line.utf8.count) == line.utf8.count)
                // Some lines are on their way when the link goes, others are typed without one.
                if number % 4 == 1 { world.relay.cut() }
                if number % 4 == 3 { continue }
                try shell.line("^line \(number)\r?$")
            }
            let expected = "ready\r\n" + (0..<40).map { "line \($0)\r\n" }.joined()
            try waitFor("all lines", explain: { shell.said + world.logs }) {
                shell.output == expected ? true : nil
            }
            #expect(world.relay.counts.cuts >= 8)
            #expect(write(keyboard, "\u{4}", 1) == 1)
            #expect(try shell.exit() == 0)
            #expect(world.deployment.edge.lines("Connector connected") == 1, "one session")
        }

        @Test("ssh-config prints a stanza that ssh takes", .timeLimit(.minutes(1)))
        func configuration() throws {
            let world = try World()
            let made = try Finished(
                Programs.culvert,
                [
                    "access", "ssh-config", "--hostname",
                    "ssh.sub.example.test:\(world.deployment.port)",
                    "--ca-file", world.deployment.certificates.authority, "--edge-address",
                    "127.0.0.1:\(world.deployment.port)",
                ],
                in: world.directory
            )
            #expect(made.output.hasPrefix("Host ssh.sub.example.test\n    ProxyCommand /"))
            let file = try world.directory.write(made.output, to: "ssh_config")
            // The options but for `-F none` and the ProxyCommand.
            let options = Array(world.options.dropFirst(2).dropLast(2))
            let done = try Finished(
                "ssh",
                ["-F", file] + options + [SSHServer.destination, "echo there"],
                in: world.directory
            )
            #expect(done.status == 0 && done.output == "there\n", "\(done.errors)\(world.logs)")
        }
    }
}
