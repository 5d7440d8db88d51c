import CulvertControl
import CulvertEdge
import Foundation
import HTTPSemantics

/// A store in which anything happens, the same for the same seed: what its records are, and what each change of it
/// was. Names, keys and hostnames are few, so that they pass from one to another.
struct RandomStore {
    static let hostnames = [
        "*", "*.test", "a.test", "*.a.test", "x.a.test", "b.test", "*.b.test", "*.y.b.test",
    ]
    static let hosts = [
        "a.test", "x.a.test", "z.a.test", "b.test", "y.b.test", "z.y.b.test", "c.test", "else",
        "127.0.0.1",
    ]

    private(set) var records: [StoreKey: StoredRecord] = [:]
    private var revision = StoreRevision.none
    private var state: UInt64

    init(seed: UInt64) { self.state = seed &* 77 &+ 5 }

    var snapshot: StoreSnapshot {
        StoreSnapshot(revision: self.revision, records: Array(self.records.values))
    }

    /// Makes one to three things happen, and says what has changed.
    mutating func change() throws -> StoreChanges {
        let former = self.records
        self.revision = StoreRevision(self.revision.number + 1)
        for _ in 0...self.next(3) { try self.happen() }
        return StoreChanges(
            revision: self.revision,
            written: self.records.values.filter { $0.revision == self.revision }
                .sorted { Self.order($0.record) < Self.order($1.record) },
            deleted: former.keys.filter { self.records[$0] == nil }
        )
    }

    /// What a configuration file may declare, of the same names and keys.
    mutating func declared() throws -> [DeclaredTunnel] {
        var left = Set(Self.hostnames)
        var tunnels: [DeclaredTunnel] = []
        for number in 0..<UInt8(self.next(4)) {
            guard let key = TunnelPublicKey([UInt8](repeating: number + 1, count: 32)) else {
                continue
            }
            let names = left.sorted().filter { _ in self.isOneOf(4) }
            left.subtract(names)
            tunnels.append(
                DeclaredTunnel(
                    name: "declared-\(number)",
                    publicKey: key,
                    hostnames: try names.map { ServedHostname(try HostPattern($0)) }
                )
            )
        }
        return tunnels
    }

    /// True once in so many times.
    mutating func isOneOf(_ count: Int) -> Bool { self.next(count) == 0 }

    // MARK: What may happen

    private mutating func happen() throws {
        switch self.next(12) {
        case 0: self.changeAccount()
        case 1: self.deleteAccount()
        case 2, 3: self.makeTunnel()
        case 4: if let tunnel = self.tunnel() { self.delete(tunnel) }
        case 5, 6: try self.changeKey()
        case 7, 8, 9: try self.changeHostname()
        case 10: self.configure()
        default: self.logIn()
        }
    }

    private mutating func write(_ record: StoreRecord) {
        self.records[record.key] = StoredRecord(record, at: self.revision)
    }

    private mutating func changeAccount() {
        let account = Account(
            id: self.account()?.id ?? AccountID(self.uuid()),
            name: "account-\(self.next(1_000_000))",
            role: self.isOneOf(2) ? .admin : .member,
            suffixes: self.isOneOf(2) ? [] : ["test", "b.test"].compactMap { try? .init($0) },
            createdAt: Self.start
        )
        self.write(.account(account))
    }

    private mutating func deleteAccount() {
        guard self.isOneOf(3), let account = self.account() else { return }
        self.records[.account(account.id)] = nil
        for case .tunnel(let tunnel) in self.all where tunnel.owner == account.id {
            self.delete(tunnel)
        }
        for case .token(let token) in self.all where token.account == account.id {
            self.records[.token(token.id)] = nil
        }
    }

    private mutating func makeTunnel() {
        guard let owner = self.account() else { return self.changeAccount() }
        self.write(
            .tunnel(
                Tunnel(
                    id: TunnelID(self.uuid()),
                    owner: owner.id,
                    name: "tunnel-\(self.next(1_000_000))",
                    createdAt: Self.start
                )
            )
        )
    }

    private mutating func delete(_ tunnel: Tunnel) {
        self.records[.tunnel(tunnel.id)] = nil
        self.records[.configuration(tunnel.id)] = nil
        for record in self.all {
            switch record {
            case .key(let key) where key.tunnel == tunnel.id: self.records[record.key] = nil
            case .hostname(let claim) where claim.tunnel == tunnel.id:
                self.records[record.key] = nil
            default: break
            }
        }
    }

    private mutating func changeKey() throws {
        let byte = UInt8(1 + self.next(8))
        guard let key = TunnelPublicKey([UInt8](repeating: byte, count: 32)) else { return }
        guard !self.isOneOf(3), let tunnel = self.tunnel() else {
            self.records[.key(key)] = nil
            return
        }
        let names = self.isOneOf(2) ? nil : [Self.hostnames[self.next(Self.hostnames.count)]]
        let expiry = Self.start + TimeInterval(self.next(4))
        self.write(
            .key(
                TunnelKey(
                    publicKey: key,
                    tunnel: tunnel.id,
                    label: "",
                    hostnames: try names?.map { try HostPattern($0) },
                    expiresAt: self.isOneOf(2) ? nil : expiry,
                    createdAt: Self.start
                )
            )
        )
    }

    private mutating func changeHostname() throws {
        let pattern = try HostPattern(Self.hostnames[self.next(Self.hostnames.count)])
        guard !self.isOneOf(3), let tunnel = self.tunnel() else {
            self.records[.hostname(pattern)] = nil
            return
        }
        let claim = HostnameClaim(
            pattern: pattern,
            tunnel: tunnel.id,
            balance: self.isOneOf(2) ? .sticky : .leastRequests,
            createdAt: Self.start
        )
        self.write(.hostname(claim))
    }

    private mutating func configure() {
        guard let tunnel = self.tunnel() else { return }
        let text = "\(self.next(1_000_000))"
        let version = self.next(100)
        self.write(
            .configuration(
                RemoteConfiguration(
                    tunnel: tunnel.id,
                    version: version,
                    text: text,
                    changedAt: Self.start
                )
            )
        )
    }

    private mutating func logIn() {
        guard let account = self.account() else { return }
        self.write(
            .token(
                AccessToken(
                    id: TokenID(self.uuid()),
                    account: account.id,
                    purpose: .session,
                    secretHash: [],
                    label: "",
                    expiresAt: nil,
                    createdAt: Self.start
                )
            )
        )
    }

    // MARK: Choosing

    private static let start = Date(timeIntervalSince1970: 1_000_000)

    private var all: [StoreRecord] { self.records.values.map(\.record) }

    private mutating func account() -> Account? {
        let accounts = self.all.compactMap { if case .account(let one) = $0 { one } else { nil } }
            .sorted { $0.name < $1.name }
        return accounts.isEmpty || self.isOneOf(5) ? nil : accounts[self.next(accounts.count)]
    }

    private mutating func tunnel() -> Tunnel? {
        let tunnels = self.all.compactMap { if case .tunnel(let one) = $0 { one } else { nil } }
            .sorted { $0.name < $1.name }
        return tunnels.isEmpty ? nil : tunnels[self.next(tunnels.count)]
    }

    private mutating func uuid() -> UUID {
        let (high, low) = (self.next(.max), self.next(.max))
        return withUnsafeBytes(of: (high, low)) { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    private mutating func next(_ limit: Int) -> Int {
        self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(self.state >> 33) % limit
    }

    /// As stores tell of records.
    private static func order(_ record: StoreRecord) -> Int {
        StoreKey.Kind.allCases.firstIndex(of: record.key.kind) ?? 0
    }
}
