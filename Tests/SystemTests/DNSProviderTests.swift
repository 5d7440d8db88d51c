import Foundation
import Testing

extension SystemTests {
    /// DNS records: through a real BIND, through programs of one's own, and by hand.
    @Suite struct DNSProviders {
        private static let id = "11111111-2222-3333-4444-555555555555"
        private static let edge =
            #"{"agent":"culvert/0.1.0","connect":"localhost:443","domain":"example.test","#
            + #""wildcard":"*.example.test"}"#
        private static let names = [
            "example.org", "app.example.org", "*.sub.example.org", "taken.example.org",
            "text.example.org", "other.example.net",
        ]

        private static func path(_ name: String) -> String {
            "/api/v1/tunnels/demo/hostnames/\(name.replacingOccurrences(of: "*", with: "%2A"))"
        }

        /// A home that is logged in to an edge whose own name is `localhost`.
        private func start() throws -> (home: Home, api: ScriptedAPI) {
            let directory = try TemporaryDirectory()
            let home = try Home(directory)
            var script: [String: [ScriptedAPI.Answer]] = ["GET /api/v1/": [.init(Self.edge)]]
            for name in Self.names {
                let body = #"{"hostname":"\#(name)","tunnel":"demo"}"#
                script["PUT \(Self.path(name))"] = [.init(body, status: 201)]
                script["DELETE \(Self.path(name))"] = [.empty]
            }
            let tunnel = ScriptedAPI.tunnel(Self.id, name: "demo", key: "k")
            script["GET /api/v1/tunnels/demo"] = [
                .init(tunnel.replacingOccurrences(of: "app.example.test", with: "app.example.org"))
            ]
            script["DELETE /api/v1/tunnels/\(Self.id)"] = [.empty]
            let api = try ScriptedAPI(script, in: directory)
            try api.logIn(home)
            return (home, api)
        }

        private func route(
            _ name: String,
            _ options: [String] = [],
            at home: Home,
            _ environment: [String] = []
        ) throws -> Finished {
            try home.run(["tunnel", "route", "dns", "demo", name] + options, environment)
        }

        private func providers(_ server: NameServer, key: String? = nil, port: Int? = nil) -> String
        {
            """
            providers:
              - zone: example.org
                nsupdate: {server: 127.0.0.1:\(port ?? server.port), key-file: \(key ?? server.keyFile)}
                ttl: 120
                timeout: 20s
            """
        }

        @Test(
            "a BIND gets the record; once more is fine; another record stays until told otherwise"
        )
        func updates() throws {
            let (home, _) = try self.start()
            let server = try NameServer(
                "taken A 192.0.2.9\ntaken AAAA 2001:db8::9\ntext TXT \"x\"\n"
                    + "text A 192.0.2.8",
                in: home.directory
            )
            try home.write(self.providers(server), to: "dns.yml")
            for name in ["app.example.org", "*.sub.example.org"] {
                let made = try self.route(name, at: home)
                #expect(made.status == 0, "\(made.errors)")
                #expect(made.output == "\(name) leads to tunnel demo\n")
                #expect(
                    made.errors.contains("Made its DNS record:\n\n    \(name). CNAME localhost.")
                )
                #expect(made.errors.contains("not visible yet"), "\(made.errors)")
                let there = try self.route(name, at: home)
                #expect(there.status == 0)
                #expect(there.errors.contains("is there already"), "\(there.errors)")
                #expect(try server.records(name, "CNAME") == ["120 CNAME localhost."])
            }
            #expect(try server.records("any.sub.example.org", "CNAME") == ["120 CNAME localhost."])

            let before = try server.records("taken.example.org", "A")
            let refused = try self.route("taken.example.org", at: home)
            #expect(refused.status == 5)
            #expect(refused.output == "taken.example.org leads to tunnel demo\n")
            #expect(refused.errors.contains("--overwrite-dns"), "\(refused.errors)")
            let document = try self.route("taken.example.org", ["-o", "json"], at: home)
            #expect(document.status == 5)
            #expect(document.output.contains(#""state" : "different""#), "\(document.output)")
            #expect(try server.records("taken.example.org", "A") == before)
            let json = try self.route("taken.example.org", ["-f", "-o", "json"], at: home)
            #expect(json.status == 0, "\(json.errors)")
            #expect(json.output.contains(#""state" : "replaced""#), "\(json.output)")
            #expect(json.output.contains(#""taken.example.org. CNAME localhost.""#))
            // What dig shows is where the alias leads, too: there is no such zone here.
            #expect(try server.records("taken.example.org", "A") == ["120 CNAME localhost."])
            #expect(try server.records("taken.example.org", "AAAA") == ["120 CNAME localhost."])

