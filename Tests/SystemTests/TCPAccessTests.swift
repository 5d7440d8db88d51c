import Foundation
import Glibc
import Testing

extension SystemTests {
    /// `culvert access tcp` to services that are no HTTP.
    @Suite struct TCPAccess {
        /// A TCP origin behind a connector, under several services.
        private struct World {
            let deployment: Deployment
            let origin: TCPOrigin
            let connector: ManagedProcess

            init() throws {
                self.deployment = try Deployment()
                self.origin = try TCPOrigin(in: self.deployment.directory)
                let rules =
                    "originRequest: {ipRules: [{prefix: 127.0.0.1/32, ports: [\(self.origin.port)], "
                    + "allow: true}]}"
                self.connector = try self.deployment.startConnector(
                    ingress: [
                        "{hostname: tcp.sub.example.test, service: 'tcp://127.0.0.1:\(self.origin.port)'}",
                        "{hostname: dead.sub.example.test, service: 'tcp://127.0.0.1:1'}",
                        "{hostname: any.sub.example.test, service: bastion}",
                        "{hostname: bastion.sub.example.test, service: bastion, \(rules)}",
                        "{hostname: socks.sub.example.test, service: socks-proxy, \(rules)}",
                        "{hostname: web.sub.example.test, service: hello_world}",
                        "{hostname: none.sub.example.test, service: 'http_status:404'}",
                        "{hostname: login.sub.example.test, service: 'tcp://127.0.0.1:\(self.origin.port)', "
                            + "originRequest: {basicAuth: ['me:correct-horse']}}",
                    ]
                )
            }

            var directory: TemporaryDirectory { self.deployment.directory }
            var logs: String { self.deployment.logs(self.connector) }

            func arguments(_ name: String, _ more: [String] = []) -> [String] {
                [
                    "access", "tcp", "--hostname",
                    "\(name).sub.example.test:\(self.deployment.port)",
                    "--edge-address", "127.0.0.1:\(self.deployment.port)",
                    "--ca-file", self.deployment.certificates.authority,
                ] + more
            }

            func access(
                _ name: String,
                _ more: [String] = [],
                input: String = "/dev/null"
            ) throws -> Finished {
                try Finished(
                    Programs.culvert,
                    self.arguments(name, more),
                    input: input,
                    in: self.directory
                )
            }

            /// `tcp_visitor.py` at a port of this machine.
            func visit(_ port: Int, _ words: String...) throws -> String {
                let visitor = try Finished(
                    Programs.python,
                    [Programs.script("tcp_visitor.py"), "\(port)"] + words,
                    in: self.directory
                )
                #expect(visitor.status == 0, "\(visitor.errors)\(self.logs)")
                return visitor.output.trimmingCharacters(in: .whitespacesAndNewlines)
            }

            /// `culvert access --url`, and where it listens.
            func listen(_ name: String) throws -> (port: Int, process: ManagedProcess) {
                let process = try ManagedProcess(
                    Programs.culvert,
                    self.arguments(name, ["--url", "127.0.0.1:0"]),
                    in: self.directory
                )
                let port = try process.line(#"Listening on 127.0.0.1:(\d+)"#)
                return (try #require(Int(port)), process)
            }
        }

        @Test(
            "standard input and output, binary-clean, with the end of each",
            .timeLimit(.minutes(1))
        )
        func standardStreams() throws {
            let world = try World()
            var bytes = Data("U".utf8)
            bytes.append(
                Data((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) })
            )
            let file = try world.directory.write(bytes, to: "input")
            let rest = try world.directory.write(Data(bytes.dropFirst()), to: "rest")
            let sum = try Finished("sha256sum", [rest], in: world.directory).output.prefix(64)
            let done = try world.access("tcp", input: file)
            #expect(done.status == 0, "\(done.errors)\(world.logs)")
            #expect(done.output == "5000000 \(sum)\n" && done.errors == "")
        }

        @Test("a download over standard output, from a pipe", .timeLimit(.minutes(1)))
        func download() throws {
            let world = try World()
            let command = world.arguments("tcp").map { "'\($0)'" }.joined(separator: " ")
            let done = try Finished(
                "sh",
                ["-c", "printf 'D20000000\\n' | \(Programs.culvert) \(command) | sha256sum"],
                in: world.directory
            )
            let plain = try Finished(
                Programs.python,
                [
                    "-c",
                    "import hashlib;print(hashlib.sha256((bytes(range(256))*78125)[:20000000]).hexdigest())",
                ],
                in: world.directory
            )
            #expect(
                done.output.prefix(64) == plain.output.prefix(64),
                "\(done.errors)\(world.logs)"
            )
        }

