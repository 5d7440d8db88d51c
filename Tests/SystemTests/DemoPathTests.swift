import Foundation
import Testing

extension SystemTests {
    /// "A person on a fresh machine runs one command and reaches a web service."
    @Suite struct DemoPath {
        /// `culvert edge dev` and `culvert http`, each as a person starts it.
        struct Demo {
            let directory: TemporaryDirectory
            let edge: ManagedProcess
            let port: Int
            let plainPort: Int

            init() throws {
                self.directory = try TemporaryDirectory()
                self.plainPort = try freePort()
                self.edge = try ManagedProcess(
                    Programs.culvert,
                    [
                        "edge", "dev", "--https", "127.0.0.1:0", "--http",
                        "127.0.0.1:\(self.plainPort)", "--dir", self.directory.file("dev"),
                    ],
                    in: self.directory
                )
                self.port = Int(try self.edge.line(#"https://NAME\.localhost:(\d+)"#)) ?? 0
            }

            func http(_ arguments: [String]) throws -> ManagedProcess {
                try ManagedProcess(
                    Programs.culvert,
                    ["http"] + arguments + ["--dir", self.directory.file("dev")],
                    in: self.directory
                )
            }

            func curl(_ url: String, _ arguments: [String] = []) throws -> Curl {
                try Curl(
                    url,
                    ["--cacert", self.directory.file("dev/ca.pem")] + arguments,
                    in: self.directory
                )
            }
        }

        @Test("curl gets the page over HTTP/1.1 and HTTP/2; the URL is alone on a line on stdout")
        func pageAtTheURL() throws {
            let demo = try Demo()
            let page = "<h1>A page of nginx</h1>\n"
            try FileManager.default.createDirectory(
                atPath: demo.directory.file("site"),
                withIntermediateDirectories: true
            )
            try demo.directory.write(page, to: "site/index.html")
            let nginx = try Nginx(
                server: "root \(demo.directory.file("site"));",
                in: demo.directory
            )
            let connector = try demo.http(["\(nginx.port)", "--hostname", "shop"])
            let url = try connector.line("^https://.*$")
            #expect(connector.output == url + "\n")
            #expect(url == "https://shop.localhost:\(demo.port)")

            let first = try demo.curl(url + "/", ["--http1.1"])
            #expect(first.exit == 0 && first.status == 200, "\(first.said)")
            #expect(first.text == page && first.version == "1.1")
            let second = try demo.curl(url + "/", ["--http2"])
            #expect(second.exit == 0 && second.status == 200, "\(second.said)")
            #expect(second.text == page && second.version == "2")
            #expect(second.first("server")?.hasPrefix("nginx") == true)
        }

        @Test("a second hostname, a random one, other kinds of origin; each leads to its own")
        func manyHostnames() throws {
            let demo = try Demo()
            let tcp = try Origin("tcp", in: demo.directory)
            let path = demo.directory.file("origin.sock")
            _ = try Origin("unix", listen: "unix:" + path, in: demo.directory)
            let connectors = [
                try demo.http(["127.0.0.1:\(tcp.port)", "--hostname", "one"]),
                try demo.http(["unix:" + path, "--hostname", "two.localhost"]),
                try demo.http(["http://localhost:\(tcp.port)"]),
                try demo.http(["hello_world", "--hostname", "hello"]),
            ]
            let urls = try connectors.map { try $0.line("^https://.*$") }
            #expect(Set(urls).count == 4)
            #expect(urls[1] == "https://two.localhost:\(demo.port)")
            #expect(try Echo(demo.curl(urls[0] + "/x")).origin == "tcp")
            #expect(try Echo(demo.curl(urls[1] + "/x")).origin == "unix")
            #expect(try Echo(demo.curl(urls[2] + "/x")).origin == "tcp")
            let hello = try demo.curl(urls[3] + "/")
            #expect(hello.status == 200 && hello.text.contains("ulvert"))
        }

        @Test("an unknown hostname is a 404 with Culvert-Error, in HTML for a browser")
        func unknownHostname() throws {
            let demo = try Demo()
            let url = "https://nobody.localhost:\(demo.port)/"
            let plain = try demo.curl(url)
            #expect(plain.exit == 0 && plain.status == 404)
            #expect(plain.first("culvert-error") == "hostname-unknown")
            #expect(plain.first("content-type")?.hasPrefix("text/plain") == true)
            let browser = try demo.curl(url, ["-H", "Accept: text/html,*/*;q=0.8"])
            #expect(browser.first("content-type")?.hasPrefix("text/html") == true)
            #expect(browser.text.contains("<"))
            let program = try demo.curl(url, ["-H", "Accept: application/json"])
            #expect(program.first("content-type")?.hasPrefix("application/json") == true)
            #expect((try? JSONSerialization.jsonObject(with: program.body)) != nil)
        }

        @Test("http:// redirects to https:// with 308, whatever the path and query")
        func redirect() throws {
            let demo = try Demo()
            let answer = try demo.curl(
                "http://shop.localhost:\(demo.plainPort)/a/b?c=%20d",
                ["-X", "POST", "-d", "body"]
            )
            #expect(answer.status == 308)
            let expected = "https://shop.localhost:\(demo.port)/a/b?c=%20d"
            #expect(answer.first("location") == expected)
        }

        @Test("http:// at the https port is told so")
        func plainAtTheSecurePort() throws {
            let demo = try Demo()
            let answer = try demo.curl("http://shop.localhost:\(demo.port)/")
            #expect(answer.status == 400)
            #expect(answer.first("culvert-error") == "https-expected")
        }

        @Test("credentials are for their owner, and survive a restart of the edge")
        func directory() throws {
            let demo = try Demo()
            for name in ["ca-key.pem", "edge-key.pem", "connector.json"] {
                let path = demo.directory.file("dev/" + name)
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
            }
            let before =
                demo.directory.text("dev/ca.pem") + demo.directory.text("dev/connector.json")
            demo.edge.signal(SIGINT)
            let status = try demo.edge.exit()
            #expect(status == 0)
            let again = try ManagedProcess(
                Programs.culvert,
                [
                    "edge", "dev", "--https", "127.0.0.1:0", "--http", "off", "--dir",
                    demo.directory.file("dev"),
                ],
                in: demo.directory
            )
            try again.line("its authority")
            let after =
                demo.directory.text("dev/ca.pem") + demo.directory.text("dev/connector.json")
            #expect(before == after)
        }

        @Test("--basic-auth and --cidr-allow keep others out, and the password from the origin")
        func access() throws {
            let demo = try Demo()
            let origin = try Origin(in: demo.directory)
            let connector = try demo.http([
                "\(origin.port)", "--hostname", "shop", "--basic-auth", "ann:correct-horse",
                "--cidr-allow", "127.0.0.1",
            ])
            let url = try connector.line("^https://.*$")
            for protocols in ["--http1.1", "--http2"] {
                let asked = try demo.curl(url + "/status/201", [protocols])
                #expect(asked.status == 401)
                #expect(asked.first("www-authenticate")?.hasPrefix("Basic realm=") == true)
                let wrong = try demo.curl(
                    url + "/status/201",
                    [protocols, "--user", "ann:wrong-horse"]
                )
                #expect(wrong.status == 401)
                let known = try demo.curl(
                    url + "/echo",
                    [protocols, "--user", "ann:correct-horse"]
                )
                #expect(known.status == 200)
                #expect(known.text.lowercased().contains("x-forwarded-for"), "\(known.text)")
                #expect(!known.text.lowercased().contains("authorization"), "\(known.text)")
                let elsewhere = try demo.curl(
                    url + "/status/201",
                    [protocols, "--user", "ann:correct-horse", "--interface", "127.0.0.2"]
                )
                #expect(elsewhere.status == 403, "\(elsewhere.said)")
            }
            let short = try demo.http(["\(origin.port)", "--basic-auth", "ann:secret"])
            #expect(try short.exit() == 64)
            #expect(short.errors.contains("fewer than 8") && !short.errors.contains("secret"))
        }

        @Test("ngrok's --url and --domain are hostnames")
        func otherWords() throws {
            let demo = try Demo()
            for (option, value) in [("--url", "https://shop.localhost"), ("--domain", "shop")] {
                let connector = try demo.http(["http_status:418", option, value])
                try connector.line("^https://shop.localhost")
                connector.end()
                _ = try connector.exit()
            }
        }

        @Test("without an edge, `culvert http` says what to do")
        func noEdge() throws {
            let directory = try TemporaryDirectory()
            let connector = try Finished(
                Programs.culvert,
                ["http", "3000", "--dir", directory.file("nothing")],
                in: directory
            )
            #expect(connector.status != 0)
            #expect(connector.errors.contains("culvert edge dev"))
        }
    }
}