            let beside = try self.route("text.example.org", ["--overwrite-dns"], at: home)
            #expect(beside.status == 5 && beside.errors.contains("other types"), "\(beside.errors)")
            #expect(try server.records("text.example.org", "TXT") == ["60 TXT \"x\""])
            #expect(try server.records("text.example.org", "A") == ["60 A 192.0.2.8"])
        }

        @Test("at the top of a zone there are addresses; what was made goes with the route")
        func apexAndRemoval() throws {
            let (home, _) = try self.start()
            let server = try NameServer("", in: home.directory)
            try home.write(self.providers(server), to: "dns.yml")
            let apex = try self.route("example.org", at: home)
            #expect(apex.status == 0, "\(apex.errors)")
            let addresses =
                try server.records("example.org", "A") + server.records("example.org", "AAAA")
            #expect(addresses.contains("120 A 127.0.0.1") || addresses.contains("120 AAAA ::1"))
            let gone = try home.run(["tunnel", "route", "delete", "demo", "example.org"])
            #expect(gone.status == 0 && gone.errors.contains("Removed"), "\(gone.errors)")
            #expect(try server.records("example.org", "A") == [])
            #expect(try server.records("example.org", "AAAA") == [])
            #expect(try server.records("example.org", "NS").count == 1)

            #expect(try self.route("app.example.org", at: home).status == 0)
            let deleted = try home.run(["tunnel", "delete", "demo"])
            #expect(deleted.status == 0 && deleted.errors.contains("Removed"), "\(deleted.errors)")
            #expect(try server.records("app.example.org", "CNAME") == [])
            let again = try home.run(["tunnel", "route", "delete", "demo", "app.example.org"])
            #expect(again.status == 0 && again.errors.contains("left alone"), "\(again.errors)")
        }

        @Test("why there is no record is told; the route stands, and the exit code is 5")
        func failures() throws {
            let (home, api) = try self.start()
            let server = try NameServer("", in: home.directory)
            let stranger = try NameServer.key("stranger", in: home.directory, file: "stranger.key")
            let forged = try NameServer.key("culvert", in: home.directory, file: "forged.key")
            let open = try NameServer.key("culvert", in: home.directory, file: "open.key")
            #expect(chmod(open, 0o644) == 0)
            let nobody = try freePort()
            let cases = [
                (self.providers(server, key: stranger), "BADKEY"),
                (self.providers(server, key: forged), "BADSIG"),
                (self.providers(server, key: open), "chmod 600"),
                (self.providers(server, key: home.directory.file("none.key")), "none.key"),
                (self.providers(server, port: nobody), "127.0.0.1:\(nobody) cannot be reached"),
                (
                    self.providers(server).replacingOccurrences(of: "example.org", with: "org"),
                    "NOTAUTH"
                ),
            ]
            for (file, words) in cases {
                try home.write(file, to: "dns.yml")
                let failed = try self.route("app.example.org", at: home)
                #expect(failed.status == 5, "\(words)")
                #expect(failed.output == "app.example.org leads to tunnel demo\n")
                #expect(failed.errors.contains(words), "\(words): \(failed.errors)")
                #expect(failed.errors.contains("app.example.org. CNAME localhost."))
            }
            try home.write(self.providers(server), to: "dns.yml")
            let missing = try self.route("app.example.org", at: home, ["PATH=/nowhere"])
            #expect(missing.status == 5 && missing.errors.contains("bind9-dnsutils"))
            #expect(try server.records("app.example.org", "CNAME") == [])
            let asked = api.asked.filter { $0.hasPrefix("PUT") }
            #expect(asked.count == cases.count + 1)

            try home.write("providers: [{zone: example.org, nsudpate: {}}]", to: "dns.yml")
            let wrong = try self.route("app.example.org", at: home)
            #expect(wrong.status == 78)
            #expect(wrong.errors.contains("dns.yml:1:33: providers[0].nsudpate"), "\(wrong.errors)")
            #expect(api.asked.filter { $0.hasPrefix("PUT") } == asked)
        }

