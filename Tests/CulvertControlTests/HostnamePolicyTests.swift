import Foundation
import HTTPSemantics
import Testing

@testable import CulvertControl

/// Whose a hostname is that is below another one, or that is served and in no store.
@Suite struct HostnamePolicyTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    /// Two members and an admin with a tunnel each, at an edge of `example.com`.
    private struct World {
        var records: [StoreRecord] = []
        let policy: ControlPolicy
        private(set) var owners: [String: Account] = [:]
        private var tunnels: [String: Tunnel] = [:]

        init() throws {
            self.policy = ControlPolicy(
                reserved: [
                    try NormalizedHost("connect.example.com"),
                    try NormalizedHost("edge.example.com"),
                ],
                shared: [try NormalizedHost("example.com")]
            )
            for (name, role) in [("root", .admin), ("bob", .member), ("cat", .member)]
                as [(String, Account.Role)]
            {
                try self.add(name, role, ["example.com"])
            }
        }

        mutating func add(_ name: String, _ role: Account.Role, _ suffixes: [String]) throws {
            let account = Account(
                name: name,
                role: role,
                suffixes: try suffixes.map { try NormalizedHost($0) },
                createdAt: now
            )
            let tunnel = Tunnel(owner: account.id, name: "web", createdAt: now)
            self.owners[name] = account
            self.tunnels[name] = tunnel
            self.records += [.account(account), .tunnel(tunnel)]
        }

        var registry: Registry {
            Registry(
                StoreSnapshot(
                    revision: StoreRevision(1),
                    records: self.records.map { StoredRecord($0, at: StoreRevision(1)) }
                )
            )
        }

        func tunnel(_ name: String) throws -> Tunnel { try #require(self.tunnels[name]) }

        /// Nil when it was granted, which is kept.
        mutating func claim(
            _ hostname: String,
            _ name: String,
            holder: LiveHolder? = nil
        ) throws -> ControlError? {
            do {
                let transaction = try self.policy.claim(
                    HostPattern(hostname),
                    for: self.tunnel(name).id,
                    holder: holder,
                    .init(.account(try #require(self.owners[name]).id), at: now),
                    self.registry
                )
                self.records += transaction.writes
                return nil
            } catch let error as ControlError {
                return error
            }
        }
    }

    @Test func theDomainItselfAndWhatLooksLikeTheEdgesOwnIsForAdmins() throws {
        var world = try World()
        for name in [
            "example.com", "*.example.com", "*.edge.example.com", "*.connect.example.com",
            "a.edge.example.com", "*.a.connect.example.com",
        ] {
            let refusal = try world.claim(name, "bob")
            #expect(refusal?.code == .forbidden, "\(name)")
            #expect(refusal?.message.contains(name) == true)
        }
        #expect(try world.claim("bob.example.com", "bob") == nil)
        #expect(try world.claim("edge2.example.com", "bob") == nil)
        #expect(try world.claim("example.com", "root") == nil)
        #expect(try world.claim("*.edge.example.com", "root") == nil)
        #expect(try world.claim("edge.example.com", "root")?.code == .forbidden)
        // That the domain itself is somebody's does not take the names below it from others.
        #expect(try world.claim("cat.example.com", "cat") == nil)
        // Whoever was granted just that.
        try world.add("dan", .member, ["staff.connect.example.com"])
        #expect(try world.claim("a.staff.connect.example.com", "dan") == nil)
        #expect(try world.claim("connect.example.com", "dan")?.code == .forbidden)
    }

    @Test func namesBelowAnothersHostnameAreNotToBeHad() throws {
        var world = try World()
        #expect(try world.claim("app.example.com", "bob") == nil)
        for name in ["a.app.example.com", "*.app.example.com", "*.b.a.app.example.com"] {
            let refusal = try world.claim(name, "cat")
            #expect(refusal?.code == .forbidden, "\(name)")
            #expect(refusal?.message.contains("below app.example.com") == true)
        }
        #expect(try world.claim("myapp.example.com", "cat") == nil)
        #expect(try world.claim("a.app.example.com", "bob") == nil)
        #expect(try world.claim("b.app.example.com", "root") == nil)
        try world.add("dan", .member, ["dan.app.example.com"])
        #expect(try world.claim("x.dan.app.example.com", "dan") == nil)
    }

    @Test func aNameMovesBetweenTunnelsOfOneAccountOnly() throws {
        var world = try World()
        #expect(try world.claim("app.example.com", "bob") == nil)
        let bob = try #require(world.owners["bob"])
        let other = Tunnel(owner: bob.id, name: "other", createdAt: Self.now)
        world.records.append(.tunnel(other))
        func claim(_ tunnel: Tunnel, _ by: String, moving: Bool) throws -> StoreTransaction {
            try world.policy.claim(
                HostPattern("app.example.com"),
                for: tunnel.id,
                moving: moving,
                .init(.account(try #require(world.owners[by]).id), at: Self.now),
                world.registry
            )
        }
        let kept = #expect(throws: ControlError.self) { try claim(other, "bob", moving: false) }
        #expect(kept?.code == .exists && kept?.message.contains("leads to web") == true)
        let moved = try claim(other, "bob", moving: true)
        #expect(moved.writes.count == 1)
        guard case .hostname(let claimed)? = moved.writes.first else { return #expect(Bool(false)) }
        #expect(claimed.tunnel == other.id && claimed.createdAt == Self.now)
        // Not even an admin moves it to a tunnel of his own.
        for person in ["cat", "root"] {
            let refusal = #expect(throws: ControlError.self) {
                try claim(try world.tunnel(person), person, moving: true)
            }
            #expect(refusal?.code == .forbidden, "\(person)")
        }
    }

    @Test func aNameThatAnotherAccountServesNowIsNotToBeHad() throws {
        var world = try World()
        let cat = LiveHolder.tunnel(try world.tunnel("cat").id)
        for (name, holder) in [("bob", cat), ("root", cat), ("bob", .declared)]
            as [(String, LiveHolder)]
        {
            let refusal = try world.claim("shop.example.com", name, holder: holder)
            #expect(refusal?.code == .inUse)
            #expect(refusal?.message.contains("when they have gone") == true)
        }
        #expect(try world.claim("shop.example.com", "cat", holder: cat) == nil)
        #expect(try world.claim("other.example.com", "bob", holder: nil) == nil)
    }
}
