import ControlAPI
import CulvertControl
import Foundation
import HTTPSemantics
import Synchronization
import Testing

@testable import ControlServer

/// Tunnels and what belongs to them, over the API and a real store.
@Suite(.timeLimit(.minutes(1))) struct TunnelRoutesTests {
    @Test func aTunnelsLife() async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        let made = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Bodies.tunnel("web", key: 1),
            token: token
        )
        #expect(made.head.status == 201)
        let tunnel = try made.document(TunnelDocument.self)
        #expect(tunnel.name == "web" && tunnel.owner == "ann" && tunnel.keys.count == 1)
        let path = "/api/v1/tunnels/\(tunnel.id)"
        let name = try await fixture.send(
            "PUT",
            "\(path)/hostnames/App.Ann.Example.Test.",
            token: token
        )
        #expect(name.head.status == 201)
        let hostname = try name.document(HostnameDocument.self)
        #expect(hostname.url == "https://app.ann.example.test:8443")
        let wildcard = try await fixture.send(
            "PUT",
            "\(path)/hostnames/*.ann.example.test",
            token: token
        )
        #expect(try wildcard.document(HostnameDocument.self).url == nil)
        let key = try await fixture.send(
            "POST",
            "\(path)/keys",
            """
            {"public_key":"\(Bodies.key(2))","label":"token","hostnames":["app.ann.example.test"],
             "expires_at":"2027-01-16T08:00:00Z"}
            """,
            token: token
        )
        #expect(key.head.status == 201)
        let shown = try await fixture.send("GET", "/api/v1/tunnels/web", token: token)
            .document(TunnelDocument.self)
        #expect(shown.hostnames == ["*.ann.example.test", "app.ann.example.test"])
        #expect(shown.keys.count == 2)
        let encoded = Data(repeating: 2, count: 32).base64URL
        #expect(
            try await fixture.send("DELETE", "\(path)/keys/\(encoded)", token: token).head.status
                == 204
        )
        #expect(
            try await fixture.send(
                "DELETE",
                "\(path)/hostnames/app.ann.example.test",
                token: token
            ).head.status == 204
        )
        #expect(try await fixture.send("DELETE", path, token: token).head.status == 204)
        #expect(try await fixture.send("GET", path, token: token).head.status == 404)
    }

    @Test func aHostnamesBalanceIsSetAndChanged() async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        _ = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Bodies.tunnel("web", key: 1),
            token: token
        )
        let path = "/api/v1/tunnels/web/hostnames/app.ann.example.test"
        for (body, status, balance) in [
            ("{\"balance\":\"sticky\"}", 201, "sticky"),
            // Nothing is said of it: it stays.
            ("", 200, "sticky"), ("{}", 200, "sticky"),
            ("{\"balance\":\"round-robin\"}", 200, "round-robin"),
            ("{\"balance\":\"round-robin\"}", 200, "round-robin"),
        ] {
            let answer = try await fixture.send("PUT", path, body, token: token)
            #expect(answer.head.status == status, "\(body)")
            #expect(try answer.document(HostnameDocument.self).balance == balance)
        }
        let wrong = try await fixture.send("PUT", path, "{\"balance\":\"fair\"}", token: token)
        #expect(wrong.head.status == 400 && wrong.code == "invalid")
        let plain = "/api/v1/tunnels/web/hostnames/plain.ann.example.test"
        _ = try await fixture.send("PUT", plain, token: token)
        let shown = try await fixture.send("GET", "/api/v1/tunnels/web", token: token)
            .document(TunnelDocument.self)
        #expect(shown.routes?.map(\.hostname) == shown.hostnames)
        #expect(shown.routes?.map(\.balance) == ["round-robin", "least-requests"])
        let audit = try await fixture.control.audit(before: StoreRevision(.max), limit: 3)
        #expect(
            audit.map(\.entry.action) == ["hostname.claim", "hostname.change", "hostname.claim"]
        )
    }

    @Test func aTunnelInUseIsDeletedByForceOnly() async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        let made = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Bodies.tunnel("web", key: 1),
            token: token
        )
        let text = try made.document(TunnelDocument.self).id
        let id = TunnelID(try #require(UUID(uuidString: text)))
        fixture.connectors.connected.withLock { _ = $0.insert(id) }
        let refused = try await fixture.send("DELETE", "/api/v1/tunnels/web", token: token)
        #expect(refused.head.status == 409 && refused.code == "in-use")
        let cleaned = try await fixture.send(
            "DELETE",
            "/api/v1/tunnels/web/connectors",
            token: token
        )
        #expect(cleaned.head.status == 204)
        #expect(fixture.connectors.disconnected.withLock { $0 } == [id])
        let audit = try await fixture.control.audit(before: StoreRevision(.max), limit: 1)
        #expect(audit.map(\.entry.action) == ["tunnel.cleanup"])
        #expect(audit.first?.entry.subject == "ann/web")
        #expect(audit.first?.entry.details == ["connectors": "1"])
        let forced = try await fixture.send(
            "DELETE",
            "/api/v1/tunnels/web?force=true",
            token: token
        )
        #expect(forced.head.status == 204)
    }

    @Test func othersConnectorsStay() async throws {
        let fixture = try await ControlFixture()
        let ann = try await fixture.login("ann")
        let bob = try await fixture.login("bob")
        let made = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Bodies.tunnel("web", key: 1),
            token: ann
        )
        let id = try made.document(TunnelDocument.self).id
        let before = await fixture.control.registry.revision
        let path = "/api/v1/tunnels/\(id)/connectors"
        #expect(try await fixture.send("DELETE", path, token: bob).head.status == 404)
        #expect(fixture.connectors.disconnected.withLock { $0.isEmpty })
        #expect(await fixture.control.registry.revision == before)
    }

    @Test func othersTunnelsAreUnknown() async throws {
        let fixture = try await ControlFixture()
        let ann = try await fixture.login("ann")
        let bob = try await fixture.login("bob")
        let root = try await fixture.login("root", role: "admin")
        let made = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Bodies.tunnel("web", key: 1),
            token: ann
        )
        let id = try made.document(TunnelDocument.self).id
        for path in ["web", id, "ann%2Fweb"] {
            let answer = try await fixture.send("GET", "/api/v1/tunnels/\(path)", token: bob)
            #expect(answer.head.status == 404)
            // As if there were none.
            #expect(answer.code == "unknown")
        }
        for path in [id, "ann%2Fweb"] {
            let answer = try await fixture.send("GET", "/api/v1/tunnels/\(path)", token: root)
            #expect(answer.head.status == 200)
        }
    }

    @Test func aHostnameIsNotTakenOver() async throws {
        let fixture = try await ControlFixture()
        let ann = try await fixture.login("ann", role: "admin")
        let bob = try await fixture.login("bob", role: "admin")
        for (token, name, key) in [(ann, "a", 1), (bob, "b", 2)] as [(String, String, UInt8)] {
            _ = try await fixture.send(
                "POST",
                "/api/v1/tunnels",
                Bodies.tunnel(name, key: key),
                token: token
            )
        }
        func claim(_ host: String, _ tunnel: String, _ token: String) async throws -> UInt16 {
            try await fixture.send(
                "PUT",
                "/api/v1/tunnels/\(tunnel)/hostnames/\(host)",
                token: token
            ).head.status
        }
        #expect(try await claim("shop.test", "a", ann) == 201)
        #expect(try await claim("*.wild.test", "a", ann) == 201)
        for host in [
            "shop.test", "SHOP.test.", "*.test", "x.wild.test", "*.x.wild.test",
            "edge.example.test", "connect.example.test", "declared.example.test",
        ] {
            #expect(try await claim(host, "b", bob) == 403, "\(host)")
        }
        #expect(try await claim("not%20a%20host", "b", bob) == 400)
        #expect(try await claim("%ff", "b", bob) == 400)
        #expect(try await claim("free.test", "b", bob) == 201)
    }

    @Test func theWildcardOverTheDomainIsForAdmins() async throws {
        let fixture = try await ControlFixture()
        for (name, role, status) in [("ann", "member", 403), ("root", "admin", 201)]
            as [(String, String, UInt16)]
        {
            let token = try await fixture.login(name, role: role)
            _ = try await fixture.send(
                "POST",
                "/api/v1/tunnels",
                Bodies.tunnel("web", key: UInt8(name.utf8.count)),
                token: token
            )
            let path = "/api/v1/tunnels/web/hostnames/*.example.test"
            let answer = try await fixture.send("PUT", path, token: token)
            #expect(answer.head.status == status)
        }
    }

    @Test func aQuotaHolds() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        let ann = try await fixture.login("ann")
        let change = try await fixture.send(
            "PATCH",
            "/api/v1/accounts/ann",
            #"{"maximum_tunnels":1,"suffixes":["ann.test"]}"#,
            token: root
        )
        let account = try change.document(AccountDocument.self)
        #expect(account.maximumTunnels == 1 && account.suffixes == ["ann.test"])
        // Ten at once: one is made.
        let statuses = try await withThrowingTaskGroup(of: UInt16.self) { group in
            for number in 1...10 {
                group.addTask {
                    try await fixture.send(
                        "POST",
                        "/api/v1/tunnels",
                        Bodies.tunnel("t\(number)", key: UInt8(number)),
                        token: ann
                    ).head.status
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.filter { $0 == 201 }.count == 1)
        #expect(statuses.filter { $0 == 429 }.count == 9)
    }

    @Test func aConfigurationIsNotWrittenOverUnseen() async throws {
        let fixture = try await ControlFixture()
        let ann = try await fixture.login("ann")
        _ = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Bodies.tunnel("web", key: 1),
            token: ann
        )
        let path = "/api/v1/tunnels/web/configuration"
        #expect(try await fixture.send("GET", path, token: ann).head.status == 404)
        let first = #"{"version":0,"text":"ingress: []"}"#
        #expect(try await fixture.send("PUT", path, first, token: ann).head.status == 200)
        let stale = try await fixture.send("PUT", path, first, token: ann)
        #expect(stale.head.status == 409 && stale.code == "conflict")
        let found = try await fixture.send("GET", path, token: ann)
        #expect(
            try found.document(ConfigurationDocument.self)
                == ConfigurationDocument(version: 1, text: "ingress: []")
        )
    }

    @Test func theTrailKeepsWhoItWas() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        for (name, key) in [("cat", 1), ("bob", 2)] as [(String, UInt8)] {
            let token = try await fixture.login(name)
            let body = Bodies.tunnel("demo", key: key)
            _ = try await fixture.send("POST", "/api/v1/tunnels", body, token: token)
        }
        let deleted = try await fixture.send("DELETE", "/api/v1/accounts/cat", token: root)
        #expect(deleted.head.status == 204)
        let answer = try await fixture.send("GET", "/api/v1/audit", token: root)
        let made = try answer.document(ListDocument<AuditDocument>.self).items
            .filter { $0.action == "tunnel.create" }
        #expect(made.map(\.actor) == ["bob", "cat"])
        #expect(made.map(\.subject) == ["bob/demo", "cat/demo"])
    }

    @Test func everyChangeIsAudited() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        _ = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Bodies.tunnel("web", key: 1),
            token: root
        )
        _ = try await fixture.send("PUT", "/api/v1/tunnels/web/hostnames/a.test", token: root)
        let invited = try await fixture.send(
            "POST",
            "/api/v1/accounts",
            #"{"name":"eve"}"#,
            token: root
        )
        let code = try invited.document(InvitationDocument.self).code
        let answer = try await fixture.send("GET", "/api/v1/audit", token: root)
        let entries = try answer.document(ListDocument<AuditDocument>.self).items
        #expect(
            entries.map(\.action) == [
                "account.create", "hostname.claim", "tunnel.create", "session.create",
                "account.create",
            ]
        )
        #expect(entries.map(\.actor) == ["root", "root", "root", "root", "operator"])
        // No secret is in it.
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(!text.contains(code.dropFirst(4)) && !text.contains(root.dropFirst(4)))
        let page = try await fixture.send(
            "GET",
            "/api/v1/audit?limit=2&before=\(entries[1].revision)",
            token: root
        )
        #expect(
            try page.document(ListDocument<AuditDocument>.self).items.map(\.action) == [
                "tunnel.create", "session.create",
            ]
        )
    }
}
