import Foundation
import Testing

extension SystemTests {
    /// Hostnames that stay an account's, and move between its tunnels.
    @Suite struct KeptHostnames {
        /// Starts `culvert http` and gives the name in the URL that it prints.
        private func serve(
            _ person: Person,
            _ words: [String]
        ) throws -> (process: ManagedProcess, host: String) {
            let process = try person.start(["http"] + words)
            let line = try process.line("^https://.*$")
            let host = try #require(line.firstMatch("^https://([^:/]+)"), "\(process.said)")
            return (process, host)
        }

        private func end(_ process: ManagedProcess) throws {
            process.signal(SIGTERM)
            _ = try process.exit()
        }

        @Test("http --keep has the same name each time, and nobody else has it in between")
        func sameName() throws {
            let deployment = try Deployment(settings: "resume-window: 1s")
            let ann = try Person("ann", at: deployment)
            let bob = try Person("bob", at: deployment)
            try bob.ok(["tunnel", "create", "web"])
            let origin = try Origin(in: deployment.directory)
            let first = try self.serve(ann, ["\(origin.port)", "--keep"])
            #expect(first.process.errors.contains("stays yours"), "\(first.process.said)")
            // Another service of this machine has another one.
            let other = try self.serve(ann, ["hello_world", "--keep"])
            #expect(other.host != first.host)
            try self.end(first.process)
            try self.end(other.process)
            let route = try bob.run(["tunnel", "route", "dns", "web", first.host])
            #expect(
                route.status == 1 && route.errors.contains("another account"),
                "\(route.errors)"
            )
            let thief = try bob.run(["http", "\(origin.port)", "--hostname", first.host])
            #expect(thief.status != 0 && thief.errors.contains(first.host), "\(thief.errors)")
            // Visitors are told that nobody serves it now, and not that there is no such name.
            #expect(try deployment.curl("/", host: first.host).status == 503)
            let again = try self.serve(ann, ["\(origin.port)", "--keep"])
            #expect(again.host == first.host)
            #expect(!again.process.errors.contains("shared out"), "\(again.process.said)")
            let beside = try self.serve(ann, ["hello_world", "--hostname", first.host])
            #expect(beside.process.errors.contains("shared out"), "\(beside.process.said)")
            try self.end(beside.process)
            #expect(try deployment.curl("/status/201", host: first.host).status == 201)
            try self.end(again.process)
            let tunnels = try ann.ok(["tunnel", "list", "--output", "json"])
            let tunnel = try #require(
                tunnels.firstMatch(#""name" ?: ?"(http-[^"]+)""#),
                "\(tunnels)"
            )
            try ann.ok(["tunnel", "route", "delete", tunnel, first.host])
            try bob.ok(["tunnel", "route", "dns", "web", first.host])
            // Somebody has it now: another one is found.
            let changed = try self.serve(ann, ["\(origin.port)", "--keep"])
            #expect(changed.host != first.host)
        }

        @Test(
            "a kept name comes along to the account's other machine, when nobody serves it",
            .enabled(if: Namespace.isAvailable)
        )
        func otherMachine() throws {
            let deployment = try Deployment()
            let laptop = try Person("ann", at: deployment, on: "laptop")
            let desktop = try Person("ann", at: deployment, on: "desktop")
            let origin = try Origin(in: deployment.directory)
            let shop = ["\(origin.port)", "--hostname", "shop"]
            let here = try self.serve(laptop, shop + ["--keep"])
            #expect(here.host == "shop.example.test")
            for words in [shop, shop + ["--keep"]] {
                let refused = try desktop.run(["http"] + words)
                #expect(refused.status == 1, "\(refused.errors)")
                #expect(refused.errors.contains("http-laptop"), "\(refused.errors)")
            }
            #expect(try deployment.curl("/status/201", host: here.host).status == 201)
            try self.end(here.process)
            let there = try self.serve(desktop, shop)
            #expect(there.host == here.host)
            #expect(try deployment.curl("/status/202", host: here.host).status == 202)
            try self.end(there.process)
            #expect(
                try desktop.ok(["tunnel", "route", "list", "http-desktop"]) == "shop.example.test\n"
            )
            // That of a tunnel with a name of its own stays there.
            try laptop.ok(["tunnel", "create", "demo"])
            let route = ["tunnel", "route", "dns", "demo", "shop.example.test"]
            let exists = try laptop.run(route)
            #expect(exists.status == 1 && exists.errors.contains("--overwrite-dns"))
            try laptop.ok(route + ["--overwrite-dns"])
            let named = try desktop.run(["http"] + shop)
            #expect(
                named.status == 1 && named.errors.contains("tunnel run demo"),
                "\(named.errors)"
            )
        }

        @Test("without an account there is nothing to keep a name for")
        func noAccount() throws {
            let home = try Home(TemporaryDirectory())
            let refused = try home.run(["http", "3000", "--keep"])
            #expect(refused.status == 3 && refused.errors.contains("culvert login"))
        }

        @Test("a hostname moves to another tunnel of the account without a failed request")
        func movedUnderLoad() throws {
            let deployment = try Deployment(hostnames: "ws.example.test")
            let ann = try Person("ann", at: deployment)
            for name in ["old", "new"] {
                try ann.ok(["tunnel", "create", name])
                _ = try ann.connect([name], to: Origin(name, in: deployment.directory))
            }
            let name = Deployment.host
            try ann.ok(["tunnel", "route", "dns", "old", name, "--balance", "sticky"])
            let load = try Load(deployment, seconds: 6, kinds: ["small=4", "download"])
            try load.started()
            try ann.ok(["tunnel", "route", "dns", "new", name, "--overwrite-dns"])
            let report = try load.report()
            #expect(report.failures.isEmpty, "\(report.failures)")
            #expect(report.origins.keys.sorted() == ["new", "old"], "\(report.origins)")
            let info = try ann.ok(["tunnel", "info", "new"])
            #expect(info.contains("\(name) (sticky)"), "\(info)")
        }
    }
}
