import HTTPSemantics
import Testing
import TunnelWire

@testable import CulvertEdge

/// Who gets which hostname.
@Suite struct TunnelDirectoryTests {
    private static let shopKey = [UInt8](repeating: 1, count: 32)
    private static let blogKey = [UInt8](repeating: 2, count: 32)

    private func directory(domain: String? = "example.com") throws -> TunnelDirectory {
        try TunnelDirectory(
            tunnels: [
                .init(
                    name: "shop",
                    publicKey: try #require(TunnelPublicKey(Self.shopKey)),
                    hostnames: [
                        try HostPattern("shop.example.com"), try HostPattern("*.shop.test"),
                    ]
                ),
                .init(
                    name: "blog",
                    publicKey: try #require(TunnelPublicKey(Self.blogKey)),
                    hostnames: [try HostPattern("blog.example.com")]
                ),
            ],
            domain: domain.map { try NormalizedHost($0) },
            connectHost: NormalizedHost("connect.example.com")
        )
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
        if case .failure(let refusal) = directory.admit(login) { refusal } else { nil }
    }

    private func hosts(_ directory: TunnelDirectory, _ login: Login) -> [String]? {
        guard case .success(let admission) = directory.admit(login) else { return nil }
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
}
