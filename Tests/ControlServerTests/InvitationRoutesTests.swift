import ControlAPI
import CulvertControl
import Foundation
import HTTPSemantics
import Testing

@testable import ControlServer

/// What admins see of who may get in, and of who is in.
@Suite(.timeLimit(.minutes(1))) struct InvitationRoutesTests {
    private typealias Invitations = ListDocument<OpenInvitationDocument>
    private typealias Sessions = ListDocument<SessionDocument>

    private func open(_ fixture: ControlFixture, _ token: String) async throws -> Invitations {
        let answer = try await fixture.send("GET", "/api/v1/invitations", token: token)
        #expect(answer.head.status == 200)
        return try answer.document(Invitations.self)
    }

    @Test func invitationsAreOpenUntilTheyAreUsedOrExpire() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        #expect(try await self.open(fixture, root).items.isEmpty)
        let start = fixture.time.now
        let code = try await fixture.invite("bob")
        fixture.time.advance(60)
        let made = try await fixture.send(
            "POST",
            "/api/v1/accounts",
            #"{"name":"ann"}"#,
            token: root
        )
        #expect(made.head.status == 201)
        let list = try await self.open(fixture, root)
        #expect(list.items.map(\.account) == ["ann", "bob"])
        // Made by the command on the edge's machine, and by the API.
        #expect(list.items.map(\.createdBy) == ["root", "operator"])
        #expect(list.items.map(\.createdAt) == [start + 60, start])
        #expect(list.items.last?.expiresAt == start + Invitation.lifetimeSeconds)
        let answer = try await fixture.send("GET", "/api/v1/invitations", token: root)
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(!text.contains("cve_") && !text.contains("hash"))
        let login = #"{"code":"\#(code)","label":""}"#
        #expect(try await fixture.send("POST", "/api/v1/login", login).head.status == 200)
        #expect(try await self.open(fixture, root).items.map(\.account) == ["ann"])
        fixture.time.advance(Int(Invitation.lifetimeSeconds))
        #expect(try await self.open(fixture, root).items.isEmpty)
    }

    @Test func aWithdrawnInvitationLetsNobodyIn() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        let code = try await fixture.invite("bob")
        let invitation = try #require(try await self.open(fixture, root).items.first)
        let path = "/api/v1/invitations/\(invitation.id)"
        #expect(try await fixture.send("DELETE", path, token: root).head.status == 204)
        let again = try await fixture.send("DELETE", path, token: root)
        #expect(again.head.status == 404 && again.code == "unknown")
        let login = #"{"code":"\#(code)","label":""}"#
        #expect(try await fixture.send("POST", "/api/v1/login", login).head.status == 401)
        let audit = try await fixture.send("GET", "/api/v1/audit?limit=1", token: root)
        let entry = try audit.document(ListDocument<AuditDocument>.self).items.first
        #expect(entry?.action == "invitation.withdraw" && entry?.subject == "bob")
        #expect(entry?.actor == "root" && entry?.details == ["invitation": invitation.id])
    }

    @Test func anAdminEndsTheSessionsOfAnother() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        let bob = try await fixture.login("bob")
        let path = "/api/v1/accounts/bob/sessions"
        let list = try await fixture.send("GET", path, token: root).document(Sessions.self)
        let session = try #require(list.items.first)
        #expect(list.items.count == 1 && session.label == "test" && !session.isCurrent)
        let own = try await fixture.send("GET", "/api/v1/accounts/root/sessions", token: root)
        #expect(try own.document(Sessions.self).items.map(\.isCurrent) == [true])
        // It is bob's, and nobody else's.
        for wrong in ["root/sessions/\(session.id)", "nobody/sessions/\(session.id)"] {
            let answer = try await fixture.send("DELETE", "/api/v1/accounts/\(wrong)", token: root)
            #expect(answer.head.status == 404)
        }
        #expect(try await fixture.send("GET", "/api/v1/account", token: bob).head.status == 200)
        let end = try await fixture.send("DELETE", "\(path)/\(session.id)", token: root)
        #expect(end.head.status == 204)
        #expect(try await fixture.send("GET", "/api/v1/account", token: bob).head.status == 401)
        let left = try await fixture.send("GET", path, token: root).document(Sessions.self)
        #expect(left.items.isEmpty)
    }

    @Test func invitationsComeInPages() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        for number in 0..<5 { _ = try await fixture.invite("member-\(number)") }
        var seen: [String] = []
        var query = "?limit=2"
        while true {
            let answer = try await fixture.send("GET", "/api/v1/invitations\(query)", token: root)
            let page = try answer.document(Invitations.self)
            seen += page.items.map(\.account)
            guard let next = page.next else { break }
            #expect(page.items.count == 2)
            query = "?limit=2&after=\(next)"
        }
        #expect(seen == (0..<5).map { "member-\($0)" })
    }
}
