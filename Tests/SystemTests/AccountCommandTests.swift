import Foundation
import Testing

extension SystemTests {
    /// Commands that ask an edge's API, at a server that answers as one does.
    @Suite struct AccountCommands {
        private static let id = "11111111-2222-3333-4444-555555555555"
        private static let key = "mB3xJb0k/+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        private static let account =
            #"{"id":"a-1","name":"ann","role":"admin","created_at":"2026-11-27T20:00:00Z"}"#
        private static let tunnel = ScriptedAPI.tunnel(Self.id, name: "demo", key: Self.key)

        private func start(
            _ script: [String: [ScriptedAPI.Answer]]
        ) throws -> (home: Home, api: ScriptedAPI) {
            let directory = try TemporaryDirectory()
            let home = try Home(directory)
            let edge =
                #"{"agent":"culvert/0.1.0","connect":"connect.example.test:443","#
                + #""domain":"example.test","wildcard":"*.example.test"}"#
            let common: [String: [ScriptedAPI.Answer]] = ["GET /api/v1/": [.init(edge)]]
            let all = common.merging(script) { $1 }
            return (home, try ScriptedAPI(all, in: directory))
        }

        @Test(
            "login with a browser elsewhere shows URL and code, waits, and keeps the login; logout"
        )
        func device() throws {
            let login = #"{"token":"cvs_secret","account":\#(Self.account)}"#
            let (home, api) = try self.start([
                "POST /api/v1/device/authorization": [
                    .init(
                        #"{"device_code":"dc","user_code":"WDJB-MJHT","verification_uri":"#
                            + #""https://api.example.test/d","verification_uri_complete":"#
                            + #""https://api.example.test/d?code=WDJB-MJHT","expires_in":60,"#
                            + #""interval":1}"#
                    )
                ],
                "POST /api/v1/device/token": [
                    .problem("authorization_pending", 400, "wait"), .init(login),
                ],
                "DELETE /api/v1/sessions/current": [.empty],
            ])
            let made = try home.run(["login", "api.example.test"] + api.options)
            #expect(made.status == 0, "\(made.errors)")
            #expect(made.errors.contains("https://api.example.test/d?code=WDJB-MJHT"))
            #expect(made.errors.contains("    WDJB-MJHT\n"))
            #expect(made.output == "Logged in at https://api.example.test as ann.\n")
            #expect(!(made.output + made.errors).contains("cvs_"))
            let ended = try home.run(["logout"])
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try home.files() == [])
            #expect(api.asked.last == "DELETE /api/v1/sessions/current")
        }

        @Test("login with an enrolment code, from the environment or standard input's file")
        func enrolment() throws {
            let login = #"{"token":"cvs_secret","account":\#(Self.account)}"#
            let (home, api) = try self.start([
                "POST /api/v1/login": [.init(login), .problem("unknown", 404, "not good")]
            ])
            let made = try home.run(
                ["login", "api.example.test"] + api.options,
                ["CULVERT_ENROLMENT=cve_x"]
            )
            #expect(made.status == 0, "\(made.errors)")
            // The edge and how to get there are known by now; a code that is not good changes nothing.
            let again = try home.run(["login", "--token", "cve_y"])
            #expect(again.status == 4 && again.errors == "Error: not good\n")
            #expect(try home.files() == ["login.json"])
            let wrong = try home.run(["login", "--token", "something"])
            #expect(wrong.status == 64 && wrong.errors.contains("cve_"))
        }