        @Test("what breaks off is no end: an error and exit code 1", .timeLimit(.minutes(1)))
        func breaksOff() throws {
            let world = try World()
            let file = try world.directory.write("R100000\n", to: "input")
            let done = try world.access("tcp", input: file)
            #expect(done.status == 1)
            #expect(done.errors.contains("broke off"), "\(done.errors)")
        }

        @Test("an origin that ends at once ends nothing else", .timeLimit(.minutes(1)))
        func endsAtOnce() throws {
            let world = try World()
            let file = try world.directory.write("C", to: "input")
            for _ in 0..<20 {
                let done = try world.access("tcp", input: file)
                #expect(done.status == 0, "\(done.errors)")
            }
        }

        @Test("an origin that ends first gets all that comes", .timeLimit(.minutes(1)))
        func originEndsFirst() throws {
            let world = try World()
            let bytes = Data((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 5 &+ $0 >> 7) })
            let file = try world.directory.write(Data("F".utf8) + bytes, to: "input")
            let rest = try world.directory.write(bytes, to: "rest")
            let sum = try Finished("sha256sum", [rest], in: world.directory).output.prefix(64)
            for round in 0..<4 {
                let done = try world.access("tcp", input: file)
                #expect(done.status == 0 && done.output == "", "\(done.errors)\(world.logs)")
                try world.origin.process.line("^took 5000000 \(sum)$", skipping: round)
            }
            let (port, _) = try world.listen("tcp")
            let sent = try world.visit(port, "last", "2000000")
            let took = try world.origin.process.line("^(?:took|lost) (.*)$", skipping: 4)
            #expect("sent \(took)" == sent, "\(world.logs)")
        }

        @Test(
            "an origin may think about its answer for long",
            .enabled(if: isLongRun),
            .timeLimit(.minutes(2))
        )
        func lateAnswer() throws {
            let world = try World()
            let file = try world.directory.write("Lquery", to: "input")
            let process = try ManagedProcess(
                Programs.culvert,
                world.arguments("tcp"),
                input: file,
                in: world.directory
            )
            #expect(try process.exit(within: 90) == 0, "\(process.said)\(world.logs)")
            #expect(process.output == "late 5\n")
        }

        @Test("standard output ends when the origin does, not later", .timeLimit(.minutes(1)))
        func outputEndsFirst() throws {
            let world = try World()
            let command = world.arguments("tcp").map { "'\($0)'" }.joined(separator: " ")
            let pipe = world.directory.file("keyboard")
            try #require(mkfifo(pipe, 0o600) == 0)
            let keyboard = open(pipe, O_RDWR | O_CLOEXEC)
            try #require(write(keyboard, "F", 1) == 1)
            let visit = try ManagedProcess(
                "sh",
                ["-c", "\(Programs.culvert) \(command) | (cat; echo ended)"],
                input: pipe,
                in: world.directory
            )
            try visit.line("^ended$")
            #expect(world.origin.process.lines("took|lost") == 0)
            try #require(write(keyboard, "xyz", 3) == 3)
            close(keyboard)
            try world.origin.process.line("^took 3 ")
            #expect(try visit.exit() == 0)
        }

        @Test("bytes that nobody took are an error", .timeLimit(.minutes(1)))
        func notTaken() throws {
            let world = try World()
            let bytes = Data("C".utf8) + Data(count: 5_000_000)
            let file = try world.directory.write(bytes, to: "input")
            let done = try world.access("tcp", input: file)
            #expect(done.status == 1 && done.errors.contains("broke off"), "\(done.errors)")
        }

        @Test("a name and a password, and what is said without", .timeLimit(.minutes(1)))
        func login() throws {
            let world = try World()
            let file = try world.directory.write("Uabc", to: "input")
            let without = try world.access("login", input: file)
            #expect(without.status == 1 && without.errors.contains("CULVERT_BASIC_AUTH"))
            for (login, status) in [("me:correct-horse", 0), ("me:wrong", 1)] as [(String, CInt)] {
                let done = try world.access("\(login)@login", input: file)
                #expect(done.status == status, "\(done.errors)")
                #expect(done.output.hasPrefix("3 ") == (status == 0))
            }
        }

