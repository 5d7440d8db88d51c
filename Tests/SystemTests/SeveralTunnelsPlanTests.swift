import Foundation
import Testing

extension SystemTests {
    /// What `tunnel run` says of several tunnels that it will not run, and that it dials none of them.
    @Suite(.timeLimit(.minutes(1))) struct SeveralTunnelsPlan {
        private let directory: TemporaryDirectory
        private let home: Home

        init() throws {
            self.directory = try TemporaryDirectory()
            self.home = try Home(self.directory)
        }

        /// The credentials of a new tunnel, where they are looked for.
        private func create(_ name: String, edge: String = "edge.test:443") throws {
            _ = try Deployment.keygen(name, in: self.directory)
            let data = Data(self.directory.text("\(name).json").utf8)
            var fields = try JSONDecoder().decode([String: String].self, from: data)
            fields["TunnelID"] = "id-of-\(name)"
            fields["Edge"] = edge
            let text = String(decoding: try JSONEncoder().encode(fields), as: UTF8.self)
            try self.home.write(text, to: "id-of-\(name).json")
        }

        private func refused(
            _ words: [String],
            _ environment: [String] = [],
            status: CInt = 64
        ) throws -> String {
            let result = try self.home.run(["tunnel", "run"] + words, environment)
            #expect(result.status == status, "\(words): \(result.errors)")
            // It has not come as far as dialling.
            #expect(!result.errors.contains("trying again"), "\(result.errors)")
            return result.errors
        }

        @Test("combinations that make no sense are mistakes of usage")
        func usage() throws {
            for (words, expected) in [
                (["demo", "--config", "a.yml", "--config", "b.yml"], "leave out demo"),
                (
                    ["demo", "shop", "--url", "http://localhost:1"],
                    "--url sends the requests of one"
                ),
                (
                    ["--config", "a.yml", "--config", "b.yml", "--url", "localhost:1"],
                    "--url sends the requests of one"
                ),
                (["--token-file", "a", "--token-file", "b", "shop"], "leave out shop, or a and b"),
                (["demo", "shop", "--token", "cvt_x"], "leave out demo and shop, or --token"),
                (
                    ["demo", "shop", "--cred-file", "x.json"],
                    "--cred-file has the key of one tunnel"
                ),
                (["--token-file", "-", "--token-file", "-"], "Standard input has one token"),
            ] {
                let errors = try self.refused(words, status: 64)
                #expect(errors.contains(expected), "\(words): \(errors)")
                #expect(!errors.contains("cvt_"), "\(errors)")
            }
        }

        @Test("all that is wrong with all of them is said at once")
        func allAtOnce() throws {
            let bad = try self.home.write("nonsense: 1\n", to: "bad.yml")
            let keyless = try self.home.write(
                "tunnel: nobody\nedge: e.test\ningress: [{service: hello_world}]\n",
                to: "keyless.yml"
            )
            try self.create("demo")
            let good = try self.home.write("tunnel: demo\n", to: "good.yml")
            let errors = try self.refused(
                [bad, keyless, good, "/nowhere.yml"].flatMap { ["--config", $0] },
                status: 78
            )
            for expected in [
                "\(bad):1", "nonsense", "\(keyless): credentials-file is missing", "/nowhere.yml",
            ] {
                #expect(errors.contains(expected), "\(expected): \(errors)")
            }
            #expect(!errors.contains("good.yml"))
        }

        @Test("unknown names are all named, with the exit code of one")
        func names() throws {
            try self.create("demo")
            let errors = try self.refused(["nope", "demo", "neither"], status: 4)
            #expect(errors.contains("culvert tunnel create nope"), "\(errors)")
            #expect(errors.contains("culvert tunnel create neither"), "\(errors)")
            #expect(!errors.contains("create demo"))
            // A file of all of them does not have their keys.
            let shared = try self.home.write("ingress: [{service: hello_world}]\n", to: "all.yml")
            let known = try self.refused(["nope", "demo", "--config", shared], status: 4)
            #expect(known.contains("culvert tunnel create nope"), "\(known)")
        }

        @Test("tokens are named by their place, and none of them is shown")
        func tokens() throws {
            let errors = try self.refused([], ["CULVERT_TOKEN=cvt_c2VjcmV0 cvt_c2VjcmV1"])
            #expect(errors.contains("token 1 of CULVERT_TOKEN: the token is damaged"), "\(errors)")
            #expect(errors.contains("token 2 of CULVERT_TOKEN: the token is damaged"), "\(errors)")
            #expect(!errors.contains("c2VjcmV"))
            let file = try self.home.write("nothing", to: "a.token")
            let files = try self.refused(
                ["--token-file", file, "--token-file", "/nowhere.token"],
                status: 78
            )
            #expect(files.contains("\(file): the token") && files.contains("/nowhere.token"))
            // A file whose token may be the damaged one does not lack a key.
            let own = try ["demo", "shop"].map {
                try self.home.write("tunnel: \($0)\nmetrics: nowhere\n", to: "\($0).yml")
            }
            try self.home.write("tunnel: shop\n", to: "shop.yml")
            let keys = try self.refused(
                own.flatMap { ["--config", $0] } + ["--token-file", file],
                status: 78
            )
            #expect(keys.contains("\(own[0]):2") && keys.contains("\(file): the token"), "\(keys)")
            #expect(!keys.contains("credentials-file"), "\(keys)")
            for words in [["demo"], ["demo", "shop"]] {
                let both = try self.refused(words, ["CULVERT_TOKEN=cvt_a cvt_b"])
                #expect(both.contains("or token 1 of CULVERT_TOKEN and token 2 of CULVERT_TOKEN"))
            }
        }

        @Test("a file of one tunnel is not that of several, named or found")
        func sharedFile() throws {
            try self.create("demo")
            try self.create("shop")
            let usual = try self.home.write("tunnel: demo\n", to: "config.yml")
            let found = try self.refused(["demo", "shop"])
            #expect(found.contains("\(usual) is for one tunnel (`tunnel: demo`)"), "\(found)")
            let named = try self.home.write("credentials-file: x.json\n", to: "one.yml")
            let errors = try self.refused(["demo", "shop", "--config", named])
            #expect(errors.contains("\(named) is for one tunnel (`credentials-file`)"), "\(errors)")
        }

        @Test("the same tunnel twice, and metrics at two addresses, name both files")
        func roster() throws {
            try self.create("demo")
            try self.create("shop")
            let twice = try self.refused(["demo", "shop", "id-of-demo"])
            #expect(
                twice.contains("demo and id-of-demo are the same tunnel, demo, at the same edge"),
                "\(twice)"
            )
            let files = try ["demo": 1, "shop": 2].map { name, port in
                try self.home.write(
                    "tunnel: \(name)\nmetrics: 127.0.0.1:\(port)\n",
                    to: "\(name).yml"
                )
            }.sorted()
            let metrics = try self.refused(files.flatMap { ["--config", $0] })
            #expect(
                metrics.contains("\(files[0]) and \(files[1]) say different `metrics`"),
                "\(metrics)"
            )
        }

        @Test("what looks at one tunnel, or installs one, says so")
        func one() throws {
            for words in [
                ["tunnel", "ingress", "validate", "--config", "a.yml", "--config", "b.yml"],
                ["tunnel", "diag", "--config", "a.yml", "--config", "b.yml"],
            ] {
                let result = try self.home.run(words)
                #expect(result.status == 64 && result.errors.contains("give one --config"))
            }
            for option in ["--config", "--token-file"] {
                let result = try self.home.run(["service", "install", option, "a", option, "b"])
                #expect(result.status == 64, "\(result.errors)")
                #expect(result.errors.contains("A service runs one tunnel"), "\(result.errors)")
            }
        }
    }
}
