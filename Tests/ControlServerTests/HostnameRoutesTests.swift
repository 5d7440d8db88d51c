import ControlAPI
import CulvertControl
import Foundation
import HTTPSemantics
import Synchronization
import Testing

@testable import ControlServer

/// Hostnames that an account cannot have, or may have no longer, over the API.
@Suite(.timeLimit(.minutes(1))) struct HostnameRoutesTests {
    @Test func aNameThatAnothersConnectorsServeIsNotToBeHad() async throws {
        let fixture = try await ControlFixture()
        let ann = try await fixture.login("ann")
        let bob = try await fixture.login("bob")
        var ids: [String] = []
        for (token, key) in [(ann, 1), (bob, 2)] as [(String, UInt8)] {
            let body = Bodies.tunnel("web", key: key)
            let made = try await fixture.send("POST", "/api/v1/tunnels", body, token: token)
            ids.append(try made.document(TunnelDocument.self).id)
        }
        let holder = LiveHolder.tunnel(TunnelID(try #require(UUID(uuidString: ids[0]))))
        fixture.connectors.holders.withLock { $0["shop.example.test"] = holder }
        let path = "/api/v1/tunnels/web/hostnames/shop.example.test"
        let refused = try await fixture.send("PUT", path, token: bob)
        #expect(refused.head.status == 409 && refused.code == "in-use")
        #expect(try await fixture.send("PUT", path, token: ann).head.status == 201)
    }

    @Test func aNameMovesFromOneTunnelToAnotherWhenThatIsSaid() async throws {
        let fixture = try await ControlFixture()
        let ann = try await fixture.login("ann")
        for (name, key) in [("old", 1), ("new", 2)] as [(String, UInt8)] {
            let body = Bodies.tunnel(name, key: key)
            _ = try await fixture.send("POST", "/api/v1/tunnels", body, token: ann)
        }
        func claim(_ tunnel: String, _ body: String? = nil) async throws -> APIAnswer {
            let path = "/api/v1/tunnels/\(tunnel)/hostnames/shop.example.test"
            return try await fixture.send("PUT", path, body ?? "", token: ann)
        }
        #expect(try await claim("old", #"{"balance":"sticky"}"#).head.status == 201)
        let kept = try await claim("new")
        #expect(kept.head.status == 409 && kept.code == "exists")
        #expect(try await claim("new", #"{"moves":false}"#).head.status == 409)
        let moved = try await claim("new", #"{"moves":true}"#)
        #expect(moved.head.status == 201)
        let document = try moved.document(HostnameDocument.self)
        #expect(document.tunnel == "new" && document.balance == "sticky")
        #expect(try await claim("new", #"{"moves":true}"#).head.status == 200)
        let old = try await fixture.send("GET", "/api/v1/tunnels/old", token: ann)
        #expect(try old.document(TunnelDocument.self).hostnames == [])
        let audit = try await fixture.control.audit(before: StoreRevision(.max), limit: 1)
        #expect(audit.first?.entry.action == "hostname.move")
        #expect(audit.first?.entry.details["from"] == "ann/old")
    }

    @Test func hostnamesOutsideOfNewSuffixesAreInTheWayOrReleased() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        let ann = try await fixture.login("ann")
        let body = Bodies.tunnel("web", key: 1)
        _ = try await fixture.send("POST", "/api/v1/tunnels", body, token: ann)
        let path = "/api/v1/tunnels/web"
        for name in ["a.ann.example.test", "b.example.test"] {
            let claimed = try await fixture.send("PUT", "\(path)/hostnames/\(name)", token: ann)
            #expect(claimed.head.status == 201)
        }
        func change(_ body: String) async throws -> APIAnswer {
            try await fixture.send("PATCH", "/api/v1/accounts/ann", body, token: root)
        }
        let refused = try await change(#"{"suffixes":["ann.example.test"]}"#)
        #expect(refused.head.status == 409 && refused.code == "in-use")
        let words = String(decoding: refused.body, as: UTF8.self)
        #expect(words.contains("b.example.test") && !words.contains("a.ann"), "\(words)")
        let done = try await change(
            #"{"suffixes":["ann.example.test"],"release_hostnames":true,"maximum_hostnames":1}"#
        )
        let account = try done.document(AccountDocument.self)
        #expect(account.suffixes == ["ann.example.test"] && account.maximumHostnames == 1)
        let shown = try await fixture.send("GET", path, token: ann).document(TunnelDocument.self)
        #expect(shown.hostnames == ["a.ann.example.test"])
        let audit = try await fixture.control.audit(before: StoreRevision(.max), limit: 1)
        #expect(audit.first?.entry.details["released"] == "b.example.test")
        // As many as it may have.
        let more = "\(path)/hostnames/c.ann.example.test"
        let full = try await fixture.send("PUT", more, token: ann)
        #expect(full.head.status == 429 && full.code == "over-quota")
    }
}
