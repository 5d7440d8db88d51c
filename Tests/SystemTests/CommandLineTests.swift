import Foundation
import Testing

extension SystemTests {
    /// What a person types, what is printed, and the exit codes scripts go by.
    @Suite struct CommandLine {
        private func culvert(
            _ arguments: [String],
            in directory: TemporaryDirectory
        ) throws -> Finished {
            try Finished(Programs.culvert, arguments, in: directory)
        }

        @Test(
            "--help everywhere exits 0 and describes every option",
            arguments: [
                "", "edge", "edge run", "edge dev", "http", "tunnel", "tunnel run", "tunnel keygen",
                "tunnel ingress", "tunnel ingress validate", "tunnel ingress rule", "login",
                "logout", "tunnel create", "tunnel list", "tunnel info", "tunnel delete",
                "tunnel cleanup", "tunnel token", "tunnel route", "tunnel route dns",
                "tunnel route list", "tunnel route delete", "tunnel config", "tunnel config get",
                "tunnel config set", "tunnel config edit", "tunnel diag", "account", "account show",
                "account list", "account create", "account change", "account invite",
                "account delete", "account sessions", "account sessions list",
                "account sessions revoke", "audit", "access", "access tcp", "access ssh",
                "access ssh-config", "edge invite", "edge backup", "service", "service install",
                "service uninstall", "healthcheck",
            ]
        )
        func help(command: String) throws {
            let directory = try TemporaryDirectory()
            let words = command.split(separator: " ").map(String.init)
            let help = try self.culvert(words + ["--help"], in: directory)
            #expect(help.status == 0)
            #expect(help.output.contains("OVERVIEW") && help.output.contains("USAGE: culvert"))
            let wrong = try self.culvert(words + ["--no-such-option"], in: directory)
            #expect(wrong.status == 64, "a wrong option is a mistake of usage")
        }

        @Test("keygen makes 0600 and never overwrites; prints the public key for edge.yml")
        func keygen() throws {
            let directory = try TemporaryDirectory()
            let file = directory.file("demo.json")
            let made = try self.culvert(["tunnel", "keygen", "demo", "--out", file], in: directory)
            #expect(made.status == 0)
            #expect(made.output.contains("public-key: "))
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let before = directory.text("demo.json")
            let again = try self.culvert(
                ["tunnel", "keygen", "demo", "--out", file],
                in: directory
            )
            #expect(again.status != 0)
            #expect(again.errors.contains("exists"))
            #expect(directory.text("demo.json") == before)
            #expect(!made.output.contains("private"))
        }

        @Test("ingress validate: OK and 0, or all that is wrong with file, line and key, and 78")
        func validate() throws {
            let directory = try TemporaryDirectory()
            let good = try directory.write(
                """
                tunnel: demo
                ingress:
                  - hostname: app.example.com
                    path: ^/api
                    service: http://localhost:8000
                  - service: http_status:404
                """,
                to: "good.yml"
            )
            let fine = try self.culvert(
                ["tunnel", "ingress", "validate", "--config", good],
                in: directory
            )
            #expect(fine.status == 0 && fine.output.contains("OK"))

            let bad = try directory.write(
                """
                tunnel: demo
                nonsense: 1
                ingress:
                  - hostname: app.example.com
                    path: "[unclosed"
                    service: http://localhost:8000
                  - hostname: b.example.com
                    service: gopher://localhost
                  - hostname: c.example.com
                    service: https://localhost
                    originRequest: {caPool: /nowhere/ca.pem}
                """,
                to: "bad.yml"
            )
            let wrong = try self.culvert(
                ["tunnel", "ingress", "validate", "--config", bad],
                in: directory
            )
            #expect(wrong.status == 78)
            #expect(wrong.output.isEmpty)
            #expect(wrong.errors.contains("\(bad):2"), "\(wrong.errors)")
            #expect(wrong.errors.contains("nonsense"))
            #expect(wrong.errors.contains("\(bad):5"), "\(wrong.errors)")
            #expect(wrong.errors.contains("\(bad):8"), "\(wrong.errors)")
            let pool =
                "\(bad):11:29: ingress[2].originRequest.caPool: /nowhere/ca.pem cannot be read"
            #expect(wrong.errors.contains(pool), "\(wrong.errors)")
            #expect(wrong.errors.contains("hostname"), "the missing catch-all: \(wrong.errors)")
        }

        @Test("ingress rule says which rule takes a URL")
        func rule() throws {
            let directory = try TemporaryDirectory()
            let file = try directory.write(
                """
                ingress:
                  - {hostname: app.example.com, path: ^/api, service: http://localhost:8000}
                  - {hostname: "*.example.com", service: http://localhost:9000}
                  - {service: http_status:404}
                """,
                to: "config.yml"
            )
            let cases = [
                ("https://app.example.com/api/x", "#0", "8000"),
                ("https://APP.example.com./other", "#1", "9000"),
                ("https://elsewhere.test/", "#2", "404"),
            ]
            for (url, number, service) in cases {
                let said = try self.culvert(
                    ["tunnel", "ingress", "rule", url, "--config", file],
                    in: directory
                )
                #expect(said.status == 0)
                #expect(said.output.contains(number) && said.output.contains(service))
            }
            let bad = try self.culvert(
                ["tunnel", "ingress", "rule", "https:///", "--config", file],
                in: directory
            )
            #expect(bad.status == 64)
        }

