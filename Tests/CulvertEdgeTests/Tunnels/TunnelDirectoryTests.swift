import CulvertControl
import Foundation
import HTTPSemantics
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertEdge

/// Who gets which hostname.
@Suite struct TunnelDirectoryTests {
    private static let shopKey = [UInt8](repeating: 1, count: 32)
    private static let blogKey = [UInt8](repeating: 2, count: 32)

    private static func declared() throws -> [DeclaredTunnel] {
        [
            .init(
                name: "shop",
                publicKey: try #require(TunnelPublicKey(Self.shopKey)),
                hostnames: [
                    .init(try HostPattern("shop.example.com")),
                    .init(try HostPattern("*.shop.test"), balance: .sticky),
                ]
            ),
            .init(
                name: "blog",
                publicKey: try #require(TunnelPublicKey(Self.blogKey)),
                hostnames: [.init(try HostPattern("blog.example.com"))]
            ),
        ]
    }

    private func directory(
        domain: String? = "example.com",
        registry: Registry = .empty
    ) throws -> TunnelDirectory {
        let directory = TunnelDirectory(
            domain: try domain.map { try NormalizedHost($0) },
            reserved: [try NormalizedHost("connect.example.com")]
        )
        try directory.replace(
            declared: try Self.declared(),
            stored: ServedTunnel.all(in: registry)
        )
        return directory
    }

    private func login(_ key: [UInt8], _ hostnames: String...) -> Login {
        Login(
            version: 1,
            publicKey: key,
            connector: SessionID(high: 1, low: 1),
            resume: nil,
            limits: SessionLimits(streams: 1, streamWindowBytes: 1, sessionWindowBytes: 1),
            attributes: HTTPFields(hostnames.map { (name: "hostname", value: $0) })
        )
    }

    private func refusal(_ directory: TunnelDirectory, _ login: Login) -> Refusal? {
        if case .failure(let refusal) = directory.admit(login, at: now) { refusal } else { nil }
    }

    private func hosts(_ directory: TunnelDirectory, _ login: Login) -> [String]? {
        guard case .success(let admission) = directory.admit(login, at: now) else { return nil }
        return admission.hosts.map(\.name)
    }

    @Test func unknownKeysAreRefusedForGood() throws {
        let refusal = self.refusal(
            try self.directory(),
            self.login([UInt8](repeating: 9, count: 32))
        )
        #expect(refusal?.code == .unknownKey)
        #expect(refusal?.isPermanent == true)
    }

    @Test func declaredHostnamesLeadToTheirPools() throws {
        let directory = try self.directory()
        let shop = directory.route(for: "shop.example.com")?.pool
        #expect(shop?.name == "shop")
        #expect(directory.route(for: "a.shop.test")?.pool === shop)
        #expect(directory.route(for: "a.shop.test")?.hostname == "*.shop.test")
        #expect(directory.route(for: "blog.example.com")?.pool.name == "blog")
        #expect(directory.route(for: "other.example.com") == nil)
    }

    @Test func eachHostnameHasItsBalance() throws {
        var world = try World(hostnames: ["www.ann.test"])
        try world.write([
            .hostname(
                HostnameClaim(
                    pattern: try HostPattern("api.ann.test"),
                    tunnel: world.web.id,
                    balance: .roundRobin,
                    createdAt: now
                )
            )
        ])
        let directory = try self.directory(registry: world.registry)
        #expect(directory.route(for: "shop.example.com")?.balance == .leastRequests)
        #expect(directory.route(for: "a.shop.test")?.balance == .sticky)
        #expect(directory.route(for: "www.ann.test")?.balance == .leastRequests)
        #expect(directory.route(for: "api.ann.test")?.balance == .roundRobin)
    }

    @Test(
        arguments: [
            ("demo", ["demo.example.com"]),
            ("Demo.Example.COM.", ["demo.example.com"]),
            ("x.shop.test", ["x.shop.test"]),
            ("shop.example.com", ["shop.example.com"]),
        ] as [(String, [String])]
    )
    func hostnamesThatMayBeAskedFor(asked: String, granted: [String]) throws {
        #expect(self.hosts(try self.directory(), self.login(Self.shopKey, asked)) == granted)
    }

    @Test(
        arguments: [
            "blog.example.com", "connect.example.com", "a.b.example.com", "elsewhere.test",
            "127.0.0.1", "", "no spaces", "example.com",
        ]
    )
    func hostnamesThatMayNot(asked: String) throws {
        let refusal = self.refusal(try self.directory(), self.login(Self.shopKey, asked))
        #expect(refusal?.code == .hostnameRefused)
        #expect(refusal?.message.isEmpty == false)
    }

