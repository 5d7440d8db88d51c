import Foundation
import Testing

extension SystemTests {
    /// Tunnels that several people share an edge for: invited, logged in, routed, revoked; every command
    /// against a real edge.
    @Suite struct ControlPlane {
        @Test("from an invitation to a service that visitors reach, and back")
        func aTunnelsLife() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            let origin = try Origin(in: deployment.directory)
            try ann.ok(["tunnel", "create", "web"])
            let route = try ann.ok(["tunnel", "route", "dns", "web", "ann.example.test"])
            #expect(route.contains("https://ann.example.test:\(deployment.port)"))
            // The route is there before anybody serves it: visitors wait.
            let connector = try ann.connect(["web"], to: origin)
            let visit = try deployment.curl("/status/201", host: "ann.example.test")
            #expect(visit.status == 201, "\(deployment.logs(connector))")
            let info = try ann.ok(["tunnel", "info", "web", "--output", "json"])
            let document = try JSONSerialization.jsonObject(with: Data(info.utf8))
            let tunnel = try #require(document as? [String: Any])
            let connectors = try #require(tunnel["connectors"] as? [[String: Any]])
            #expect(connectors.map { $0["state"] as? String } == ["connected"])
            #expect(tunnel["hostnames"] as? [String] == ["ann.example.test"])
            // Not while it is in use; by force, with its sessions.
            let refused = try ann.run(["tunnel", "delete", "web"])
            #expect(refused.status == 1 && refused.errors.contains("1 connector"))
            try ann.ok(["tunnel", "delete", "-f", "web"])
            try connector.line("no tunnel of this edge has this key", within: 5)
            #expect(try connector.exit() == 77)
            let gone = try deployment.curl("/", host: "ann.example.test")
            #expect(gone.status == 404)
        }

