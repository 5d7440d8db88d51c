import Foundation
import HTTPSemantics
import Synchronization
import Testing

@testable import CulvertControl

/// Registries, decisions and a store together; two processes are two stores of one file.
@Suite struct ControlTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let policy = ControlPolicy(reserved: [])
    private let file = NSTemporaryDirectory() + "culvert-control-\(UUID().uuidString).db"

    private func remove() {
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: self.file + suffix)
        }
    }

    private func account(_ control: Control, _ name: String, tunnels: Int = 10) async throws
        -> Account
    {
        let account = Account(
            name: name,
            role: .member,
            maximumTunnels: tunnels,
            suffixes: [try NormalizedHost("example.com")],
            createdAt: Self.now
        )
        let policy = self.policy
        try await control.change { registry throws(ControlError) in
            try policy.createAccount(
                account,
                enrolment: .code(of: account),
                .init(.operator, at: Self.now),
                registry
            )
        }
        return account
    }

    private func tunnel(_ control: Control, _ name: String, of owner: Account) async throws
        -> Tunnel
    {
        let tunnel = Tunnel(owner: owner.id, name: name, createdAt: Self.now)
        let key = TunnelKey(
            publicKey: try .random(),
            tunnel: tunnel.id,
            label: "",
            createdAt: Self.now
        )
        let policy = self.policy
        try await control.change { registry throws(ControlError) in
            try policy.createTunnel(
                tunnel,
                key: key,
                .init(.account(owner.id), at: Self.now),
                registry
            )
        }
        return tunnel
    }

    @Test(.timeLimit(.minutes(1)))
    func whatOneProcessChangesTheOtherKnows() async throws {
        defer { self.remove() }
        let edge = try await Control(store: SQLiteStore(file: self.file))
        let command = try await Control(store: SQLiteStore(file: self.file))
        let following = Task { try await edge.run() }
        defer { following.cancel() }
        let (registries, continuation) = AsyncStream.makeStream(of: Registry.self)
        await edge.observe { registry, _ in continuation.yield(registry) }
        var told = registries.makeAsyncIterator()
        #expect(await told.next()?.account(named: "ann") == nil)
        let ann = try await self.account(command, "ann")
        while await told.next()?.account(named: "ann") != ann {}
        // One that has just been made counts for the next decision.
        _ = try await self.tunnel(command, "one", of: ann)
        await #expect(throws: ControlError(.exists, "there is a tunnel \"one\" already")) {
            _ = try await self.tunnel(command, "one", of: ann)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func whoeverChangesIsAnsweredAfterTheObserver() async throws {
        defer { self.remove() }
        let control = try await Control(store: SQLiteStore(file: self.file))
        let told = Mutex<StoreRevision?>(nil)
        await control.observe { registry, _ in told.withLock { $0 = registry.revision } }
        for name in ["ann", "bob"] {
            _ = try await self.account(control, name)
            let revision = await control.registry.revision
            #expect(told.withLock { $0 } == revision)
        }
        await control.observe(nil)
        _ = try await self.account(control, "cat")
        let latest = await control.registry.revision
        #expect(try #require(told.withLock { $0 }) < latest)
    }

    @Test(.timeLimit(.minutes(1)))
    func theObserverIsToldWhichTunnelsAChangeConcerns() async throws {
        defer { self.remove() }
        let control = try await Control(store: SQLiteStore(file: self.file))
        let told = Mutex<[RegistryNews]>([])
        await control.observe { _, news in told.withLock { $0.append(news) } }
        let ann = try await self.account(control, "ann", tunnels: 100)
        let one = try await self.tunnel(control, "one", of: ann)
        let two = try await self.tunnel(control, "two", of: ann)
        let policy = self.policy
        let admin = ControlPolicy.Request(.operator, at: Self.now)
        try await control.change { registry throws(ControlError) in
            try policy.invite(.code(of: ann), admin, registry)
        }
        try await control.change { registry throws(ControlError) in
            try policy.changeAccount(ann.id, suffixes: [], admin, registry)
        }
        try await control.change { registry throws(ControlError) in
            try policy.deleteTunnel(one.id, admin, registry)
        }
        #expect(
            told.withLock { $0 } == [
                .everything, .tunnels([]), .tunnels([one.id]), .tunnels([two.id]),
                // Who is invited is nothing to tunnels; what their account may have is.
                .tunnels([]), .tunnels([one.id, two.id]), .tunnels([one.id]),
            ]
        )
    }

    /// Names are fenced: decided over the same registry, all but one would fail each time.
    @Test(.timeLimit(.minutes(1)))
    func aProcessDoesNotConflictWithItself() async throws {
        defer { self.remove() }
        let control = try await Control(store: SQLiteStore(file: self.file))
        let ann = try await self.account(control, "ann", tunnels: 100)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<60 {
                group.addTask { _ = try await self.tunnel(control, "t\(number)", of: ann) }
            }
            try await group.waitForAll()
        }
        #expect(await control.registry.tunnels(of: ann.id).count == 60)
    }

    /// "Member over quota, two writers at once": neither may pass it, however they interleave.
    @Test(.timeLimit(.minutes(1)))
    func theQuotaHoldsBetweenProcesses() async throws {
        defer { self.remove() }
        let controls = [
            try await Control(store: SQLiteStore(file: self.file)),
            try await Control(store: SQLiteStore(file: self.file)),
        ]
        let ann = try await self.account(controls[0], "ann", tunnels: 5)
        let outcomes = try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<12 {
                group.addTask {
                    do {
                        _ = try await self.tunnel(controls[number % 2], "t\(number)", of: ann)
                        return "made"
                    } catch let error as ControlError {
                        // The second process may not know of the account yet.
                        return error.code == .unknown ? "unknown" : error.code.rawValue
                    } catch is StoreError {
                        return "conflict"
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let registry = Registry(try await SQLiteStore(file: self.file).snapshot())
        let made = outcomes.count { $0 == "made" }
        #expect(registry.tunnels(of: ann.id).count == made, "\(outcomes)")
        #expect(made <= 5 && made > 0, "\(outcomes)")
    }

    /// Two accounts in two processes want the same names: no host leads to both.
    @Test(.timeLimit(.minutes(1)))
    func aHostnameIsTakenOnce() async throws {
        defer { self.remove() }
        let first = try await Control(store: SQLiteStore(file: self.file))
        let ann = try await self.account(first, "ann")
        let bob = try await self.account(first, "bob")
        let annTunnel = try await self.tunnel(first, "web", of: ann)
        let bobTunnel = try await self.tunnel(first, "web", of: bob)
        let second = try await Control(store: SQLiteStore(file: self.file))
        let policy = self.policy
        let wanted = ["a", "*.a", "x.a", "*", "b", "*.b", "y.b"]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (control, account, tunnel) in [
                (first, ann, annTunnel), (second, bob, bobTunnel),
            ] {
                group.addTask {
                    for label in wanted.shuffled() {
                        let pattern = try HostPattern(label + ".example.com")
                        do {
                            try await control.change { registry throws(ControlError) in
                                try policy.claim(
                                    pattern,
                                    for: tunnel.id,
                                    .init(.account(account.id), at: Self.now),
                                    registry
                                )
                            }
                        } catch let error as ControlError {
                            #expect(error.code == .forbidden)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let registry = Registry(try await SQLiteStore(file: self.file).snapshot())
        #expect(!Array(registry.claims).isEmpty)
        for host in ["a", "x.a", "z.a", "b", "y.b", "z.b", "z"] {
            let host = try NormalizedHost(host + ".example.com")
            let owners = Set(registry.claims.filter { $0.pattern.match(host) != nil }.map(\.tunnel))
            #expect(owners.count <= 1, "\(host)")
        }
    }
}
