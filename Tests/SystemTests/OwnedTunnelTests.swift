import Foundation
import Testing

extension SystemTests {
    /// Tunnels that people own: by name, by token, and at the edge that one is logged in to.
    @Suite struct OwnedTunnels {
        private static let id = "11111111-2222-3333-4444-555555555555"

        /// `culvert`, with a home of its own.
        private struct Home {
            let directory: TemporaryDirectory
            var path: String { self.directory.file("home") }

            init(_ directory: TemporaryDirectory) throws {
                self.directory = directory
                try FileManager.default.createDirectory(
                    atPath: directory.file("home"),
                    withIntermediateDirectories: true
                )
            }

            private func words(_ arguments: [String], _ environment: [String]) -> [String] {
                ["CULVERT_HOME=\(self.path)", "HOME=\(self.path)"] + environment
                    + [Programs.culvert] + arguments
            }

            func run(_ arguments: [String], _ environment: [String] = []) throws -> Finished {
                try Finished(
                    "/usr/bin/env",
                    self.words(arguments, environment),
                    in: self.directory
                )
            }

            func start(
                _ arguments: [String],
                _ environment: [String] = []
            ) throws -> ManagedProcess {
                try ManagedProcess(
                    "/usr/bin/env",
                    self.words(arguments, environment),
                    in: self.directory
                )
            }

