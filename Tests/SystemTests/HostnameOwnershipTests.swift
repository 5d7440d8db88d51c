import Foundation
import Testing

extension SystemTests {
    /// Whose a hostname is, and what people are told of one that they cannot have or that visitors cannot use.
    @Suite struct HostnameOwnership {
        @Test(
            "another account's hostname, a wildcard over it, and the edge's own are not to be had"
        )
        func takeover() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment, ["--suffix", "shared.example.test"])
            let bob = try Person("bob", at: deployment, ["--suffix", "shared.example.test"])
            let root = try Person("root", at: deployment, ["--admin"])
            for person in [ann, bob, root] { try person.ok(["tunnel", "create", "web"]) }
            try ann.ok(["tunnel", "route", "dns", "web", "a.shared.example.test"])
            for (person, host) in [
                (bob, "a.shared.example.test"), (bob, "*.shared.example.test"),
                (bob, "elsewhere.test"), (root, "a.shared.example.test"),
                (root, "edge.example.test"), (root, "connect.example.test"),
                (root, Deployment.host),
            ] {
                let refused = try person.run(["tunnel", "route", "dns", "web", host])
                #expect(refused.status == 1, "\(host)")
                #expect(refused.errors.contains(host), "\(refused.errors)")
            }
            // Another's tunnel is as if it were not there.
            let hidden = try bob.run(["tunnel", "info", "ann/web"])
            #expect(hidden.status == 4, "\(hidden.errors)")
            try root.ok(["tunnel", "info", "ann/web"])
        }

        @Test("route dns says when no certificate is for the name, and what to do")
        func uncertified() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            try ann.ok(["tunnel", "create", "web"])
            let route = ["tunnel", "route", "dns", "web"]
            let deep = try ann.run(route + ["x.y.example.test"])
            #expect(deep.status == 0 && deep.errors.contains("No certificate"), "\(deep.errors)")
            #expect(deep.errors.contains("*.y.example.test"), "\(deep.errors)")
            #expect(deep.errors.contains("right below example.test"), "\(deep.errors)")
            let plain = try ann.run(route + ["ann.example.test"])
            #expect(plain.status == 0 && !plain.errors.contains("certificate"))
            let list = try ann.ok(["tunnel", "route", "list", "web"])
            #expect(list == "ann.example.test\nx.y.example.test (no certificate)\n", "\(list)")
            // What the configuration declares leads to the tunnel there.
            let file = deployment.directory.text("edge.yml").replacingOccurrences(
                of: "hostnames: [other.test]",
                with: "hostnames: [other.test, ann.example.test]"
            )
            try deployment.directory.write(file, to: "edge.yml")
            deployment.edge.signal(SIGHUP)
            try deployment.edge.line("Read the configuration again")
            let declared = try ann.ok(["tunnel", "route", "list", "web"])
            #expect(declared.contains("ann.example.test (declared in edge.yml"), "\(declared)")
        }

        @Test("a name that one's connectors serve is not to be had by others while they do")
        func liveName() throws {
            let deployment = try Deployment()
            let ann = try Person("ann", at: deployment)
            let bob = try Person("bob", at: deployment)
            let origin = try Origin(in: deployment.directory)
            let connector = try ann.start(["http", "\(origin.port)", "--hostname", "shop"])
            try connector.line("^https://shop.example.test:")
            for person in [ann, bob] { try person.ok(["tunnel", "create", "web"]) }
            let route = ["tunnel", "route", "dns", "web", "shop.example.test"]
            let refused = try bob.run(route)
            #expect(refused.status == 1 && refused.errors.contains("shop.example.test"))
            #expect(refused.errors.contains("culvert http"), "\(refused.errors)")
            #expect(try deployment.curl("/status/201", host: "shop.example.test").status == 201)
            connector.signal(SIGTERM)
            _ = try connector.exit()
            try bob.ok(route)
        }
    }
}
