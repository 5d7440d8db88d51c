import Foundation
import Testing

extension SystemTests {
    /// Tunnels that people own: by name, by token, and at the edge that one is logged in to.
    @Suite struct OwnedTunnels {
        private static let id = "11111111-2222-3333-4444-555555555555"

        @Test("tunnel run NAME needs nothing but its credentials; --url sends all to one service")
        func byName() throws {
            let deployment = try Deployment()
            let home = try Home(deployment.directory)
            let credentials = try OwnedCredentials(
                "demo",
                id: Self.id,
                in: deployment.directory,
                for: deployment
            )
            try home.write(credentials.json(), to: "\(Self.id).json")
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
            let hello = try home.start(["tunnel", "run", "demo", "--url", "hello_world"])
            try hello.line("Connected to the edge")
            #expect(try deployment.curl("/").status == 200)
        }

        @Test("tunnel run takes a token from the environment, a file or the command line")
        func byToken() throws {
            let deployment = try Deployment()
            let home = try Home(deployment.directory)
            let token = try OwnedCredentials(
                "demo",
                id: Self.id,
                in: deployment.directory,
                for: deployment
            ).token()
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
            #expect(damaged.status == 64)
            #expect(damaged.errors.contains("CULVERT_TOKEN: the token is damaged"))
            #expect(!damaged.errors.contains("c2VjcmV0"))
            let both = try home.run(["tunnel", "run", "--token", "a", "--token-file", "b"])
            #expect(both.status == 64)
            let nothing = try home.run(["tunnel", "run"])
            #expect(nothing.status == 64 && nothing.errors.contains("No configuration file"))
            for arguments in [["tunnel", "list"], ["account"], ["audit"], ["logout"]] {
                let result = try home.run(arguments)
                #expect(result.status == 3, "\(arguments)")
                #expect(result.errors.contains("culvert login"), "\(result.errors)")
            }
            let plain = try home.run(["login", "http://edge.example.test"])
            #expect(plain.status == 64 && plain.errors.contains("in the clear"))
            let http = try home.run(["http", "3000"])
            #expect(http.status == 3)
            #expect(http.errors.contains("culvert edge dev") && http.errors.contains("login"))
            _ = try Deployment.keygen("demo", in: directory)
            let exposed = try home.write(directory.text("demo.json"), to: "x.json")
            #expect(chmod(exposed, 0o644) == 0)
            let open = try home.run(["tunnel", "run", "demo"])
            #expect(open.status == 78 && open.errors.contains("chmod 600 \(exposed)"))
            #expect(!open.errors.contains("tunnel create"), "\(open.errors)")
            #expect(nothing.errors.contains("\(home.path)/.cloudflared/config.yml"))
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
            let api = try ScriptedAPI(
                [
                    "GET /api/v1/": [
                        .init(
                            #"{"agent":"c","connect":"connect.example.test:\#(deployment.port)"}"#
                        )
                    ],
                    "GET /api/v1/tunnels/\(Self.id)": [
                        .init(ScriptedAPI.tunnel(Self.id, name: name, key: key))
                    ],
                ],
                in: deployment.directory
            )
            try api.logIn(home)
            var credentials = try OwnedCredentials(
                "machine",
                id: Self.id,
                in: keys,
                for: deployment
            )
            credentials.fields["TunnelName"] = name
            try home.write(credentials.json(), to: "\(Self.id).json")
            let origin = try Origin(in: deployment.directory)
            // The second time without an API: what is kept will do.
            for expected in [203, 204] {
                let connector = try home.start(["http", "\(origin.port)", "--hostname", "shop"])
                let url = try connector.line("^https://shop.*$")
                #expect(url == "https://shop.example.test:\(deployment.port)")
                let visit = try deployment.curl("/status/\(expected)", host: "shop.example.test")
                #expect(visit.status == expected, "\(deployment.logs(connector))")
                connector.end()
                api.process.end()
            }
        }

        @Test("culvert http makes the machine's tunnel, and another key for one whose key was lost")
        func httpForTheFirstTime() throws {
            let deployment = try Deployment()
            let home = try Home(deployment.directory)
            let name = "http-\(ProcessInfo.processInfo.hostName)"
            let tunnel = ScriptedAPI.tunnel(Self.id, name: name, key: "AA==")
            let edge = #"{"agent":"c","connect":"connect.example.test:\#(deployment.port)"}"#
            let api = try ScriptedAPI(
                [
                    "GET /api/v1/": [.init(edge)],
                    "POST /api/v1/tunnels": [
                        .init(tunnel, status: 201), .problem("exists", 409, "there already"),
                    ],
                    "GET /api/v1/tunnels/\(name)": [.init(tunnel)],
                    "POST /api/v1/tunnels/\(Self.id)/keys": [
                        .init(
                            #"{"public_key":"x","label":"l","created_at":"2026-11-27T20:00:00Z"}"#,
                            status: 201
                        )
                    ],
                ],
                in: deployment.directory
            )
            try api.logIn(home)
            let file = "\(home.path)/\(Self.id).json"
            for _ in 1...2 {
                let connector = try home.start(["http", "3000"])
                // Nothing takes connectors where this API is; that is what it says next.
                try connector.line("no connection to the edge")
                #expect(FileManager.default.fileExists(atPath: file))
                try FileManager.default.removeItem(atPath: file)
                connector.end()
            }
            let asked = api.asked
            #expect(asked.filter { $0 == "POST /api/v1/tunnels" }.count == 2, "\(asked)")
            let last = asked.last { $0.hasPrefix("POST /api/") }
            #expect(last == "POST /api/v1/tunnels/\(Self.id)/keys", "\(asked)")
        }
    }
}