        @Test("every refusal is one line that says why", .timeLimit(.minutes(1)))
        func refusals() throws {
            let world = try World()
            for (name, more, words) in [
                ("dead", [], "502 (origin-unreachable)"), ("web", [], "answered 200"),
                ("nowhere", [], "404"), ("any", [], "400"), ("none", [], "no TCP service"),
                ("any", ["--destination", "nobody.invalid:1"], "check --destination"),
                ("bastion", ["--destination", "127.0.0.1:22"], "ipRules"),
            ] as [(String, [String], String)] {
                let done = try world.access(name, more)
                #expect(done.status == 1 && done.output == "", "\(name)")
                #expect(done.errors.contains(words), "\(name): \(done.errors)")
                #expect(done.errors.split(separator: "\n").count == 1, "\(done.errors)")
            }
            let port = world.deployment.port
            for (arguments, words, status) in [
                (
                    ["--hostname", "x.sub.example.test", "--edge-address", "127.0.0.1:1"],
                    "refused", 1
                ),
                (
                    [
                        "--hostname", "x.sub.example.test:\(port)", "--edge-address",
                        "127.0.0.1:\(port)",
                    ], "--ca-file", 1
                ),
                (["--hostname", "nobody.invalid"], "no such name", 1),
                (["--hostname", "http://a.test"], "https only", 64),
                (["--hostname", "a.test", "--header", "bad"], "--header", 64),
                (["--hostname", "a.test", "--ca-file", "/nowhere"], "--ca-file /nowhere", 1),
                (["--hostname", "a.test", "--destination", "b"], "--destination", 64),
                (["--hostname", "a.test", "--edge-address", "b"], "--edge-address", 64),
            ] as [([String], String, CInt)] {
                let done = try Finished(
                    Programs.culvert,
                    ["access", "tcp"] + arguments,
                    in: world.directory
                )
                #expect(done.status == status && done.errors.contains(words), "\(done.errors)")
                #expect(done.errors.split(separator: "\n").count == 1, "\(done.errors)")
            }
        }

        @Test("a pattern is as good for ssh_config as a name", .timeLimit(.minutes(1)))
        func sshPattern() throws {
            let directory = try TemporaryDirectory()
            let words = ["access", "ssh-config", "--hostname", "*.ssh.example.test:8443"]
            let printed = try Finished(Programs.culvert, words, in: directory)
            #expect(printed.output.hasPrefix("Host *.ssh.example.test\n"), "\(printed.errors)")
            #expect(printed.output.contains("access ssh --hostname %h:8443\n"))
        }

