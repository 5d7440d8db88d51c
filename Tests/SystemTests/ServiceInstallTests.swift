import Foundation
import Testing

extension SystemTests {
    /// `culvert service`, into a folder that stands for a machine; systemd's own tools judge the units.
    @Suite(.timeLimit(.minutes(1))) struct ServiceInstall {
        /// A machine's files, empty at first.
        private struct Machine {
            let directory: TemporaryDirectory
            let home: Home
            /// Of a tunnel `demo`.
            let token: String

            init() throws {
                self.directory = try TemporaryDirectory()
                self.home = try Home(self.directory)
                try FileManager.default.createDirectory(
                    atPath: self.directory.file("root/etc/culvert"),
                    withIntermediateDirectories: true
                )
                let key = Data(repeating: 7, count: 32).base64EncodedString()
                let text = #"{"edge":"a.test:443","key":"\#(key)","name":"demo","v":1}"#
                self.token =
                    "cvt_"
                    + Data(text.utf8).base64EncodedString().replacing("+", with: "-")
                    .replacing("/", with: "_").replacing("=", with: "")
            }

            func path(_ file: String) -> String { self.directory.file("root" + file) }

            func culvert(_ arguments: [String], _ environment: [String] = []) throws -> Finished {
                try self.home.run(
                    ["service"] + arguments + ["--root", self.path("")],
                    environment
                )
            }

            func mode(_ file: String) throws -> Int {
                let attributes = try FileManager.default.attributesOfItem(atPath: self.path(file))
                return attributes[.posixPermissions] as? Int ?? 0
            }

            /// What `systemd-analyze verify` says of a unit, the program in it being there.
            func verify(_ unit: String) throws -> Finished {
                try Finished(
                    "systemd-analyze",
                    ["verify", "--man=no", "--recursive-errors=no", self.path(unit)],
                    in: self.directory
                )
            }

            /// How exposed a unit leaves the machine, from 0 to 100.
            func exposure(_ unit: String) throws -> Int {
                let said = try Finished(
                    "systemd-analyze",
                    ["security", "--offline=true", "--no-pager", self.path(unit)],
                    in: self.directory
                )
                let level = said.output.firstMatch(#"exposure level for \S+ (\d+\.\d)"#)
                guard let level = level.flatMap(Double.init) else {
                    throw TestFailure("no level: \(said.output)\(said.errors)")
                }
                return Int(level * 10)
            }
        }

        private static let connectorUnit = "/etc/systemd/system/culvert-connector.service"
        private static let edgeUnit = "/etc/systemd/system/culvert-edge.service"

        private static let edgeSocket = "/etc/systemd/system/culvert-edge.socket"

        private static func deployed(_ name: String) throws -> String {
            let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("deploy/\(name)")
            return try String(contentsOf: file, encoding: .utf8)
        }

        @Test(
            "a connector: modes, a unit that systemd takes and finds safe; uninstall leaves nothing"
        )
        func connector() throws {
            let machine = try Machine()
            let made = try machine.culvert(
                ["install", machine.token, "--program", "/usr/local/bin/culvert"]
            )
            #expect(made.status == 0, "\(made.errors)")
            #expect(try machine.mode("/etc/culvert/connector.token") == 0o600)
            #expect(try machine.mode(Self.connectorUnit) == 0o644)
            #expect(
                machine.directory.text("root/etc/culvert/connector.token") == machine.token + "\n"
            )
            let unit = machine.directory.text("root" + Self.connectorUnit)
            #expect(!unit.contains(machine.token))
            #expect(try unit == Self.deployed("culvert-connector.service"))
            #expect(try machine.exposure(Self.connectorUnit) <= 20)

            let again = try machine.culvert(["install", machine.token])
            #expect(again.status == 1 && again.errors.contains("--force"), "\(again.errors)")
            let replaced = try machine.culvert(
                ["install", "--force", "--url", "http://localhost:3000"],
                ["CULVERT_TOKEN=\(machine.token)"]
            )
            #expect(replaced.status == 0, "\(replaced.errors)")
            // Of the program under test, which is there; so is everything that the unit says.
            #expect(replaced.errors.contains("build folder"))
            let verified = try machine.verify(Self.connectorUnit)
            #expect(verified.status == 0 && verified.errors.isEmpty, "\(verified.errors)")

            try machine.directory.write("{}", to: "root/etc/culvert/demo.json")
            let credentials = ["install", "--force", "--cred-file", "/etc/culvert/demo.json"]
            #expect(try machine.culvert(credentials).status == 0)
            let loaded = machine.directory.text("root" + Self.connectorUnit)
            #expect(loaded.contains("LoadCredential=credentials.json:/etc/culvert/demo.json\n"))
            #expect(loaded.contains("--cred-file %d/credentials.json\n"))
            #expect(
                !FileManager.default.fileExists(
                    atPath: machine.path("/etc/culvert/connector.token")
                )
            )

            let gone = try machine.culvert(["uninstall"])
            #expect(gone.status == 0, "\(gone.errors)")
            let left = FileManager.default.subpaths(atPath: machine.path("")) ?? []
            #expect(!left.contains { $0.contains("connector") }, "\(left)")
            #expect(try machine.culvert(["uninstall"]).status == 4)
        }