        @Test("without a provider the record to make is printed, or that none is needed")
        func byHand() throws {
            let (home, _) = try self.start()
            let told = try self.route("other.example.net", at: home)
            #expect(told.status == 0)
            #expect(
                told.errors.contains("    other.example.net. CNAME localhost.\n"),
                "\(told.errors)"
            )
            #expect(told.errors.contains("does not resolve yet"))
            let json = try self.route("other.example.net", ["--output", "json"], at: home)
            let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
            let dns = (object as? [String: Any])?["dns"] as? [String: Any]
            #expect(dns?["state"] as? String == "by-hand")
            #expect(dns?["resolves"] as? String == "nowhere")
        }

        /// A home whose provider is a program of this text, which logs to `hook.log`.
        private func hook(_ text: String) throws -> Home {
            let (home, _) = try self.start()
            let log = home.directory.file("hook.log")
            let file = try home.write("#!/bin/sh\necho \"$@\" >>\(log)\n\(text)\n", to: "hook")
            #expect(chmod(file, 0o700) == 0)
            try home.write(
                """
                providers:
                  - {zone: example.org, hook: [./hook, "two words"], timeout: 2s}
                """,
                to: "dns.yml"
            )
            return home
        }

        @Test("a hook is run with arguments; what it says is shown")
        func hooks() throws {
            let home = try self.hook("echo remark >&2")
            let made = try self.route("*.sub.example.org", at: home)
            #expect(made.status == 0 && made.errors.contains("  remark"), "\(made.errors)")
            #expect(try self.route("app.example.org", ["-f"], at: home).status == 0)
            let gone = try home.run(["tunnel", "route", "delete", "demo", "app.example.org"])
            #expect(gone.status == 0, "\(gone.errors)")
            #expect(
                home.directory.text("hook.log") == """
                    two words set *.sub.example.org CNAME 300 localhost
                    two words replace app.example.org CNAME 300 localhost
                    two words delete app.example.org CNAME 300 localhost

                    """
            )
            let other = try self.route("app.example.org", at: try self.hook("exit 3"))
            #expect(other.status == 5 && other.errors.contains("--overwrite-dns"))
            let failed = try self.route(
                "app.example.org",
                at: try self.hook("echo no such account >&2; exit 7")
            )
            #expect(failed.status == 5)
            #expect(failed.errors.contains("exit code 7"), "\(failed.errors)")
            #expect(failed.errors.contains("no such account"))
            let missing = try self.hook("")
            #expect(chmod(missing.path + "/hook", 0o600) == 0)
            let unrunnable = try self.route("app.example.org", at: missing)
            #expect(unrunnable.status == 5 && unrunnable.errors.contains("Permission denied"))
        }

        @Test("a hook that hangs is ended with all that it started", .timeLimit(.minutes(2)))
        func hangs() throws {
            // It takes no notice of SIGTERM, and what it started holds its output open.
            let home = try self.hook("trap '' TERM; sleep 1000 & echo $! >\"$0.pid\"; wait; wait")
            let ended = try self.route("app.example.org", at: home)
            #expect(ended.status == 5)
            #expect(ended.errors.contains("did not end within 2s"), "\(ended.errors)")
            let text = try String(contentsOfFile: home.path + "/hook.pid", encoding: .utf8)
            let pid = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
            // Its parent is gone: whoever takes such in may take a moment to notice.
            try waitFor("the end of the hook's own child") {
                let state =
                    (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
                return kill(pid, 0) != 0 || state.contains(") Z ") ? true : nil
            }
        }

        @Test("Ctrl-C ends the hook, too", .timeLimit(.minutes(2)))
        func interrupted() throws {
            let home = try self.hook(
                "echo $$ >\"$0.pid.new\"; mv \"$0.pid.new\" \"$0.pid\"; exec sleep 1000"
            )
            try home.write(
                "providers: [{zone: example.org, hook: [./hook], timeout: 10m}]",
                to: "dns.yml"
            )
            let running = try home.start(["tunnel", "route", "dns", "demo", "app.example.org"])
            let text = try waitFor("the hook", explain: { running.said }) {
                try? String(contentsOfFile: home.path + "/hook.pid", encoding: .utf8)
            }
            let pid = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
            running.signal(SIGINT)
            let status = try running.exit()
            #expect(status == -SIGINT, "\(running.said)")
            #expect(kill(pid, 0) != 0)
        }
    }
}
