import ControlAPI
import CulvertControl
import Foundation
import HTTPSemantics
import Testing

@testable import ControlServer

/// Lists that are too long for one answer, over the API and a real store with thousands of tunnels.
@Suite(.timeLimit(.minutes(2))) struct ListPagesTests {
    /// Makes tunnels of an account, in one commit.
    private func make(
        _ count: Int,
        of name: String,
        _ fixture: ControlFixture
    ) async throws {
        let now = fixture.time.now
        try await fixture.control.change { registry throws(ControlError) in
            var transaction = StoreTransaction(
                audit: AuditEntry(at: now, actor: .operator, action: "test", subject: name)
            )
            guard let owner = registry.account(named: name) else {
                throw ControlError(.unknown, name)
            }
            for number in 0..<count {
                let tunnel = Tunnel(owner: owner.id, name: "t\(number)", createdAt: now)
                transaction.create(.tunnel(tunnel))
            }
            return transaction
        }
    }

    private func page(
        _ query: String,
        _ token: String,
        _ fixture: ControlFixture
    ) async throws -> ListDocument<TunnelDocument> {
        let answer = try await fixture.send("GET", "/api/v1/tunnels\(query)", token: token)
        #expect(answer.head.status == 200, "\(query)")
        return try answer.document(ListDocument<TunnelDocument>.self)
    }

    @Test func thousandsOfTunnelsComeInPages() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        let bob = try await fixture.login("bob")
        try await self.make(1_700, of: "root", fixture)
        try await self.make(800, of: "bob", fixture)
        // One's own, as whoever knows nothing of pages asks.
        let own = try await self.page("", bob, fixture)
        #expect(own.items.count == 800 && own.next == nil)
        #expect(try await self.page("", root, fixture).items.count == 1_000)
        for limit in [1_000, 600] {
            var names: [String] = []
            var place: String?
            repeat {
                let after = place.map { "&after=\($0)" } ?? ""
                let page = try await self.page("?all=true&limit=\(limit)\(after)", root, fixture)
                names += page.items.map { "\($0.owner)/\($0.name)" }
                #expect(page.items.count == limit || page.next == nil)
                place = page.next
            } while place != nil
            #expect(names.count == 2_500 && Set(names).count == 2_500)
            #expect(names.first == "bob/t0" && names.last == "root/t999")
        }
        // A page that is as long as what is left is the last.
        let last = try await self.page("?limit=800", bob, fixture)
        #expect(last.items.count == 800 && last.next == nil)
        let first = try await self.page("?limit=799", bob, fixture)
        #expect(first.items.count == 799 && first.next == "bob/t98")
        // What a member knows of the order gets him nothing of others.
        #expect(try await self.page("?after=aaa", bob, fixture).items.count == 800)
        #expect(try await self.page("?after=bob2/x", bob, fixture).items.isEmpty)
    }

    @Test func accountsComeInPages() async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        for name in ["ann", "bob", "carl"] { _ = try await fixture.invite(name) }
        let answer = try await fixture.send("GET", "/api/v1/accounts?limit=3", token: root)
        let page = try answer.document(ListDocument<AccountDocument>.self)
        #expect(page.items.map(\.name) == ["ann", "bob", "carl"] && page.next == "carl")
        let rest = try await fixture.send("GET", "/api/v1/accounts?after=carl", token: root)
        let last = try rest.document(ListDocument<AccountDocument>.self)
        #expect(last.items.map(\.name) == ["root"] && last.next == nil)
    }

    @Test(
        arguments: [
            "limit=0", "limit=1001", "limit=x", "limit=", "limit=1&limit=2", "after=a&after=b",
        ]
    )
    func whatIsNoPageIsSaid(query: String) async throws {
        let fixture = try await ControlFixture()
        let root = try await fixture.login("root", role: "admin")
        for path in ["tunnels", "accounts", "invitations"] {
            let answer = try await fixture.send("GET", "/api/v1/\(path)?\(query)", token: root)
            #expect(answer.head.status == 400 && answer.code == "invalid", "\(path)")
        }
    }
}