    @Test func withoutADomainOnlyOnesOwnMayBeAskedFor() throws {
        let directory = try self.directory(domain: nil)
        #expect(self.hosts(directory, self.login(Self.shopKey, "x.shop.test")) == ["x.shop.test"])
        #expect(
            self.refusal(directory, self.login(Self.shopKey, "demo"))?.code == .hostnameRefused
        )
    }

    @Test func tooManyAreRefused() throws {
        var login = self.login(Self.shopKey)
        for number in 0...TunnelDirectory.maximumClaims {
            login.attributes.append("hostname", "n\(number)")
        }
        #expect(self.refusal(try self.directory(), login)?.code == .hostnameRefused)
    }

    // MARK: Tunnels of the store

    /// A registry with one member, `ann`, whose tunnel `web` has some hostnames.
    private struct World {
        let ann: Account
        let web: Tunnel
        var registry = Registry.empty

        init(hostnames: [String], suffixes: [String] = ["ann.test"]) throws {
            self.ann = Account(
                name: "ann",
                role: .member,
                suffixes: try suffixes.map { try NormalizedHost($0) },
                createdAt: now
            )
            self.web = Tunnel(owner: self.ann.id, name: "web", createdAt: now)
            try self.write([.account(self.ann), .tunnel(self.web), .key(self.key(3))])
            for name in hostnames {
                let pattern = try HostPattern(name)
                try self.write([
                    .hostname(HostnameClaim(pattern: pattern, tunnel: self.web.id, createdAt: now))
                ])
            }
        }

        func key(
            _ byte: UInt8,
            hostnames: [String]? = nil,
            expiresAt: Date? = nil
        ) throws -> TunnelKey {
            TunnelKey(
                publicKey: try #require(TunnelPublicKey([UInt8](repeating: byte, count: 32))),
                tunnel: self.web.id,
                label: "",
                hostnames: try hostnames?.map { try HostPattern($0) },
                expiresAt: expiresAt,
                createdAt: now
            )
        }

        mutating func write(_ records: [StoreRecord]) throws {
            let revision = StoreRevision(self.registry.revision.number + 1)
            self.registry.apply(
                StoreChanges(
                    revision: revision,
                    written: records.map { StoredRecord($0, at: revision) },
                    deleted: []
                )
            )
        }
    }

    private static func key(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    @Test func aStoredTunnelIsServedBesideTheDeclaredOnes() throws {
        let world = try World(hostnames: ["www.ann.test", "*.ann.test"])
        let directory = try self.directory(registry: world.registry)
        #expect(directory.route(for: "www.ann.test")?.pool.name == "ann/web")
        #expect(directory.route(for: "x.ann.test")?.hostname == "*.ann.test")
        #expect(directory.route(for: "shop.example.com")?.pool.name == "shop")
        #expect(self.hosts(directory, self.login(Self.key(3))) == [])
        // Asked for: its own, and what is below the suffixes of its account and the domain.
        #expect(self.hosts(directory, self.login(Self.key(3), "y.ann.test")) == ["y.ann.test"])
        #expect(self.refusal(directory, self.login(Self.key(3), "demo"))?.code == .hostnameRefused)
    }

    @Test func whatIsDeclaredWinsOverTheStore() throws {
        let names = [
            "shop.example.com", "*.shop.test", "a.shop.test", "*.b.shop.test", "www.ann.test",
        ]
        let world = try World(hostnames: names)
        let directory = try self.directory(registry: world.registry)
        let shadowed = try directory.replace(declared: try Self.declared())
        #expect(Set(shadowed.map(\.description)) == ["shop.example.com", "*.shop.test"])
        #expect(directory.route(for: "shop.example.com")?.pool.name == "shop")
        #expect(directory.route(for: "x.shop.test")?.pool.name == "shop")
        // A declared wildcard yields to exact and to longer names, like any other.
        #expect(directory.route(for: "a.shop.test")?.pool.name == "ann/web")
        #expect(directory.route(for: "c.b.shop.test")?.pool.name == "ann/web")
        #expect(directory.route(for: "www.ann.test")?.pool.name == "ann/web")
    }

    @Test func aKeyIsGoodUntilItExpires() throws {
        var world = try World(hostnames: ["www.ann.test"])
        let end = now.addingTimeInterval(60)
        try world.write([.key(world.key(4, expiresAt: end))])
        let directory = try self.directory(registry: world.registry)
        #expect(self.hosts(directory, self.login(Self.key(4))) == [])
        let web = ServedTunnel.Identity.stored(world.web.id)
        #expect(directory.tunnels(withKeysExpiringAfter: now, through: end) == [web])
        #expect(directory.tunnels(withKeysExpiringAfter: now, through: end - 1).isEmpty)
        #expect(directory.tunnels(withKeysExpiringAfter: end, through: end + 60).isEmpty)
        guard case .failure(let refusal) = directory.admit(self.login(Self.key(4)), at: end) else {
            Issue.record("an expired key was let in")
            return
        }
        #expect(refusal.code == .expiredKey)
        #expect(refusal.isPermanent)
    }

    @Test func aKeyOfSomeHostnamesMayAskForNoOther() throws {
        var world = try World(hostnames: ["www.ann.test", "api.ann.test"])
        try world.write([.key(world.key(5, hostnames: ["api.ann.test"]))])
        let directory = try self.directory(registry: world.registry)
        let key = Self.key(5)
        #expect(self.hosts(directory, self.login(key, "api.ann.test")) == ["api.ann.test"])
        for other in ["www.ann.test", "new.ann.test", "demo.example.com"] {
            #expect(self.refusal(directory, self.login(key, other))?.code == .hostnameRefused)
        }
    }

    // MARK: Health

    @Test func aSessionIsPassedOverForWhatItsConnectorReports() throws {
        let directory = try self.directory()
        let sessions = TestSessions()
        let (first, second) = (sessions.make(1), sessions.make(2))
        let login = self.login(Self.shopKey)
        guard case .success(let admission) = directory.admit(login, at: now) else {
            Issue.record("refused")
            return
        }
        for (session, since) in [(first, now), (second, now.addingTimeInterval(1))] {
            directory.add(session, of: session.id, admission, agent: "", address: "", at: since)
        }
        func chosen(_ host: String) throws -> Set<UInt64> {
            let route = try #require(directory.route(for: host))
            return Set(
                (0..<4).compactMap { _ in
                    let choice = route.pool.choose(for: route, cookies: [], maximumRequests: 9)
                    guard case .use(let session, _) = choice else { return nil }
                    return session.id.low
                }
            )
        }
        #expect(try chosen("shop.example.com") == [1, 2])
        directory.note(unhealthy: ["*.shop.test", "not a hostname"], of: first.id)
        #expect(try chosen("a.shop.test") == [2])
        #expect(try chosen("shop.example.com") == [1, 2])
        let services = directory.services(of: .declared(name: "shop"))
        #expect(services.map { $0.unhealthy.map(\.description) } == [["*.shop.test"], []])
        // A rule without a hostname is for all of them.
        directory.note(unhealthy: [""], of: first.id)
        #expect(try chosen("shop.example.com") == [2])
        directory.note(unhealthy: [], of: first.id)
        #expect(try chosen("a.shop.test") == [1, 2])
        // What is late says nothing.
        directory.remove(second)
        directory.note(unhealthy: [""], of: second.id)
        #expect(try chosen("a.shop.test") == [1])
    }

    @Test func poolsOutliveAChange() throws {
        var world = try World(hostnames: ["www.ann.test"])
        let directory = try self.directory(registry: world.registry)
        let before = try #require(directory.route(for: "www.ann.test")?.pool)
        let more = HostnameClaim(
            pattern: try HostPattern("more.ann.test"),
            tunnel: world.web.id,
            createdAt: now
        )
        try world.write([.hostname(more)])
        let tunnel = ServedTunnel(world.web.id, in: world.registry)
        let (tunnels, _) = directory.apply([(world.web.id, tunnel)])
        #expect(tunnels == [.stored(world.web.id)])
        #expect(directory.route(for: "www.ann.test")?.pool === before)
        #expect(directory.route(for: "more.ann.test")?.pool === before)
    }

    /// Who asked for a name that the store gives away is among those whom a change concerns.
    @Test(arguments: ["demo.example.com", "*.example.com"])
    func aClaimConcernsWhoeverAskedForTheName(claimed: String) throws {
        var world = try World(hostnames: ["www.ann.test"])
        let directory = try self.directory(registry: world.registry)
        let sessions = TestSessions()
        let (asking, other, stray) = (sessions.make(1), sessions.make(2), sessions.make(3))
        for (session, login) in [
            (asking, self.login(Self.shopKey, "demo")), (other, self.login(Self.blogKey)),
        ] {
            guard case .success(let admission) = directory.admit(login, at: now) else {
                Issue.record("refused")
                return
            }
            directory.add(session, of: session.id, admission, agent: "", address: "", at: now)
        }
        directory.addStray(stray)
        let pattern = try HostPattern(claimed)
        let claim = HostnameClaim(pattern: pattern, tunnel: world.web.id, createdAt: now)
        try world.write([.hostname(claim)])
        let changed = ServedTunnel(world.web.id, in: world.registry)
        let (tunnels, _) = directory.apply([(world.web.id, changed)])
        #expect(tunnels == [.stored(world.web.id), .declared(name: "shop")])
        // One that began without a right is looked at whatever has changed.
        #expect(directory.sessions(of: tunnels) == [asking.id, stray.id])
        #expect(!directory.isEntitled(asking.id, at: now))
        #expect(directory.isEntitled(other.id, at: now))
        #expect(!directory.isEntitled(stray.id, at: now))
        for session in [asking, stray] { directory.remove(session) }
        #expect(directory.sessions(of: tunnels).isEmpty)
        #expect(directory.services(of: .declared(name: "shop")).isEmpty)
    }
}

/// Of every record of these tests.
private let now = Date(timeIntervalSince1970: 1_000_000)