        @Test("a bad edge.yml: all problems at once, with file, line and key")
        func badEdgeFile() throws {
            let directory = try TemporaryDirectory()
            let file = try directory.write(
                """
                connect: connect.example.com
                resume-windov: 30s
                listen: {https: nowhere, plain: maybe}
                tls: [{certificate: a.pem}]
                tunnels:
                  - {name: demo, public-key: short, hostnames: [a.example.com]}
                  - {name: two, public-key: short, hostnames: [a.example.com]}
                limits: {header-timeout: fast}
                """,
                to: "edge.yml"
            )
            let edge = try self.culvert(["edge", "run", "--config", file], in: directory)
            #expect(edge.status == 78)
            for line in [2, 3, 4, 6, 7, 8] {
                #expect(edge.errors.contains("\(file):\(line)"), "line \(line): \(edge.errors)")
            }
            for key in ["resume-windov", "plain", "key", "public-key", "header-timeout"] {
                #expect(edge.errors.contains(key), "\(key): \(edge.errors)")
            }
        }

        @Test("a missing file and a port in use are told in a sentence")
        func cannotStart() throws {
            let deployment = try Deployment()
            let missing = try self.culvert(
                ["edge", "run", "--config", "/nowhere/edge.yml"],
                in: deployment.directory
            )
            #expect(missing.status == 78 && missing.errors.contains("/nowhere/edge.yml"))
            let second = try self.culvert(
                ["edge", "run", "--config", deployment.directory.file("edge.yml")],
                in: deployment.directory
            )
            #expect(second.status == 1)
            #expect(second.errors.contains("\(deployment.port)"), "\(second.errors)")
        }

        @Test("a key the edge does not know: the connector exits with the edge's words")
        func wrongKey() throws {
            let deployment = try Deployment()
            _ = try Deployment.keygen("stranger", in: deployment.directory)
            let connector = try deployment.startConnector(
                "stranger",
                ingress: [],
                waits: false
            )
            #expect(try connector.exit(within: 20) == 77)
            #expect(connector.errors.contains("public-key"), "\(connector.errors)")
        }

        @Test("a hostname of another tunnel is refused with the edge's words")
        func wrongHostname() throws {
            let directory = try TemporaryDirectory()
            let edge = try ManagedProcess(
                Programs.culvert,
                [
                    "edge", "dev", "--https", "127.0.0.1:0", "--http", "off", "--dir",
                    directory.file("dev"),
                ],
                in: directory
            )
            try edge.line("its authority")
            for name in ["connect", "far.example.com", "a.b"] {
                let connector = try self.culvert(
                    ["http", "3000", "--hostname", name, "--dir", directory.file("dev")],
                    in: directory
                )
                #expect(connector.status == 77, "\(name)")
                #expect(connector.errors.contains("efuse"), "\(connector.errors)")
            }
        }

        @Test(
            "what is not right about ORIGIN, or the way to the edge, is said at once, and is 64",
            arguments: [
                ("tcp localhost", "needs a port, as in localhost:22"),
                ("tcp tcp://localhost", "needs a port"),
                ("tcp http://localhost:3000", "culvert http http://localhost:3000"),
                ("tcp udp://localhost:53", "expected 22, HOST:PORT or tcp://HOST:PORT"),
                ("tcp 70000", "from 1 to 65535"), ("tcp db:0", "other than 0"),
                ("http ftp://x", "expected 3000, HOST[:PORT]"), ("http 0", "from 1 to 65535"),
                ("http http://localhost:3000/api", "remove \"/api\""),
                ("http http_status:9000", "from 100 to 999"), ("http a:b", "not an address"),
                ("http 3000 --cidr-allow x", "--cidr-allow"),
                ("http 3000 --basic-auth ann", "--basic-auth"),
                ("tunnel run demo --edge-address edge", "--edge-address: expected host:port"),
                ("login https://a.test --edge-address edge", "--edge-address: expected host:port"),
                ("tunnel run demo --token cvt_x", "--token: the token"),
            ]
        )
        func wrongArguments(line: String, words: String) throws {
            let directory = try TemporaryDirectory()
            let home = try Home(directory)
            let wrong = try home.run(line.split(separator: " ").map(String.init))
            #expect(wrong.status == 64, "\(wrong.errors)")
            #expect(wrong.errors.contains(words), "\(wrong.errors)")
        }

        @Test("a status and an address with its slash are origins of culvert http")
        func origins() throws {
            let demo = try DemoPath.Demo()
            for (text, status) in [("http_status:418", 418), ("hello_world", 200)] {
                let connector = try demo.http([text, "--hostname", "shop"])
                let url = try connector.line("^https://.*$")
                #expect(try demo.curl(url + "/").status == status)
                connector.end()
                _ = try connector.exit()
            }
            let connector = try demo.http(["http://localhost:1/", "--hostname", "shop"])
            try connector.line("^https://")
            connector.end()
        }

        @Test("credentials that others may read are refused")
        func readableCredentials() throws {
            let deployment = try Deployment()
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o644],
                ofItemAtPath: deployment.directory.file("demo.json")
            )
            let connector = try deployment.startConnector(ingress: [], waits: false)
            #expect(try connector.exit(within: 20) == 78)
            #expect(connector.errors.contains("demo.json"), "\(connector.errors)")
        }
    }
}