        @Test("where a login cannot be kept, the code is not spent")
        func noRoomForALogin() throws {
            let login = #"{"token":"cvs_secret","account":\#(Self.account)}"#
            let (home, api) = try self.start(["POST /api/v1/login": [.init(login)]])
            // No file may grow, as on a disk that is full; what is said goes through a pipe.
            let script = "set -o pipefail; (trap '' XFSZ; ulimit -f 0; exec \"$@\") 2>&1 | cat"
            let words =
                [
                    "-c", script, "login", "env", "CULVERT_HOME=\(home.path)", Programs.culvert,
                    "login", "api.example.test", "--token", "cve_x",
                ] + api.options
            let failed = try Finished("/bin/bash", words, in: home.directory)
            #expect(failed.status == 1, "\(failed.output)")
            #expect(failed.output.contains("cannot be written"), "\(failed.output)")
            #expect(failed.output.contains("is still good"), "\(failed.output)")
            #expect(api.asked.isEmpty)
            #expect(try home.files() == [])
        }

        @Test("a tunnel is made, listed, shown, routed and deleted, with its credentials")
        func tunnels() throws {
            let hostname =
                #"{"hostname":"app.example.test","tunnel":"demo","url":"https://app.example.test"}"#
            let (home, api) = try self.start([
                "POST /api/v1/tunnels": [.init(Self.tunnel, status: 201)],
                "GET /api/v1/tunnels": [
                    .init(#"{"items":[\#(Self.tunnel)]}"#), .init(#"{"items":[\#(Self.tunnel)]}"#),
                    .init(#"{"items":[]}"#),
                ],
                "GET /api/v1/tunnels/demo": [.init(Self.tunnel)],
                "GET /api/v1/tunnels/nope": [.problem("unknown", 404, "no such tunnel")],
                "PUT /api/v1/tunnels/demo/hostnames/app.example.test": [
                    .init(hostname, status: 201)
                ],
                "DELETE /api/v1/tunnels/\(Self.id)": [
                    .problem("in-use", 409, "connectors serve it"), .empty,
                ],
                "DELETE /api/v1/tunnels/\(Self.id)?force=true": [.empty],
            ])
            try api.logIn(home)
            let made = try home.run(["tunnel", "create", "demo"])
            #expect(made.status == 0, "\(made.errors)")
            #expect(made.output == "Created tunnel demo with id \(Self.id).\n")
            #expect(made.errors.contains("culvert tunnel route dns demo HOSTNAME"))
            #expect(try home.files() == ["\(Self.id).json", "login.json"])
            let table = try home.run(["tunnel", "list"])
            #expect(
                table.output == """
                    ID                                    NAME  CREATED           CONNECTORS  HOSTNAMES
                    \(Self.id)  demo  2026-11-27 20:00  0           app.example.test

                    """
            )
            let json = try home.run(["tunnel", "list", "--output", "json"])
            let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
            let items = (object as? [String: [[String: Any]]])?["items"]
            #expect(items?.first?["created_at"] as? String == "2026-11-27T20:00:00Z")
            let none = try home.run(["tunnel", "list"])
            #expect(none.output.isEmpty && none.errors.contains("culvert tunnel create"))
            let info = try home.run(["tunnel", "info", "demo"])
            #expect(info.output.contains("mB3xJb0k_-"), "\(info.output)")
            let unknown = try home.run(["tunnel", "info", "nope"])
            #expect(unknown.status == 4 && unknown.errors == "Error: no such tunnel\n")
            let route = try home.run(["tunnel", "route", "dns", "demo", "app.example.test"])
            #expect(
                route.output == "app.example.test leads to tunnel demo: https://app.example.test\n"
            )
            #expect(route.errors.contains("no DNS record"), "\(route.errors)")
            let busy = try home.run(["tunnel", "delete", "demo"])
            #expect(busy.status == 1 && busy.errors == "Error: connectors serve it\n")
            #expect(try home.files().count == 2)
            let gone = try home.run(["tunnel", "delete", "-f", "demo", "--output", "json"])
            #expect(gone.status == 0, "\(gone.errors)")
            #expect(gone.output.contains(#""id" : "\#(Self.id)""#), "\(gone.output)")
            #expect(try home.files() == ["login.json"])
        }

