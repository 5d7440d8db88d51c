import Foundation
import HTTPSemantics
import Testing

@testable import CulvertControl

/// Who may have what.
@Suite struct ControlPolicyTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    /// A registry to decide over, to which what was decided is applied at once.
    private struct World {
        var registry = Registry(StoreSnapshot(revision: .none, records: []))
        var policy: ControlPolicy
        let admin: Account
        let ann: Account
        let bob: Account

        init(declared: [String] = []) throws {
            self.policy = ControlPolicy(
                reserved: [try NormalizedHost("connect.example.com")],
                declared: try declared.map { try HostPattern($0) }
            )
            self.admin = Account(name: "root", role: .admin, createdAt: now)
            self.ann = Account(
                name: "ann",
                role: .member,
                maximumTunnels: 2,
                suffixes: [try NormalizedHost("example.com"), try NormalizedHost("ann.test")],
                createdAt: now
            )
            self.bob = Account(
                name: "bob",
                role: .member,
                suffixes: [try NormalizedHost("example.com")],
                createdAt: now
            )
            for account in [self.admin, self.ann, self.bob] {
                self.apply(
                    try self.policy.createAccount(
                        account,
                        enrolment: .code(of: account),
                        .init(.operator, at: now),
                        self.registry
                    )
                )
            }
        }

        /// What a store would do.
        mutating func apply(_ transaction: StoreTransaction) {
            for (key, revision) in transaction.expectations {
                #expect(self.registry.revision(of: key) == revision)
            }
            let revision = StoreRevision(self.registry.revision.number + 1)
            self.registry.apply(
                StoreChanges(
                    revision: revision,
                    written: transaction.writes.map { StoredRecord($0, at: revision) },
                    deleted: transaction.deletions
                )
            )
        }

        func request(_ account: Account) -> ControlPolicy.Request {
            ControlPolicy.Request(.account(account.id), at: now)
        }

        @discardableResult
        mutating func tunnel(
            _ name: String,
            of account: Account,
            key: UInt8
        ) throws -> Tunnel {
            let tunnel = Tunnel(owner: account.id, name: name, createdAt: now)
            let key = TunnelKey(
                publicKey: try .filled(with: key),
                tunnel: tunnel.id,
                label: "credentials",
                createdAt: now
            )
            self.apply(
                try self.policy.createTunnel(
                    tunnel,
                    key: key,
                    self.request(account),
                    self.registry
                )
            )
            return tunnel
        }

        /// Nil when it was granted.
        mutating func claim(
            _ hostname: String,
            _ tunnel: Tunnel,
            by account: Account
        ) throws -> ControlError.Code? {
            do {
                self.apply(
                    try self.policy.claim(
                        HostPattern(hostname),
                        for: tunnel.id,
                        self.request(account),
                        self.registry
                    )
                )
                return nil
            } catch let error as ControlError {
                return error.code
            }
        }
    }

    @Test func namesAreUniqueAndOfTheRightKind() throws {
        var world = try World()
        let operatorRequest = ControlPolicy.Request(.operator, at: Self.now)
        let again = Account(name: "ann", role: .member, createdAt: Self.now)
        #expect(throws: ControlError(.exists, "there is an account \"ann\" already")) {
            try world.policy.createAccount(
                again,
                enrolment: .code(of: again),
                operatorRequest,
                world.registry
            )
        }
        for name in ["", "a b", "a/b", "é", String(repeating: "x", count: 65)] {
            let account = Account(name: name, role: .member, createdAt: Self.now)
            #expect(throws: ControlError.self) {
                try world.policy.createAccount(
                    account,
                    enrolment: .code(of: account),
                    operatorRequest,
                    world.registry
                )
            }
        }
        try world.tunnel("web", of: world.ann, key: 1)
        #expect(throws: ControlError(.exists, "there is a tunnel \"web\" already")) {
            try world.tunnel("web", of: world.ann, key: 2)
        }
        // Another account's tunnels are its own affair.
        try world.tunnel("web", of: world.bob, key: 3)
    }

    @Test func membersMakeNoAccountsAndNoTunnelsOfOthers() throws {
        let world = try World()
        let account = Account(name: "eve", role: .admin, createdAt: Self.now)
        #expect(throws: ControlError(.forbidden, "only an admin may do that")) {
            try world.policy.createAccount(
                account,
                enrolment: .code(of: account),
                world.request(world.ann),
                world.registry
            )
        }
        let tunnel = Tunnel(owner: world.bob.id, name: "mine", createdAt: Self.now)
        let key = TunnelKey(
            publicKey: try .filled(with: 1),
            tunnel: tunnel.id,
            label: "",
            createdAt: Self.now
        )
        #expect(throws: ControlError(.forbidden, "only an admin may do that")) {
            try world.policy.createTunnel(
                tunnel,
                key: key,
                world.request(world.ann),
                world.registry
            )
        }
        _ = try world.policy.createTunnel(
            tunnel,
            key: key,
            world.request(world.admin),
            world.registry
        )
    }

    @Test func theQuotaHolds() throws {
        var world = try World()
        let first = try world.tunnel("one", of: world.ann, key: 1)
        try world.tunnel("two", of: world.ann, key: 2)
        let error = #expect(throws: ControlError.self) {
            try world.tunnel("three", of: world.ann, key: 3)
        }
        #expect(error?.code == .overQuota)
        world.apply(
            try world.policy.deleteTunnel(first.id, world.request(world.ann), world.registry)
        )
        try world.tunnel("three", of: world.ann, key: 3)
        // Two that are decided over the same registry cannot both be committed.
        let tunnel = Tunnel(owner: world.bob.id, name: "b", createdAt: Self.now)
        let key = TunnelKey(
            publicKey: try .filled(with: 7),
            tunnel: tunnel.id,
            label: "",
            createdAt: Self.now
        )
        let transaction = try world.policy.createTunnel(
            tunnel,
            key: key,
            world.request(world.bob),
            world.registry
        )
        #expect(transaction.fences[.tunnel] == world.registry.revision(of: .tunnel))
    }

    @Test func expiredKeysDoNotCount() throws {
        var world = try World()
        let tunnel = try world.tunnel("web", of: world.ann, key: 1)
        func add(_ key: UInt8, for seconds: Double?, after: Double = 0) throws -> StoreTransaction {
            let now = Self.now + after
            return try world.policy.addKey(
                TunnelKey(
                    publicKey: try .filled(with: key),
                    tunnel: tunnel.id,
                    label: "token",
                    expiresAt: seconds.map { now + $0 },
                    createdAt: now
                ),
                .init(.account(world.ann.id), at: now),
                world.registry
            )
        }
        for key in 2..<(2 + UInt8(ControlPolicy.maximumKeys - 1)) {
            let transaction = try add(key, for: key % 3 == 0 ? 60 : nil)
            world.apply(transaction)
        }
        #expect(world.registry.keys(of: tunnel.id).count == ControlPolicy.maximumKeys)
        #expect(throws: ControlError.self) { try add(200, for: nil) }
        // A minute later there is room, and what has expired goes with the next.
        let transaction = try add(200, for: nil, after: 61)
        #expect(transaction.deletions.count == 33)
        #expect(transaction.audit.details["expired-keys-deleted"] == "33")
        world.apply(transaction)
        #expect(world.registry.keys(of: tunnel.id).count == ControlPolicy.maximumKeys + 1 - 33)
        #expect(try world.registry.key(.filled(with: 3)) == nil)
    }

    @Test func aHostnameBelongsToOneTunnel() throws {
        var world = try World()
        let ann = try world.tunnel("web", of: world.ann, key: 1)
        let annOther = try world.tunnel("other", of: world.ann, key: 2)
        let bob = try world.tunnel("web", of: world.bob, key: 3)
        #expect(try world.claim("App.Example.com.", ann, by: world.ann) == nil)
        #expect(try world.claim("app.example.com", ann, by: world.ann) == .exists)
        #expect(try world.claim("app.example.com", annOther, by: world.ann) == .exists)
        #expect(try world.claim("app.example.com", bob, by: world.bob) == .forbidden)
        // A wildcard over it, and a name below somebody else's wildcard.
        #expect(try world.claim("*.example.com", bob, by: world.bob) == .forbidden)
        #expect(try world.claim("*.example.com", annOther, by: world.ann) == nil)
        #expect(try world.claim("bob.example.com", bob, by: world.bob) == .forbidden)
        #expect(try world.claim("*.bob.example.com", bob, by: world.bob) == .forbidden)
        #expect(try world.claim("blog.example.com", ann, by: world.ann) == nil)
        // What another account has is neither deleted nor used.
        #expect(try world.claim("x.ann.test", ann, by: world.bob) == .unknown)
        #expect(throws: ControlError.self) {
            try world.policy.release(
                HostPattern("app.example.com"),
                world.request(world.bob),
                world.registry
            )
        }
        world.apply(
            try world.policy.release(
                HostPattern("app.example.com"),
                world.request(world.ann),
                world.registry
            )
        )
        #expect(world.registry.hostname(try HostPattern("app.example.com")) == nil)
        #expect(
            world.registry.hostnames(of: ann.id).map(\.description) == ["blog.example.com"]
        )
    }

    @Test func aHostnamesBalanceIsItsOwnersToChange() throws {
        var world = try World()
        let ann = try world.tunnel("web", of: world.ann, key: 1)
        let pattern = try HostPattern("app.example.com")
        #expect(try world.claim("app.example.com", ann, by: world.ann) == nil)
        #expect(world.registry.hostname(pattern)?.balance == .leastRequests)
        #expect(throws: ControlError.self) {
            try world.policy.setBalance(
                .sticky,
                of: pattern,
                world.request(world.bob),
                world.registry
            )
        }
        let transaction = try world.policy.setBalance(
            .roundRobin,
            of: pattern,
            world.request(world.ann),
            world.registry
        )
        #expect(transaction.audit.action == "hostname.change")
        #expect(transaction.audit.details == ["tunnel": "ann/web", "balance": "round-robin"])
        // Nobody's change in between is written over.
        #expect(
            transaction.expectations[.hostname(pattern)]
                == world.registry.revision(of: .hostname(pattern))
        )
        world.apply(transaction)
        #expect(world.registry.hostname(pattern)?.balance == .roundRobin)
        #expect(world.registry.hostname(pattern)?.tunnel == ann.id)
    }

    @Test func onlyGrantedSuffixesAndNeverTheEdgesOwnNames() throws {
        var world = try World(declared: ["shop.example.com", "*.fixed.example.com"])
        let ann = try world.tunnel("web", of: world.ann, key: 1)
        for (hostname, refusal) in [
            ("other.test", .forbidden), ("notexample.com", .forbidden), ("com", .forbidden),
            ("*", .forbidden), ("*.com", .forbidden), ("connect.example.com", .forbidden),
            ("shop.example.com", .forbidden), ("a.fixed.example.com", .forbidden),
            ("*.a.fixed.example.com", .forbidden), ("ann.test", nil), ("deep.er.ann.test", nil),
            // Beside what is declared, which goes first.
            ("*.example.com", nil),
        ] as [(String, ControlError.Code?)] {
            #expect(try world.claim(hostname, ann, by: world.ann) == refusal, "\(hostname)")
        }
        let root = try world.tunnel("all", of: world.admin, key: 9)
        #expect(try world.claim("other.test", root, by: world.admin) == nil)
        #expect(try world.claim("connect.example.com", root, by: world.admin) == .forbidden)
        // An admin may act for a member, within what the member may have.
        #expect(try world.claim("two.ann.test", ann, by: world.admin) == nil)
        #expect(try world.claim("two.other.test", ann, by: world.admin) == .forbidden)
    }

    @Test func anAdminIsLeft() throws {
        var world = try World()
        for actor in [AuditEntry.Actor.operator, .account(world.admin.id)] {
            let request = ControlPolicy.Request(actor, at: Self.now)
            let demoted = #expect(throws: ControlError.self) {
                try world.policy.changeAccount(
                    world.admin.id,
                    role: .member,
                    request,
                    world.registry
                )
            }
            #expect(demoted?.message.contains("root is the last admin") == true)
            let deleted = #expect(throws: ControlError.self) {
                try world.policy.deleteAccount(world.admin.id, request, world.registry)
            }
            #expect(deleted?.message.contains("culvert edge invite NAME --admin") == true)
        }
        let request = world.request(world.admin)
        world.apply(
            try world.policy.changeAccount(world.ann.id, role: .admin, request, world.registry)
        )
        let transaction = try world.policy.changeAccount(
            world.admin.id,
            role: .member,
            request,
            world.registry
        )
        // Both at once could go.
        #expect(transaction.fences[.account] == world.registry.revision(of: .account))
    }

    @Test func nobodyIsCalledOperator() throws {
        let world = try World()
        for name in ["operator", "Operator"] {
            let account = Account(name: name, role: .member, createdAt: Self.now)
            #expect(throws: ControlError(.forbidden, "no account can be called \"\(name)\"")) {
                try world.policy.createAccount(
                    account,
                    enrolment: .code(of: account),
                    .init(.operator, at: Self.now),
                    world.registry
                )
            }
        }
    }

    @Test func deletingAnAccountTakesAllThatIsItsOwn() throws {
        var world = try World()
        let tunnel = try world.tunnel("web", of: world.ann, key: 1)
        try world.tunnel("web", of: world.bob, key: 2)
        #expect(try world.claim("x.ann.test", tunnel, by: world.ann) == nil)
        #expect(throws: ControlError.self) {
            try world.policy.deleteAccount(world.ann.id, world.request(world.bob), world.registry)
        }
        world.apply(
            try world.policy.deleteAccount(
                world.ann.id,
                world.request(world.admin),
                world.registry
            )
        )
        #expect(world.registry.account(named: "ann") == nil)
        #expect(world.registry.tunnel(tunnel.id) == nil)
        #expect(try world.registry.key(.filled(with: 1)) == nil)
        #expect(world.registry.hostname(try HostPattern("x.ann.test")) == nil)
        #expect(world.registry.tunnels(of: world.bob.id).count == 1)
        #expect(Array(world.registry.claims).isEmpty)
    }

    /// Whatever two accounts ask for in whatever order, no host leads to both.
    @Test(arguments: 0..<20)
    func noHostLeadsToTwoAccounts(seed: UInt64) throws {
        var state = seed &* 77 &+ 5
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        var world = try World()
        let tunnels = [
            try world.tunnel("web", of: world.ann, key: 1),
            try world.tunnel("web", of: world.bob, key: 2),
        ]
        let labels = ["a", "b", "a.b", "b.a", "*", "*.a", "*.b", "*.a.b"]
        var granted = 0
        for _ in 0..<60 {
            let who = next(2)
            let pattern = try HostPattern(labels[next(labels.count)] + ".example.com")
            let account = who == 0 ? world.ann : world.bob
            if next(3) == 0, world.registry.hostname(pattern)?.tunnel == tunnels[who].id {
                world.apply(
                    try world.policy.release(pattern, world.request(account), world.registry)
                )
            } else if try world.claim(pattern.description, tunnels[who], by: account) == nil {
                granted += 1
            }
            for label in labels {
                let pattern = try HostPattern(label + ".example.com")
                #expect(
                    Set(world.registry.claims(overlapping: pattern).map(\.pattern))
                        == Set(world.registry.claims.map(\.pattern).filter(pattern.overlaps)),
                    "seed \(seed): \(pattern)"
                )
            }
            for host in ["a", "b", "x", "a.b", "x.a.b", "x.y", "b.a"] {
                let host = try NormalizedHost(host + ".example.com")
                let owners = Set(
                    world.registry.claims.filter { $0.pattern.match(host) != nil }
                        .map(\.tunnel)
                )
                #expect(owners.count <= 1, "seed \(seed): \(host)")
            }
        }
        #expect(granted > 0)
    }
}