            /// Writes a private file and gives its path.
            @discardableResult
            func write(_ text: String, to name: String) throws -> String {
                let path = "\(self.path)/\(name)"
                try Data(text.utf8).write(to: URL(fileURLWithPath: path))
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o600],
                    ofItemAtPath: path
                )
                return path
            }
        }

        /// The credentials of keygen's, as `tunnel create` writes them.
        private func credentials(
            _ name: String,
            in directory: TemporaryDirectory,
            for deployment: Deployment,
            address: Int? = nil
        ) throws -> [String: String] {
            let data = Data(directory.text("\(name).json").utf8)
            var fields = try JSONDecoder().decode([String: String].self, from: data)
            fields["TunnelID"] = Self.id
            fields["Edge"] = "connect.example.test:\(deployment.port)"
            fields["EdgeAddress"] = "127.0.0.1:\(deployment.port)"
            fields["CACertificates"] = try String(
                contentsOfFile: deployment.certificates.authority,
                encoding: .utf8
            )
            return fields
        }

        private func json(_ fields: [String: String]) throws -> String {
            String(decoding: try JSONEncoder().encode(fields), as: UTF8.self)
        }

        /// The token of a tunnel's credentials, as `tunnel token` prints it.
        private func token(_ fields: [String: String]) throws -> String {
            let contents = try JSONSerialization.data(withJSONObject: [
                "v": 1, "name": fields["TunnelName"] ?? "", "id": fields["TunnelID"] ?? "",
                "edge": fields["Edge"] ?? "", "key": fields["PrivateKey"] ?? "",
                "ca": fields["CACertificates"] ?? "",
            ])
            return "cvt_"
                + contents.base64EncodedString().replacing("+", with: "-")
                .replacing("/", with: "_").replacing("=", with: "")
        }

        @Test("tunnel run NAME needs nothing but its credentials; --url sends all to one service")
        func byName() throws {
            let deployment = try Deployment()
            let home = try Home(deployment.directory)
            let fields = try self.credentials(
                "demo",
                in: deployment.directory,
                for: deployment
            )
            try home.write(self.json(fields), to: "\(Self.id).json")
            let origin = try Origin(in: deployment.directory)
            for name in ["demo", Self.id] {
                let connector = try home.start([
                    "tunnel", "run", name, "--url", "http://127.0.0.1:\(origin.port)",
                ])
                try connector.line("Connected to the edge")
                let visit = try deployment.curl("/status/201")
                #expect(visit.status == 201, "\(deployment.logs(connector))")
                connector.end()
            }
        }

        @Test("tunnel run takes a token from the environment, a file or the command line")
        func byToken() throws {
            let deployment = try Deployment()
            let home = try Home(deployment.directory)
            let token = try self.token(
                self.credentials("demo", in: deployment.directory, for: deployment)
            )
            let file = try home.write(token + "\n", to: "token")
            let origin = try Origin(in: deployment.directory)
            let common = [
                "tunnel", "run", "--url", "http://127.0.0.1:\(origin.port)", "--edge-address",
                "127.0.0.1:\(deployment.port)",
            ]
            for (arguments, environment) in [
                ([], ["CULVERT_TOKEN=\(token)"]), (["--token-file", file], []),
                (["--token", token], []),
            ] {
                let connector = try home.start(common + arguments, environment)
                try connector.line("Connected to the edge")
                let visit = try deployment.curl("/status/202")
                #expect(visit.status == 202, "\(deployment.logs(connector))")
                #expect(!(connector.output + connector.errors).contains("cvt_"))
                connector.end()
            }
        }

        @Test("what is missing or damaged is told in a sentence, with its exit code, and no secret")
        func failures() throws {
            let directory = try TemporaryDirectory()
            let home = try Home(directory)
            let unknown = try home.run(["tunnel", "run", "nope"])
            #expect(unknown.status == 4)
            #expect(unknown.errors.contains("culvert tunnel create nope"), "\(unknown.errors)")
            let damaged = try home.run(["tunnel", "run"], ["CULVERT_TOKEN=cvt_c2VjcmV0"])
            #expect(damaged.status == 1)
            #expect(damaged.errors.contains("CULVERT_TOKEN: the token is damaged"))
            #expect(!damaged.errors.contains("c2VjcmV0"))
            let both = try home.run(["tunnel", "run", "--token", "a", "--token-file", "b"])
            #expect(both.status == 64)
            let nothing = try home.run(["tunnel", "run"])
            #expect(nothing.status == 1 && nothing.errors.contains("No configuration file"))
            for arguments in [["tunnel", "list"], ["account"], ["audit"], ["logout"]] {
                let result = try home.run(arguments)
                #expect(result.status == 3, "\(arguments)")
                #expect(result.errors.contains("culvert login"), "\(result.errors)")
            }
            let plain = try home.run(["login", "http://edge.example.test"])
            #expect(plain.status == 1 && plain.errors.contains("in the clear"))
            let http = try home.run(["http", "3000"])
            #expect(http.status == 1)
            #expect(http.errors.contains("culvert edge dev") && http.errors.contains("login"))
            let broken = try home.write("{", to: "login.json")
            let list = try home.run(["tunnel", "list"])
            #expect(list.status == 3 && list.errors.contains(broken), "\(list.errors)")
        }

        @Test("culvert http goes to the edge that one is logged in to, over this machine's tunnel")
        func httpAtAnEdge() throws {
            let keys = try TemporaryDirectory()
            let name = "http-\(ProcessInfo.processInfo.hostName)"
            let key = try Deployment.keygen("machine", in: keys)
            let deployment = try Deployment(
                settings: "  - {name: \(name), public-key: \(key), hostnames: []}"
            )
            let home = try Home(deployment.directory)
            let script: [String: [[String: String]]] = [
                "GET /api/v1/": [
                    [
                        "body":
                            #"{"agent":"culvert/0.1.0","connect":"connect.example.test:\#(deployment.port)"}"#
                    ]
                ],
                "GET /api/v1/tunnels/\(Self.id)": [
                    [
                        "body":
                            #"{"id":"\#(Self.id)","name":"\#(name)","owner":"ann","created_at":"2026-11-27T20:00:00Z","hostnames":[],"keys":[{"public_key":"\#(key)","label":"x","created_at":"2026-11-27T20:00:00Z"}],"connectors":[]}"#
                    ]
                ],
            ]
            try deployment.directory.write(try JSONEncoder().encode(script), to: "script.json")
            var fields = try self.credentials("machine", in: keys, for: deployment)
            fields["TunnelName"] = name
            try home.write(self.json(fields), to: "\(Self.id).json")
            // The scripts of ControlClientTests stand in for an edge's API.
            let api = try ManagedProcess(
                Programs.python,
                [
                    Programs.script("../../ControlClientTests/Programs/edge.py"),
                    deployment.certificates.edge.certificate, deployment.certificates.edge.key,
                    deployment.directory.file("script.json"), deployment.directory.file("api.log"),
                ],
                in: deployment.directory
            )
            let port = try api.line("^[0-9]+$")
            try home.write(
                """
                {"edge": "https://api.example.test", "token": "cvs_x", "account": "ann",
                 "ca-file": "\(deployment.certificates.authority)", "edge-address": "127.0.0.1:\(port)"}
                """,
                to: "login.json"
            )
            let origin = try Origin(in: deployment.directory)
            let connector = try home.start(["http", "\(origin.port)", "--hostname", "shop"])
            let url = try connector.line("^https://.*$")
            #expect(url == "https://shop.example.test:\(deployment.port)")
            let visit = try deployment.curl("/status/203", host: "shop.example.test")
            #expect(visit.status == 203, "\(deployment.logs(connector))")
        }
    }
}