        @Test("a port that is taken", .timeLimit(.minutes(1)))
        func takenPort() throws {
            let world = try World()
            let done = try world.access("tcp", ["--url", "127.0.0.1:\(world.origin.port)"])
            #expect(done.status == 1)
            #expect(
                done.errors.contains("cannot listen on 127.0.0.1:\(world.origin.port): Address")
            )
        }

        @Test("a browser's visit is told what to do", .timeLimit(.minutes(1)))
        func noWebSocket() throws {
            let world = try World()
            for version in ["--http1.1", "--http2"] {
                let answer = try world.deployment.curl(
                    "/",
                    host: "tcp.sub.example.test",
                    [version]
                )
                #expect(answer.status == 426)
                #expect(answer.text.contains("culvert access tcp --hostname tcp.sub.example.test"))
            }
        }

        @Test("a bastion goes where it is sent", .timeLimit(.minutes(1)))
        func bastion() throws {
            let world = try World()
            let file = try world.directory.write("Uabc", to: "input")
            let to = ["--destination", "127.0.0.1:\(world.origin.port)"]
            for name in ["any", "bastion"] {
                let done = try world.access(name, to, input: file)
                #expect(done.status == 0 && done.output.hasPrefix("3 "), "\(done.errors)")
                #expect(done.errors == "")
            }
            #expect(world.connector.lines("A bastion without ipRules") == 1)
            let done = try world.access("tcp", to, input: file)
            #expect(done.status == 0 && done.output.hasPrefix("3 "))
            #expect(done.errors.contains("not to a bastion; --destination"), "\(done.errors)")
        }

        @Test("a local port carries each connection, and half-closes", .timeLimit(.minutes(1)))
        func localPort() throws {
            let world = try World()
            let (port, process) = try world.listen("tcp")
            let sockets = try (0..<8).map { _ in
                try #require(connectedSocket(port: port))
            }
            defer { for socket in sockets { close(socket) } }
            for (index, socket) in sockets.enumerated() {
                let text = "U" + String(repeating: "x", count: index * 10_000)
                #expect(send(socket, text, text.utf8.count, 0) == text.utf8.count)
                #expect(shutdown(socket, CInt(SHUT_WR)) == 0)
            }
            for (index, socket) in sockets.enumerated() {
                let answer = Self.readAll(socket)
                #expect(answer.hasPrefix("\(index * 10_000) "), "\(answer)\(world.logs)")
            }
            #expect(process.exitStatus() == nil)
        }

        @Test("a burst of connections is carried whole", .timeLimit(.minutes(1)))
        func burst() throws {
            let world = try World()
            let (port, process) = try world.listen("tcp")
            #expect(try world.visit(port, "many", "300") == "whole 300", "\(process.said)")
        }

        @Test("SOCKS5 with curl, and a destination it must not reach", .timeLimit(.minutes(1)))
        func socks() throws {
            let world = try World()
            let (port, _) = try world.listen("socks")
            let web = try Origin(in: world.directory)
            func visit(_ port: Int, through proxy: Int) throws -> Finished {
                try Finished(
                    "curl",
                    [
                        "-sS", "-m", "10", "--socks5-hostname", "127.0.0.1:\(proxy)",
                        "http://127.0.0.1:\(port)/socks",
                    ],
                    in: world.directory
                )
            }
            // The rules allow one port, which is not the web's.
            let denied = try visit(web.port, through: port)
            #expect(denied.status == 97 && denied.output == "", "\(denied.errors)")
            let rules = "originRequest: {ipRules: [{prefix: 127.0.0.0/8, allow: true}]}"
            try world.deployment.startConnector(
                "other",
                ingress: ["{hostname: other.test, service: socks-proxy, \(rules)}"]
            )
            let listener = try ManagedProcess(
                Programs.culvert,
                [
                    "access", "tcp", "--hostname", "other.test:\(world.deployment.port)",
                    "--edge-address", "127.0.0.1:\(world.deployment.port)", "--ca-file",
                    world.deployment.certificates.authority, "--url", "tcp://127.0.0.1:0",
                ],
                in: world.directory
            )
            let open = try #require(Int(try listener.line(#"Listening on 127.0.0.1:(\d+)"#)))
            let allowed = try visit(web.port, through: open)
            #expect(allowed.status == 0 && allowed.output.contains("/socks"), "\(allowed.errors)")
        }

        @Test(
            "a stalled origin stalls its visitor, and nobody's memory grows",
            .timeLimit(.minutes(2))
        )
        func stalledOrigin() throws {
            let world = try World()
            let command = world.arguments("tcp").map { "'\($0)'" }.joined(separator: " ")
            // Allocators that have seen bytes before.
            let warm = try Finished(
                "sh",
                ["-c", "echo D20000000 | \(Programs.culvert) \(command) > /dev/null"],
                in: world.directory
            )
            #expect(warm.status == 0, "\(warm.errors)")
            let before = (world.deployment.edge.residentBytes, world.connector.residentBytes)
            let fed = world.directory.file("fed")
            let start = ContinuousClock.now
            let upload = try ManagedProcess(
                "sh",
                [
                    "-c",
                    "(printf S; head -c 300000000 /dev/zero) | tee \(fed) | exec \(Programs.culvert) \(command)",
                ],
                in: world.directory
            )
            func passed() -> Int {
                let attributes = try? FileManager.default.attributesOfItem(atPath: fed)
                return attributes?[.size] as? Int ?? 0
            }
            // Until nothing has moved for a second.
            var (count, since) = (0, ContinuousClock.now)
            try waitFor("the stall", seconds: 60, explain: { world.logs }) {
                let now = passed()
                if now != count || now == 0 { (count, since) = (now, ContinuousClock.now) }
                return seconds(since: since) > 1 ? true : nil
            }
            #expect(upload.exitStatus() == nil && count < 100_000_000)
            print("stalled after \(count >> 10) KiB, \(seconds(since: start)) s")
            #expect(world.deployment.edge.residentBytes - before.0 < 16 << 20)
            #expect(world.connector.residentBytes - before.1 < 16 << 20)
            // Nobody else waits.
            let file = try world.directory.write("Uabc", to: "input")
            #expect(try world.access("tcp", input: file).output.hasPrefix("3 "))
        }

        private static func readAll(_ socket: CInt) -> String {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            var limit = timeval(tv_sec: 10, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
            while true {
                let count = read(socket, &buffer, buffer.count)
                guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
                bytes.append(contentsOf: buffer.prefix(count))
            }
        }
    }
}