        @Test("a key that cannot be kept makes no tunnel")
        func unwritable() throws {
            let (home, api) = try self.start([
                "POST /api/v1/tunnels": [.init(Self.tunnel, status: 201)],
                "DELETE /api/v1/tunnels/\(Self.id)?force=true": [.empty],
            ])
            try api.logIn(home)
            let file = try home.write("precious", to: "\(Self.id).json")
            let made = try home.run(["tunnel", "create", "demo"])
            #expect(made.status == 1)
            #expect(made.errors.contains(file) && made.errors.contains("exists already"))
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "precious")
            #expect(api.asked.last == "DELETE /api/v1/tunnels/\(Self.id)?force=true")
        }

        @Test("a token is printed alone; its key is told by its first characters and taken away")
        func tokens() throws {
            let added =
                #"{"public_key":"x","label":"l","created_at":"2026-11-27T20:00:00Z","#
                + #""hostnames":["app.example.test"]}"#
            let name = "mB3xJb0k_-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            let (home, api) = try self.start([
                "GET /api/v1/tunnels/demo": [.init(Self.tunnel)],
                "POST /api/v1/tunnels/\(Self.id)/keys": [.init(added, status: 201)],
                "DELETE /api/v1/tunnels/\(Self.id)/keys/\(name)": [.empty],
            ])
            try api.logIn(home)
            let token = try home.run([
                "tunnel", "token", "demo", "--hostname", "app.example.test", "--expires", "30d",
            ])
            #expect(token.status == 0, "\(token.errors)")
            #expect(token.output.firstMatch("^(cvt_[A-Za-z0-9_-]+)\n$") != nil)
            let body = home.directory.text("api.log")
            #expect(body.contains(#"\"hostnames\":[\"app.example.test\"]"#), "\(body)")
            for scope in ["app.example.test/30d", "app.example.test", "/2w"] {
                let scoped = try home.run(["tunnel", "token", "demo", "--scope", scope])
                #expect(scoped.status == 0, "\(scope): \(scoped.errors)")
                let asked = home.directory.text("api.log").split(separator: "\n").last ?? ""
                #expect(asked.contains("app.example.test") == scope.hasPrefix("app"), "\(asked)")
                #expect(asked.contains("expires_at") == scope.contains("/"), "\(asked)")
            }
            for scope in ["app.example.test/soon", "", "/", "a/30d/b"] {
                let wrong = try home.run(["tunnel", "token", "demo", "--scope", scope])
                #expect(wrong.status == 64 && wrong.errors.contains("--scope"), "\(wrong.errors)")
            }
            let twice = ["--scope", "/30d", "--expires", "2w"]
            #expect(try home.run(["tunnel", "token", "demo"] + twice).status == 64)
            let json = try home.run(["tunnel", "token", "demo", "--output", "json"])
            let made = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
            let fields = try #require(made as? [String: Any], "\(json.output)")
            #expect((fields["token"] as? String)?.hasPrefix("cvt_") == true)
            #expect((fields["key"] as? [String: Any])?["label"] as? String == "l")
            let file = home.directory.file("connector.json")
            let written = try home.run(["tunnel", "token", "demo", "--cred-file", file])
            #expect(written.status == 0 && written.output.isEmpty, "\(written.errors)")
            #expect(home.directory.text("connector.json").contains(#""TunnelName" : "demo""#))
            let wrong = try home.run(["tunnel", "token", "demo", "--expires", "soon"])
            #expect(wrong.status == 64)
            let unknown = try home.run(["tunnel", "token", "demo", "--revoke", "zzzzzzzz"])
            #expect(unknown.status == 4)
            let taken = try home.run(["tunnel", "token", "demo", "--revoke", "mB3xJb0k"])
            #expect(taken.status == 0, "\(taken.errors)")
            #expect(api.asked.last == "DELETE /api/v1/tunnels/\(Self.id)/keys/\(name)")
        }

        @Test("the ingress of the edge is checked here, set over what it is, and edited")
        func configuration() throws {
            let path = "/api/v1/tunnels/demo/configuration"
            let text = #"{"version":3,"text":"ingress: [{service: http_status:404}]\n"}"#
            let (home, api) = try self.start([
                "GET \(path)": [.init(text)],
                "PUT \(path)": [
                    .init(#"{"version":4,"text":"x"}"#), .init(#"{"version":5,"text":"x"}"#),
                    .problem("conflict", 409, "changed meanwhile"),
                ],
            ])
            try api.logIn(home)
            let bad = try home.write("ingress:\n  - service: nonsense\n", to: "bad.yml")
            let refused = try home.run(["tunnel", "config", "set", "demo", bad])
            #expect(refused.status == 78 && refused.errors.contains("\(bad):2:14"))
            #expect(api.asked.isEmpty)
            let good = try home.write("ingress:\n  - service: http_status:410\n", to: "good.yml")
            let set = try home.run(["tunnel", "config", "set", "demo", good])
            #expect(set.output == "The edge has it as version 4.\n", "\(set.errors)")
            #expect(home.directory.text("api.log").contains(#"\"version\":3"#))
            let shown = try home.run(["tunnel", "config", "get", "demo"])
            #expect(shown.output == "ingress: [{service: http_status:404}]\n")
            let edit = ["tunnel", "config", "edit", "demo"]
            let edited = try home.run(edit, ["EDITOR=sed -i s/404/411/"])
            #expect(edited.output == "The edge has it as version 5.\n", "\(edited.errors)")
            let same = try home.run(edit, ["EDITOR=true"])
            #expect(same.errors == "Nothing was changed.\n")
            for (editor, status) in [
                ("sed -i s/404/412/", 1), ("sed -i s/http_status/nonsense/", 78),
            ] as [(String, CInt)] {
                let lost = try home.run(edit, ["EDITOR=\(editor)", "TMPDIR=\(home.path)"])
                #expect(lost.status == status)
                let kept = lost.errors.firstMatch("What you wrote is in (.*)\\.\n")
                #expect(kept.map { FileManager.default.fileExists(atPath: $0) } == true)
            }
        }

        @Test("one's sessions are listed, and ended by the beginning of their ids, or all others")
        func sessions() throws {
            let ids = ["aaaaaaaa-1", "aaaaaaaa-2", "bbbbbbbb-3"]
            let items = ids.enumerated().map { number, id in
                #"{"id":"\#(id)","label":"host \#(number)","created_at":"2026-11-27T20:00:00Z","#
                    + #""used_at":"2026-11-28T20:00:00Z","expires_at":"2027-02-26T20:00:00Z","#
                    + #""is_current":\#(number == 0)}"#
            }.joined(separator: ",")
            let (home, api) = try self.start([
                "GET /api/v1/sessions": [.init(#"{"items":[\#(items)]}"#)],
                "DELETE /api/v1/sessions/aaaaaaaa-2": [.empty],
                "DELETE /api/v1/sessions/bbbbbbbb-3": [.empty],
            ])
            try api.logIn(home)
            let list = try home.run(["account", "sessions"])
            #expect(list.status == 0, "\(list.errors)")
            let row = "aaaaaaaa-1  host 0 *  2026-11-27 20:00  2026-11-28  2027-02-26"
            #expect(list.output.contains(row), "\(list.output)")
            let json = try home.run(["account", "sessions", "--output", "json"])
            let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
            let found = (object as? [String: [[String: Any]]])?["items"]
            #expect(found?.last?["expires_at"] as? String == "2027-02-26T20:00:00Z")
            #expect(found?.map { $0["is_current"] as? Bool } == [true, false, false])
            let revoke = ["account", "sessions", "revoke"]
            let vague = try home.run(revoke + ["bbbbbbbb", "aaaaaaaa"])
            #expect(vague.status == 1 && vague.errors.contains("2 sessions begin with"))
            let unknown = try home.run(revoke + ["cccccccc"])
            #expect(unknown.status == 4 && unknown.errors.contains("culvert account sessions"))
            #expect(!api.asked.contains { $0.hasPrefix("DELETE") })
            let ended = try home.run(revoke + ["BBBBBBBB"])
            #expect(ended.errors == "Ended the session bbbbbbbb-3 (host 2).\n")
            #expect(api.asked.last == "DELETE /api/v1/sessions/bbbbbbbb-3")
            let others = try home.run(revoke + ["--others"])
            #expect(others.status == 0, "\(others.errors)")
            let deleted = api.asked.filter { $0.hasPrefix("DELETE") }.dropFirst()
            #expect(deleted.map { $0.suffix(10) } == ["aaaaaaaa-2", "bbbbbbbb-3"])
            for words in [revoke, revoke + ["--others", "bbbbbbbb"]] {
                #expect(try home.run(words).status == 64)
            }
        }

        @Test("an account is deleted when a person says so, and where none can be asked, by force")
        func deleteAccount() throws {
            let (home, api) = try self.start(["DELETE /api/v1/accounts/bob": [.empty]])
            try api.logIn(home)
            let words = ["account", "delete", "bob"]
            let unasked = try home.run(words)
            #expect(unasked.status == 1 && unasked.errors.contains("--force"))
            for (answer, status) in [("", 1), ("n", 1), ("yes", 0)] as [(String, CInt)] {
                let terminal = [Programs.python, Programs.script("at_terminal.py"), answer]
                let asked = try Finished(
                    "/usr/bin/env",
                    ["CULVERT_HOME=\(home.path)"] + terminal + [Programs.culvert] + words,
                    in: home.directory
                )
                #expect(asked.status == status, "\(answer): \(asked.output)\(asked.errors)")
                #expect(asked.output.hasPrefix("Delete the account bob, and all that is its own?"))
                #expect(api.asked.count == (status == 0 ? 1 : 0))
            }
            let forced = try home.run(words + ["-f"])
            #expect(forced.status == 0, "\(forced.errors)")
            #expect(api.asked == Array(repeating: "DELETE /api/v1/accounts/bob", count: 2))
        }

        @Test("accounts, their invitations and what they did; a session that is over is told")
        func accounts() throws {
            let invitation =
                #"{"account":\#(Self.account),"code":"cve_x","url":"https://api.example.test/e","#
                + #""expires_at":"2026-11-28T20:00:00Z"}"#
            let (home, api) = try self.start([
                "GET /api/v1/account": [
                    .init(Self.account), .init(Self.account),
                    .problem("unauthenticated", 401, "no"),
                ],
                "POST /api/v1/accounts": [.init(invitation, status: 201)],
                "GET /api/v1/audit?limit=1": [.init(#"{"items":[]}"#)],
            ])
            try api.logIn(home)
            let own = try home.run(["account"])
            #expect(own.output.contains("Name:       ann\n"), "\(own.errors)")
            let json = try home.run(["account", "-o", "json"])
            #expect(json.output.contains(#""role" : "admin""#))
            let over = try home.run(["account"])
            #expect(over.status == 3)
            #expect(
                over.errors
                    == "Error: You are logged out at https://api.example.test: run `culvert login "
                    + "https://api.example.test`.\n"
            )
            let made = try home.run(
                ["account", "create", "bob", "--tunnels", "3", "--suffix", "b.example.test"]
            )
            #expect(made.output.contains("cve_x"), "\(made.errors)")
            let audit = try home.run(["audit", "--limit", "1"])
            #expect(audit.status == 0 && audit.output.hasPrefix("REVISION"), "\(audit.errors)")
            let nothing = try home.run(["account", "change", "bob"])
            #expect(nothing.status == 64)
        }
    }
}