        @Test("several by name; words with blanks, quotes, % and $ reach the program as they are")
        func names() throws {
            let machine = try Machine()
            let config = "/etc/culvert/a b%h$HOME\".yml"
            try machine.directory.write(
                "tunnel: demo\ngrace-period: 2m\ningress: [{service: http_status:404}]\n",
                to: "root" + config
            )
            let token = try machine.home.write(machine.token, to: "token")
            let made = try machine.culvert(
                ["install", "--name", "shop", "--token-file", token, "--config", config]
            )
            #expect(made.status == 0, "\(made.errors)")
            let other = try machine.culvert(["install", machine.token])
            #expect(other.status == 0, "\(other.errors)")
            let unit = machine.directory.text("root/etc/systemd/system/culvert-shop.service")
            #expect(
                unit.contains(#"--config "/etc/culvert/a b%%h$$HOME\".yml" --token-file %d/token"#)
            )
            #expect(unit.contains("TimeoutStopSec=125\n"))
            let verified = try machine.verify("/etc/systemd/system/culvert-shop.service")
            #expect(verified.status == 0 && verified.errors.isEmpty, "\(verified.errors)")
            #expect(try machine.culvert(["uninstall", "--name", "shop"]).status == 0)
            #expect(try machine.mode(Self.connectorUnit) == 0o644, "the other stays")
        }

        @Test("an edge: its unit, its store's place, and files that the service could not read")
        func edge() throws {
            let machine = try Machine()
            for name in ["cert.pem", "key.pem"] {
                try machine.directory.write("x", to: "root/etc/culvert/\(name)")
            }
            func write(store: String) throws {
                try machine.directory.write(
                    """
                    domain: example.test
                    store: \(store)
                    tls: [{certificate: cert.pem, key: key.pem}]

                    """,
                    to: "root/etc/culvert/edge.yml"
                )
            }
            let install = ["install", "--edge", "--program", "/usr/local/bin/culvert"]
            try write(store: "edge.db")
            let lost = try machine.culvert(install)
            #expect(lost.status == 78 && lost.errors.contains("store: /var/lib/culvert/edge.db"))
            try write(store: "/var/lib/culvert/edge.db")
            #expect(try machine.culvert(install).status == 0)
            let unit = machine.directory.text("root" + Self.edgeUnit)
            #expect(try unit == Self.deployed("culvert-edge.service"))
            #expect(try machine.exposure(Self.edgeUnit) <= 20)
            let socket = machine.directory.text("root" + Self.edgeSocket)
            #expect(try socket == Self.deployed("culvert-edge.socket"))

            let key = machine.path("/etc/culvert/key.pem")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
            let shut = try machine.culvert(install + ["--force"])
            #expect(shut.status == 1 && shut.errors.contains("chgrp"), "\(shut.errors)")
            #expect(
                machine.directory.text("root" + Self.edgeUnit) == unit,
                "nothing is written then"
            )
            // `games` is there on every Debian; its number is 60.
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o640, .groupOwnerAccountID: 60],
                ofItemAtPath: key
            )
            let shared = try machine.culvert(["install", "--edge", "--force"])
            #expect(shared.status == 0, "\(shared.errors)")
            let grouped = machine.directory.text("root" + Self.edgeUnit)
            #expect(grouped.contains("SupplementaryGroups=games\n"))
            for file in [Self.edgeUnit, Self.edgeSocket] {
                let verified = try machine.verify(file)
                #expect(verified.status == 0 && verified.errors.isEmpty, "\(verified.errors)")
            }
            try self.edgeWithoutSocket(machine, install)
        }

        /// An edge whose ports systemd cannot hold, in the place of one whose ports it did; then none.
        private func edgeWithoutSocket(_ machine: Machine, _ install: [String]) throws {
            let file = machine.directory.text("root/etc/culvert/edge.yml")
            try machine.directory.write(
                file + "listen: {https: 'localhost:443'}\n",
                to: "root/etc/culvert/edge.yml"
            )
            let named = try machine.culvert(install + ["--force"])
            #expect(named.status == 0 && named.errors.contains("opens its ports itself"))
            #expect(!FileManager.default.fileExists(atPath: machine.path(Self.edgeSocket)))
            let unit = machine.directory.text("root" + Self.edgeUnit)
            #expect(!unit.contains(".socket"))
            try machine.directory.write(file, to: "root/etc/culvert/edge.yml")
            #expect(try machine.culvert(install + ["--force"]).status == 0)
            #expect(try machine.culvert(["uninstall", "--name", "edge"]).status == 0)
            let left = FileManager.default.subpaths(atPath: machine.path("/etc/systemd")) ?? []
            #expect(left == ["system"])
        }

        @Test("what cannot be a service is refused in words, before anything is written")
        func refusals() throws {
            let machine = try Machine()
            let cases: [([String], CInt, String)] = [
                (["install"], 64, "Whose tunnel?"),
                (["install", "cvt_nonsense"], 64, "cut short"),
                (["install", machine.token, "--name", "../x"], 64, "--name"),
                (["install", machine.token, "--edge"], 64, "connector's"),
                (["install", machine.token, "--token-file", "x"], 64, "exclude"),
                (["install", machine.token, "--url", "gopher://x"], 64, "--url"),
                (["install", machine.token, "--config", "/none.yml"], 78, "none.yml"),
                (["install", "--edge"], 78, "edge.yml"),
            ]
            for (arguments, status, words) in cases {
                let refused = try machine.culvert(arguments)
                #expect(refused.status == status, "\(arguments)")
                #expect(refused.errors.contains(words), "\(arguments): \(refused.errors)")
            }
            #expect(
                FileManager.default.subpaths(atPath: machine.path("")) == ["etc", "etc/culvert"]
            )
        }

        @Test(
            "without systemd it says what to run instead",
            .enabled(if: !FileManager.default.fileExists(atPath: "/run/systemd/system"))
        )
        func noSystemd() throws {
            let machine = try Machine()
            let refused = try machine.home.run(["service", "install", machine.token])
            #expect(refused.status == 1)
            #expect(refused.errors.contains(getuid() == 0 ? "culvert tunnel run" : "sudo"))
        }
    }
}
