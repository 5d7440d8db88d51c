import Foundation
import Testing

extension SystemTests {
    /// `culvert tunnel diag`: what is in its zip, and what is not.
    @Suite struct Diag {
        /// Unpacks a zip, and gives its files.
        private func unzip(_ file: String, in directory: TemporaryDirectory) throws -> [String:
            String]
        {
            let folder = directory.file("unzipped-\(UUID().uuidString.prefix(6))")
            let unzipped = try Finished("unzip", ["-q", file, "-d", folder], in: directory)
            try #require(unzipped.status == 0, "\(unzipped.output)\(unzipped.errors)")
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            return try Dictionary(
                uniqueKeysWithValues: names.map {
                    ($0, try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8))
                }
            )
        }

        @Test("of a running connector it has the way to the edge, the tunnel and the metrics")
        func running() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            try ann.ok(["tunnel", "create", "web"])
            try ann.ok(["tunnel", "route", "dns", "web", "ann.example.test"])
            let metrics = try freePort()
            let config = try deployment.directory.write(
                """
                tunnel: web
                metrics: 127.0.0.1:\(metrics)
                ca-file: \(deployment.certificates.authority)
                ingress:
                  - {hostname: ann.example.test, service: "http://localhost:1"}
                  - {service: http_status:404}
                """,
                to: "web.yml"
            )
            let connector = try ann.start(["tunnel", "run", "--config", config])
            try connector.line("Connected to the edge")
            let file = deployment.directory.file("diag.zip")
            let made = try ann.run(["tunnel", "diag", "--config", config, "--output", file])
            #expect(made.status == 0, "\(made.errors)")
            #expect(made.output == file + "\n")
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions]
            #expect(mode as? Int == 0o600)
            let parts = try self.unzip(file, in: deployment.directory)
            func expect(_ part: String, _ words: String...) {
                for word in words {
                    let text = parts[part] ?? ""
                    #expect(text.contains(word), "\(part) lacks \(word): \(text)")
                }
            }
            expect("about.txt", "culvert: ", "kernel: Linux")
            expect("configuration.yml", "metrics: 127.0.0.1:\(metrics)")
            expect("ingress.txt", "OK", "#0", "ann.example.test", "http_status:404")
            expect("plan.txt", "tunnel: web", "dialled: 127.0.0.1:\(deployment.port)")
            expect(
                "connectivity.txt",
                "DNS  127.0.0.1: 127.0.0.1 (",
                ":\(deployment.port): connected",
                "TLS  as connect.example.test: trusted",
                "subject: CN=edge",
                "issuer:  CN=test",
                "*.example.test"
            )
            expect("api.txt", "answered in", "connect.example.test")
            expect("tunnel.json", "ann.example.test", "connected")
            expect("metrics.txt", "200\n\n", "culvert_")
            expect("ready.txt", "200\n\n", "readyConnections")
            expect("processes.txt", "tunnel run --config \(config)")
            expect("limits.txt", "Max open files")
            expect("summary.txt", "connectivity.txt: there")
        }

        @Test("a certificate that is not trusted is said not to be, and shown")
        func untrusted() throws {
            let deployment = try Deployment()
            let config = try deployment.directory.write(
                """
                tunnel: demo
                credentials-file: demo.json
                edge: connect.example.test:\(deployment.port)
                edge-address: 127.0.0.1:\(deployment.port)
                ingress: [{service: http_status:404}]
                """,
                to: "untrusted.yml"
            )
            let home = try Home(deployment.directory)
            let file = deployment.directory.file("untrusted.zip")
            let made = try home.run(["tunnel", "diag", "--config", config, "--output", file])
            #expect(made.status == 0, "\(made.errors)")
            let way = try self.unzip(file, in: deployment.directory)["connectivity.txt"] ?? ""
            #expect(way.contains("TLS  as connect.example.test: FAILED: "), "\(way)")
            #expect(way.contains("CERTIFICATE_VERIFY_FAILED"), "\(way)")
            #expect(way.contains("0: subject: CN=edge"), "\(way)")
        }

        @Test(
            "an edge that is not there, and nothing at all: each part says so, and the zip is made"
        )
        func nothing() throws {
            let directory = try TemporaryDirectory()
            let home = try Home(directory)
            let empty = try home.run(["tunnel", "diag", "--output", directory.file("a.zip")])
            #expect(empty.status == 0, "\(empty.errors)")
            let parts = try self.unzip(directory.file("a.zip"), in: directory)
            #expect(parts["api.txt"]?.contains("not logged in") == true)
            #expect(parts["connectivity.txt"]?.contains("could not be had") == true)
            #expect(parts["summary.txt"]?.contains("api.txt: could not be had") == true)

            let port = try freePort()
            _ = try Deployment.keygen("demo", in: directory)
            let config = try directory.write(
                """
                tunnel: demo
                credentials-file: demo.json
                edge: connect.example.test:443
                edge-address: 127.0.0.1:\(port)
                metrics: 127.0.0.1:\(try freePort())
                ingress: [{service: nonsense}]
                """,
                to: "config.yml"
            )
            let broken = ["tunnel", "diag", "--config", config, "--output"]
            #expect(try home.run(broken + [directory.file("b.zip")]).status == 0)
            let said = try self.unzip(directory.file("b.zip"), in: directory)
            #expect(said["ingress.txt"]?.contains("\(config):6:") == true)
            let text = try String(contentsOfFile: config, encoding: .utf8)
            try directory.write(
                text.replacingOccurrences(of: "nonsense", with: "http_status:404"),
                to: "config.yml"
            )
            #expect(try home.run(broken + [directory.file("c.zip")]).status == 0)
            let refused = try self.unzip(directory.file("c.zip"), in: directory)
            let way = refused["connectivity.txt"] ?? ""
            #expect(way.contains("127.0.0.1:\(port): Connection refused"), "\(way)")
            #expect(refused["metrics.txt"]?.contains("could not be had") == true)
            let unwritable = try home.run(broken + ["/nowhere/d.zip"])
            #expect(unwritable.status == 1 && unwritable.errors.contains("/nowhere/d.zip"))
        }

        @Test("secrets in the environment, in arguments, files and the log are in no part of it")
        func secrets() throws {
            let directory = try TemporaryDirectory()
            let home = try Home(directory)
            _ = try Deployment.keygen("demo", in: directory)
            let credentials = directory.text("demo.json")
            let key = try #require(credentials.firstMatch(#""PrivateKey" : "([^"]+)""#))
            try home.write(
                """
                {"edge": "https://api.example.test", "token": "cvs_LOGINSECRET", "account": "ann",
                 "edge-address": "127.0.0.1:\(try freePort())"}
                """,
                to: "login.json"
            )
            let tsig = try NameServer.key("culvert", in: directory, file: "tsig.key")
            let tsigSecret = try #require(
                directory.text("tsig.key").firstMatch(#"secret "([^"]+)""#)
            )
            try home.write(
                """
                providers:
                  - {zone: example.org, nsupdate: {server: "127.0.0.1:53", key-file: \(tsig)}}
                  - zone: example.net
                    hook: [./hook, HOOKSECRET]
                """,
                to: "dns.yml"
            )
            let config = try directory.write(
                """
                tunnel: demo
                credentials-file: demo.json
                edge: connect.example.test:443
                token: TOKENSECRET   # password: COMMENTSECRET
                ingress:
                  - hostname: a.example.test
                    service: http://user:URLSECRET@localhost:1
                    originRequest:
                      basicAuth: {ann: FLOWSECRET}
                      access:
                        basicAuth:
                          bob: "BLOCKSECRET with spaces"
                          #  - "zed:OLDSECRET"
                # - "yan:LOOSESECRET"
                  - service: http_status:404
                """,
                to: "config.yml"
            )
            // Somebody else's arguments, with everything that may be told there.
            try FileManager.default.createDirectory(
                atPath: directory.file("dev"),
                withIntermediateDirectories: false
            )
            try directory.write(
                """
                credentials-file: ../demo.json
                edge: connect.example.test:443
                edge-address: 127.0.0.1:\(try freePort())
                """,
                to: "dev/connector.yml"
            )
            let web = try home.start([
                "http", "3000", "--basic-auth", "ann:ARGUMENT SECRET", "--dir",
                directory.file("dev"),
            ])
            let access = try home.start([
                "access", "tcp", "--hostname", "a.example.test", "--url", "127.0.0.1:0",
                "--header=Cookie: a=COOKIESECRET; b=SECOND SECRET",
            ])
            try web.line("no connection to the edge")
            try access.line("Listening on")
            // What the service has written: a real journal has no lines of this test's.
            let log = """
                culvert[1]: --token cvt_LOGSECRET cve_CODESECRET eyJhSECRETSECRETSECRETSECRET
                culvert[1]: tsig \(tsigSecret) key \(key) FLOWSECRET cvs_LOGINSECRET ENVSECRET
                culvert[1]: Authorization: Basic HEADERSECRETHEADER proxy http://a:PROXYSECRET@p:1
                culvert[1]: {"client_secret":"JSONSECRET"} BLOCKSECRET with spaces
                culvert[1]: Cookie: x=y; z=HEADERSECRET bearer SHORTSECRET COOKIESECRET
                culvert[1]: and a line that is shown
                """
            try directory.write(log, to: "journal")
            let programs = directory.file("bin")
            try FileManager.default.createDirectory(
                atPath: programs,
                withIntermediateDirectories: true
            )
            try directory.write(
                "#!/bin/sh\ncat \(directory.file("journal"))\n",
                to: "bin/journalctl"
            )
            #expect(chmod(directory.file("bin/journalctl"), 0o700) == 0)
            let file = directory.file("diag.zip")
            let made = try home.run(
                [
                    "tunnel", "diag", "--config", config, "--output", file, "--token",
                    "cvt_ARGUMENTSECRET",
                ],
                [
                    "PATH=\(programs):/usr/bin:/bin", "CULVERT_TOKEN=ENVSECRET",
                    "HTTPS_PROXY=http://me:PROXYENVSECRET/x@127.0.0.1:1",
                    "CULVERT_ENROLMENT=cve_ENROLSECRET", "MY_PASSWORD=UNSHOWNSECRET",
                ]
            )
            #expect(made.status == 0, "\(made.errors)")
            let parts = try self.unzip(file, in: directory)
            #expect(parts.count == 16)
            for (name, text) in parts {
                #expect(!text.contains("SECRET"), "\(name): \(text)")
                #expect(!text.contains(key), "\(name)")
                #expect(!text.contains(tsigSecret), "\(name)")
            }
            // And yet there is something left.
            #expect(parts["journal.txt"]?.contains("and a line that is shown") == true)
            #expect(parts["configuration.yml"]?.contains("edge: connect.example.test:443") == true)
            #expect(parts["dns.txt"]?.contains("example.net: hook") == true)
            #expect(parts["environment.txt"]?.contains("@127.0.0.1:1") == true)
            #expect(parts["about.txt"]?.contains("tunnel diag --config \(config)") == true)
            #expect(parts["ingress.txt"]?.contains("config.yml:") == true)
            let processes = parts["processes.txt"] ?? ""
            #expect(processes.contains("culvert http 3000 --basic-auth *** --dir "), "\(processes)")
            #expect(processes.contains("--header=Cookie: ***\n"), "\(processes)")
            let said = made.output + made.errors
            #expect(!said.contains("SECRET"), "\(said)")
        }
    }
}