        @Test("route dns says how a hostname's requests are shared out, and changes it")
        func balance() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            try ann.ok(["tunnel", "create", "web"])
            let route = ["tunnel", "route", "dns", "web", "ann.example.test"]
            let wrong = try ann.run(route + ["--balance", "fair"])
            #expect(wrong.status == 64 && wrong.errors.contains("round-robin"), "\(wrong.errors)")
            try ann.ok(route)
            #expect(try !ann.ok(["tunnel", "info", "web"]).contains("(sticky)"))
            let origin = try Origin(in: deployment.directory)
            let connector = try ann.connect(["web"], to: origin)
            let plain = try deployment.curl("/status/201", host: "ann.example.test")
            #expect(plain.status == 201 && plain.first("set-cookie") == nil)
            let changed = try ann.ok(route + ["--balance", "sticky"])
            #expect(changed.contains("leads already"))
            // What is not said of it stays.
            try ann.ok(route)
            #expect(try ann.ok(["tunnel", "info", "web"]).contains("ann.example.test (sticky)"))
            let sticky = try deployment.curl("/status/201", host: "ann.example.test")
            let logs = deployment.logs(connector)
            #expect(sticky.status == 201 && sticky.first("set-cookie") != nil, "\(logs)")
        }

        @Test(
            "a token serves what it names, until it is revoked or expires; its sessions end at once"
        )
        func tokens() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            let origin = try Origin(in: deployment.directory)
            try ann.ok(["tunnel", "create", "web"])
            for name in ["ann", "api.ann"] {
                try ann.ok(["tunnel", "route", "dns", "web", "\(name).example.test"])
            }
            let token = try ann.ok([
                "tunnel", "token", "web", "--hostname", "ann.example.test",
            ]).trimmingCharacters(in: .whitespacesAndNewlines)
            // A token says which edge, and not where it is dialled.
            let connector = try ann.start(
                [
                    "tunnel", "run", "--url", "http://127.0.0.1:\(origin.port)", "--edge-address",
                    "127.0.0.1:\(deployment.port)",
                ],
                ["CULVERT_TOKEN=\(token)"]
            )
            try connector.line("Connected to the edge")
            #expect(try deployment.curl("/status/201", host: "ann.example.test").status == 201)
            // Nobody serves the other hostname: its visitors wait, and give up.
            let other = try deployment.beginCurl(
                "/",
                host: "api.ann.example.test",
                ["--insecure", "--max-time", "2"]
            )
            #expect(try other.finish().exit == 28)
            let keys = try ann.ok(["tunnel", "info", "web", "--output", "json"])
            let key = try #require(
                keys.firstMatch(#""label" : "token[^"]*",\s*"public_key" : "([^"]+)""#),
                "\(keys)"
            )
            let name = key.replacingOccurrences(of: "+", with: "-")
                .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
            let revoked = Date()
            try ann.ok(["tunnel", "token", "--revoke", name, "web"])
            try connector.line("has this key", within: 5)
            #expect(try connector.exit() == 77)
            // The command itself is a good part of it.
            #expect(Date().timeIntervalSince(revoked) < 3)
        }

        @Test("an invitation of somebody who is there is another login, and changes nothing")
        func anotherInvitation() throws {
            let deployment = try Deployment()
            let bob = try Person("bob", at: deployment)
            let words = [
                "edge", "invite", "bob", "--config", deployment.directory.file("edge.yml"),
            ]
            let refused = try Finished(
                Programs.culvert,
                words + ["--admin"],
                in: deployment.directory
            )
            #expect(refused.status == 1, "\(refused.errors)")
            #expect(refused.errors.contains("culvert account change bob"), "\(refused.errors)")
            #expect(try bob.ok(["account"]).contains("member"))
            let again = try Finished(Programs.culvert, words, in: deployment.directory)
            #expect(again.status == 0 && again.errors.contains("another way into it"))
            #expect(again.output.contains("#cve_"))
        }

        @Test("a member has as many tunnels as it may")
        func quota() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment, ["--tunnels", "1"])
            try ann.ok(["tunnel", "create", "one"])
            let refused = try ann.run(["tunnel", "create", "two"])
            #expect(refused.status == 1 && refused.errors.contains("as many as it may"))
            // Nothing of it is left behind.
            let list = try ann.ok(["tunnel", "list"])
            #expect(!list.contains("two"))
            let files = try FileManager.default.contentsOfDirectory(atPath: ann.home)
            #expect(files.filter { $0.hasSuffix(".json") }.count == 2, "\(files)")
        }

        @Test("a device is let in by a browser that was invited")
        func deviceLogin() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            let code = try Person.invite("ann", at: deployment)
            let login = try ann.start(ann.loginWords + ["--no-browser"])
            let userCode = try login.line(#"^ +([B-Z]{4}-[B-Z]{4})$"#)
            let jar = deployment.directory.file("cookies")
            let host = "edge.example.test"
            let page = try deployment.curl(
                "/enrol",
                host: host,
                ["--cookie-jar", jar, "--data", "code=\(code)"]
            )
            #expect(page.status == 200, "\(page.text)")
            let question = try deployment.curl(
                "/device?code=\(userCode)",
                host: host,
                ["--cookie", jar]
            )
            #expect(question.text.contains("Let this device in?"), "\(question.text)")
            let answer = try deployment.curl(
                "/device",
                host: host,
                ["--cookie", jar, "--data", "code=\(userCode)&answer=yes"]
            )
            #expect(answer.text.contains("The device is in"), "\(answer.text)")
            try login.line("Logged in at", within: 20)
            #expect(try login.exit() == 0)
            try ann.ok(["tunnel", "list"])
            // Or by whoever is logged in already; the code is not good twice.
            let bob = try Person("bob", at: deployment)
            let other = try bob.start(bob.loginWords + ["--no-browser"])
            let shown = try other.line(#"^ +([B-Z]{4}-[B-Z]{4})$"#)
            try ann.ok(["login", "--approve", shown.lowercased()])
            try other.line("Logged in at .* as ann", within: 20)
            #expect(try ann.run(["login", "--approve", shown]).status == 4)
        }

        @Test("whoever asks the API for another protocol is answered as if he had not asked")
        func upgrade() throws {
            let deployment = try Deployment()
            let visit = try deployment.curl(
                "/api/v1",
                host: "edge.example.test",
                [
                    "--http1.1", "--max-time", "5", "-H", "Connection: Upgrade", "-H",
                    "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13", "-H",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                ]
            )
            #expect(visit.exit == 0 && visit.status == 200, "\(visit.said)")
        }

        @Test("a member's random name, and a label, are below the first suffix he was granted")
        func grantedSuffix() throws {
            let deployment = try Deployment(hostnames: Deployment.host)
            let bob = try Person("bob", at: deployment, ["--suffix", "sub.example.test"])
            let random = try bob.start(["http", "http_status:418"])
            let url = try random.line("^https://([a-z]+-[a-z]+-[0-9]+\\.sub\\.example\\.test):")
            #expect(try deployment.curl("/", host: url).status == 418)
            let label = try bob.start(["http", "http_status:418", "--hostname", "shop"])
            try label.line("^https://shop\\.sub\\.example\\.test:")
            let other = try bob.run(["http", "http_status:418", "--hostname", "shop.example.test"])
            #expect(other.status == 77 && other.errors.contains("granted: sub.example.test"))
            let deep = try bob.run(["http", "1", "--hostname", "a.b.sub.example.test"])
            #expect(deep.status == 77 && deep.errors.contains("ask for NAME.sub.example.test"))
        }

        @Test("a connector whose key was taken away says so")
        func revoked() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            try ann.ok(["tunnel", "create", "web"])
            let connector = try ann.start(["tunnel", "run", "web", "--url", "http_status:418"])
            try connector.line("Connected to the edge")
            try ann.ok(["tunnel", "delete", "--force", "web"])
            try connector.line("closed by the peer: revoked, ")
            #expect(try connector.exit() == 77)
            #expect(!connector.errors.contains("closed here"), "\(connector.errors)")
        }

        @Test("whoever is logged out is told so, and can do nothing")
        func logout() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            let kept = try String(contentsOfFile: ann.home + "/login.json", encoding: .utf8)
            try ann.ok(["logout"])
            #expect(try ann.run(["tunnel", "list"]).status == 3)
            // The token is dead, too, wherever it was copied to.
            let file = URL(fileURLWithPath: ann.home + "/login.json")
            try Data(kept.utf8).write(to: file)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600],
                ofItemAtPath: file.path
            )
            let dead = try ann.run(["tunnel", "list"])
            #expect(dead.status == 3 && dead.errors.contains("culvert login"), "\(dead.errors)")
        }

        @Test("an edge that is killed while it writes has kept what it confirmed, and goes on")
        func killedWhileWriting() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment, ["--tunnels", "1000"])
            var confirmed: Set<String> = []
            for round in 0..<3 {
                let writers = try (0..<3).map { number in
                    try ManagedProcess(
                        "/bin/sh",
                        [
                            "-c",
                            """
                            for i in $(seq 100); do CULVERT_HOME=\(ann.home) \(Programs.culvert) \
                            tunnel create r\(round)-w\(number)-$i >/dev/null && echo r\(round)-w\(number)-$i \
                            || exit 0; done
                            """,
                        ],
                        in: deployment.directory
                    )
                }
                for writer in writers { try writer.line("^r.*$", skipping: 1) }
                deployment.edge.killNow()
                for writer in writers {
                    _ = try writer.exit()
                    confirmed.formUnion(writer.output.split(separator: "\n").map(String.init))
                }
                try deployment.restartEdge()
            }
            let list = try ann.ok(["tunnel", "list", "--output", "json"])
            for name in confirmed {
                #expect(list.contains("\"\(name)\""), "\(name) was confirmed, and is gone")
            }
            #expect(confirmed.count >= 18)
        }

        @Test("a backup is whole, and an edge starts from it; a damaged store is named")
        func backup() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            try ann.ok(["tunnel", "create", "kept"])
            let configuration = deployment.directory.file("edge.yml")
            let store = deployment.directory.file("edge.db")
            let copy = deployment.directory.file("copy.db")
            let words = ["edge", "backup", copy, "--config", configuration]
            let made = try Finished(Programs.culvert, words, in: deployment.directory)
            #expect(made.status == 0, "\(made.errors)")
            let again = try Finished(Programs.culvert, words, in: deployment.directory)
            #expect(again.status == 1 && again.errors.contains("exists already"))
            let restore = ["edge", "restore", copy, "--config", configuration]
            let early = try Finished(Programs.culvert, restore, in: deployment.directory)
            #expect(early.status == 1 && early.errors.contains("is in use"), "\(early.errors)")
            try ann.ok(["tunnel", "create", "later"])
            deployment.edge.killNow()
            _ = try deployment.edge.exit()
            // All that is in the log goes into the file, which is then damaged in the middle.
            let script =
                "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)')"
            let moved = try Finished(
                Programs.python,
                ["-c", script, store],
                in: deployment.directory
            )
            #expect(moved.status == 0, "\(moved.errors)")
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: store))
            try handle.seek(toOffset: 4_096)
            try handle.write(contentsOf: Data(repeating: 0xA5, count: 8_192))
            try handle.close()
            let refused = try Finished(
                Programs.culvert,
                ["edge", "run", "--config", configuration],
                in: deployment.directory
            )
            #expect(refused.status == 1)
            #expect(refused.errors.contains("edge.db") && refused.errors.contains("backup"))
            let restored = try Finished(Programs.culvert, restore, in: deployment.directory)
            #expect(restored.status == 0 && restored.errors.contains("tunnels: 1"))
            #expect(restored.errors.contains("edge.db.before-"), "\(restored.errors)")
            try deployment.restartEdge()
            let list = try ann.ok(["tunnel", "list"])
            #expect(list.contains("kept") && !list.contains("later"))
            // An edge that stops in order leaves one file.
            deployment.edge.signal(SIGTERM)
            #expect(try deployment.edge.exit() == 0)
            for suffix in ["-wal", "-shm"] {
                #expect(!FileManager.default.fileExists(atPath: store + suffix))
            }
        }

        @Test("culvert http needs a login and nothing else; its tunnel is made and kept")
        func httpAfterLogin() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            let origin = try Origin(in: deployment.directory)
            for _ in 0..<2 {
                let connector = try ann.start(["http", "\(origin.port)", "--hostname", "shop"])
                let url = try connector.line("^https://.*$")
                #expect(url == "https://shop.example.test:\(deployment.port)")
                let visit = try deployment.curl("/status/203", host: "shop.example.test")
                #expect(visit.status == 203, "\(deployment.logs(connector))")
                connector.end()
                _ = try connector.exit()
            }
            let list = try ann.ok(["tunnel", "list", "--output", "json"])
            #expect(list.components(separatedBy: "\"name\" : \"http-").count == 2, "\(list)")
        }

        @Test("tail ends when the right to it does, whatever happens meanwhile")
        func tailOfOneWhoHasLostHisRight() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            let root = try Person("root", at: deployment, ["--admin"])
            let origin = try Origin(in: deployment.directory)
            try ann.ok(["tunnel", "create", "web"])
            try ann.ok(["tunnel", "route", "dns", "web", "ann.example.test"])
            _ = try ann.connect(["web"], to: origin)
            let visits = try deployment.beginCurl(
                "/ticks/2000?pause=0.01",
                host: "ann.example.test"
            )
            let tail = try ann.start(["tail", "web"])
            try tail.line("Watching web")
            try root.ok(["account", "delete", "ann", "--force"])
            // The connector's session is over at once, and who watches is told no more within a second or two: an
            // edge that looked at the right now and then only took fifteen.
            let status = try tail.exit(within: 10)
            #expect(status == 3, "\(tail.said)")
            visits.process.end()
        }

        @Test(
            "tail shows requests and connectors as they come, and goes on after the edge's restart"
        )
        func tail() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            let bob = try Person("bob", at: deployment)
            let origin = try Origin(in: deployment.directory)
            try ann.ok(["tunnel", "create", "web"])
            try ann.ok(["tunnel", "route", "dns", "web", "ann.example.test"])
            #expect(try bob.run(["tail", "web"]).status == 4)
            let tail = try ann.start(["tail", "web"])
            let json = try ann.start(["tail", "web", "--output", "json"])
            try tail.line("Watching web")
            try json.line("Watching web")
            let connector = try ann.connect(["web"], to: origin)
            try tail.line("connector .* connected  culvert/")
            _ = try deployment.curl("/status/203?q=1", host: "ann.example.test")
            try tail.line("203  GET ann.example.test/status/203\\?q=1  \\d+ ms  127.0.0.1$")
            let line = try json.line(#"^.*"kind":"request".*$"#)
            let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect((event?["request"] as? [String: Any])?["status"] as? Int == 203)
            // Another's requests are not shown, and a visitor's control characters are not written.
            _ = try deployment.curl("/elsewhere", host: Deployment.host)
            _ = try deployment.curl("/status/202?%1b", host: "ann.example.test")
            try tail.line("202  GET")
            #expect(!tail.output.contains("elsewhere"))
            deployment.edge.killNow()
            _ = try deployment.edge.exit()
            try tail.line("Asking again in")
            try deployment.restartEdge()
            try tail.line("Watching web", skipping: 1, within: 40)
            try waitFor("the connector", seconds: 40) {
                let visit = try deployment.curl("/status/201", host: "ann.example.test")
                return visit.status == 201 ? true : nil
            }
            try tail.line("201  GET")
            // An edge that stops does not wait for those who watch.
            deployment.edge.end()
            #expect(try deployment.edge.exit(within: 10) == 0)
            connector.end()
        }
    }
}
