package import HTTPSemantics

/// Everything a store holds, in memory, at one revision. A value: whoever decides over it has it to
/// himself.
package struct Registry: Sendable {
    package private(set) var revision: StoreRevision
    private var records: [StoreKey: StoredRecord] = [:]
    /// When something of a kind was last written or deleted.
    private var touched: [StoreKey.Kind: StoreRevision] = [:]
    private var accountsByName: [String: AccountID] = [:]
    private var tunnels: [AccountID: [String: TunnelID]] = [:]
    private var keys: [TunnelID: Set<TunnelPublicKey>] = [:]
    private var hostnames: [TunnelID: Set<HostPattern>] = [:]
    private var tokens: [AccountID: Set<TokenID>] = [:]
    /// Those of the tokens that are enrolment codes.
    private var codes: Set<TokenID> = []

    /// Of a store in which nothing was ever written.
    package static let empty = Registry(StoreSnapshot(revision: .none, records: []))

    package init(_ snapshot: StoreSnapshot) {
        self.revision = snapshot.revision
        self.records.reserveCapacity(snapshot.records.count)
        for record in snapshot.records { self.write(record) }
        // Deletions leave no trace in a snapshot.
        for kind in StoreKey.Kind.allCases { self.touched[kind] = snapshot.revision }
    }

    /// Goes on to a later revision; earlier changes than its own are ignored. Costs what the changes do, whatever
    /// else there is, as long as nobody keeps a copy.
    ///
    /// - Returns: the tunnels that have changed or are gone: they themselves, what belongs to them, or their account.
    @discardableResult
    package mutating func apply(_ changes: StoreChanges) -> Set<TunnelID> {
        guard changes.revision > self.revision else { return [] }
        self.revision = changes.revision
        var tunnels: Set<TunnelID> = []
        for key in changes.deleted {
            self.delete(key, &tunnels)
            self.touched[key.kind] = changes.revision
        }
        for record in changes.written {
            self.delete(record.record.key, &tunnels)
            self.write(record)
            tunnels.formUnion(self.tunnels(concernedBy: record.record))
            self.touched[record.record.key.kind] = changes.revision
        }
        return tunnels
    }

    // MARK: Looking up

    /// Every account, by name.
    package var accounts: [Account] {
        self.accountsByName.values.compactMap { self.account($0) }.sorted { $0.name < $1.name }
    }

    /// The accounts whose names come after `name`, by name, `limit` at most; from the first on with nil.
    package func accounts(after name: String?, limit: Int) -> [Account] {
        Self.page(self.accountsByName, after: name, limit: limit).compactMap { self.account($0) }
    }

    package func account(_ id: AccountID) -> Account? {
        guard case .account(let account) = self.records[.account(id)]?.record else { return nil }
        return account
    }

    package func account(named name: String) -> Account? {
        self.accountsByName[name].flatMap { self.account($0) }
    }

    package func tunnel(_ id: TunnelID) -> Tunnel? {
        guard case .tunnel(let tunnel) = self.records[.tunnel(id)]?.record else { return nil }
        return tunnel
    }

    package func tunnel(named name: String, of owner: AccountID) -> Tunnel? {
        self.tunnels[owner]?[name].flatMap { self.tunnel($0) }
    }

    /// The tunnels of an account, by name.
    package func tunnels(of owner: AccountID) -> [Tunnel] {
        (self.tunnels[owner] ?? [:]).values.compactMap { self.tunnel($0) }
            .sorted { $0.name < $1.name }
    }

    /// The tunnels of an account whose names come after `name`, by name, `limit` at most; from the first on with
    /// nil.
    package func tunnels(of owner: AccountID, after name: String?, limit: Int) -> [Tunnel] {
        Self.page(self.tunnels[owner] ?? [:], after: name, limit: limit)
            .compactMap { self.tunnel($0) }
    }

    package func tunnelCount(of owner: AccountID) -> Int { self.tunnels[owner]?.count ?? 0 }

    package func key(_ publicKey: TunnelPublicKey) -> TunnelKey? {
        guard case .key(let key) = self.records[.key(publicKey)]?.record else { return nil }
        return key
    }

    package func keys(of tunnel: TunnelID) -> [TunnelKey] {
        (self.keys[tunnel] ?? []).compactMap { self.key($0) }.sorted { $0.createdAt < $1.createdAt }
    }

    package func hostname(_ pattern: HostPattern) -> HostnameClaim? {
        guard case .hostname(let claim) = self.records[.hostname(pattern)]?.record else {
            return nil
        }
        return claim
    }

    package func hostnames(of tunnel: TunnelID) -> [HostPattern] {
        (self.hostnames[tunnel] ?? []).sorted { $0.description < $1.description }
    }

    /// The hostnames of a tunnel with what is set for them, in no order.
    package func claims(of tunnel: TunnelID) -> [HostnameClaim] {
        (self.hostnames[tunnel] ?? []).compactMap { self.hostname($0) }
    }

    /// How many hostnames the tunnels of an account have together.
    package func hostnameCount(ofAccount owner: AccountID) -> Int {
        (self.tunnels[owner] ?? [:]).values.reduce(0) { $0 + (self.hostnames[$1]?.count ?? 0) }
    }

    /// The hostnames of all tunnels of an account, in no order.
    package func hostnames(ofAccount owner: AccountID) -> [HostPattern] {
        (self.tunnels[owner] ?? [:]).values.flatMap { self.hostnames[$0] ?? [] }
    }

    package func token(_ id: TokenID) -> AccessToken? {
        guard case .token(let token) = self.records[.token(id)]?.record else { return nil }
        return token
    }

    package func tokens(of account: AccountID) -> [AccessToken] {
        (self.tokens[account] ?? []).compactMap { self.token($0) }
            .sorted { $0.createdAt < $1.createdAt }
    }

    /// The codes that let somebody into an account, whether still good or not, in no order.
    package var enrolmentCodes: [AccessToken] { self.codes.compactMap { self.token($0) } }

    package func configuration(of tunnel: TunnelID) -> RemoteConfiguration? {
        guard case .configuration(let found) = self.records[.configuration(tunnel)]?.record else {
            return nil
        }
        return found
    }

    /// Every hostname that is claimed, in no order.
    package var claims: some Sequence<HostnameClaim> {
        self.hostnames.values.lazy.flatMap { $0 }.compactMap { self.hostname($0) }
    }

    /// The hostnames that have a host in common with `pattern`, in no order. An exact name costs a look-up for each
    /// of its labels, a wildcard a look at every hostname.
    package func claims(overlapping pattern: HostPattern) -> [HostnameClaim] {
        guard case .exact(let host) = pattern.kind else {
            let overlapping = self.hostnames.values.lazy.joined().filter { pattern.overlaps($0) }
            return overlapping.compactMap { self.hostname($0) }
        }
        let wildcards = host.parents.map { HostPattern(below: $0) } + [.any]
        return ([pattern] + wildcards).compactMap { self.hostname($0) }
    }

    /// The revision of a key's record; `none` when there is no record.
    package func revision(of key: StoreKey) -> StoreRevision {
        self.records[key]?.revision ?? .none
    }

    /// When something of a kind was last changed, as far as is known: never too early.
    package func revision(of kind: StoreKey.Kind) -> StoreRevision { self.touched[kind] ?? .none }

    private static func page<ID>(
        _ named: [String: ID],
        after name: String?,
        limit: Int
    ) -> [ID] {
        named.keys.filter { key in name.map { key > $0 } ?? true }.sorted().prefix(limit)
            .compactMap { named[$0] }
    }

    // MARK: Records

    private mutating func write(_ stored: StoredRecord) {
        self.records[stored.record.key] = stored
        switch stored.record {
        case .account(let account): self.accountsByName[account.name] = account.id
        case .tunnel(let tunnel): self.tunnels[tunnel.owner, default: [:]][tunnel.name] = tunnel.id
        case .key(let key): self.keys[key.tunnel, default: []].insert(key.publicKey)
        case .token(let token):
            self.tokens[token.account, default: []].insert(token.id)
            if token.purpose == .enrolment { self.codes.insert(token.id) }
        case .hostname(let claim): self.hostnames[claim.tunnel, default: []].insert(claim.pattern)
        case .configuration: break
        }
    }

    private mutating func delete(_ key: StoreKey, _ concerned: inout Set<TunnelID>) {
        guard let stored = self.records.removeValue(forKey: key) else { return }
        concerned.formUnion(self.tunnels(concernedBy: stored.record))
        switch stored.record {
        case .account(let account): self.accountsByName[account.name] = nil
        case .tunnel(let tunnel):
            self.tunnels[tunnel.owner]?[tunnel.name] = nil
            if self.tunnels[tunnel.owner]?.isEmpty == true { self.tunnels[tunnel.owner] = nil }
        case .key(let key): Self.remove(key.publicKey, from: &self.keys, key.tunnel)
        case .token(let token):
            Self.remove(token.id, from: &self.tokens, token.account)
            self.codes.remove(token.id)
        case .hostname(let claim): Self.remove(claim.pattern, from: &self.hostnames, claim.tunnel)
        case .configuration: break
        }
    }

    /// Sets that are empty are not kept: tunnels and accounts come and go.
    private static func remove<Owner, Part>(
        _ part: Part,
        from parts: inout [Owner: Set<Part>],
        _ owner: Owner
    ) {
        parts[owner]?.remove(part)
        if parts[owner]?.isEmpty == true { parts[owner] = nil }
    }

    /// The tunnels that are not what they were when a record is not. Who is logged in is nothing to them.
    private func tunnels(concernedBy record: StoreRecord) -> [TunnelID] {
        switch record {
        case .account(let account): (self.tunnels[account.id] ?? [:]).values.map(\.self)
        case .tunnel(let tunnel): [tunnel.id]
        case .key(let key): [key.tunnel]
        case .hostname(let claim): [claim.tunnel]
        case .configuration(let configuration): [configuration.tunnel]
        case .token: []
        }
    }
}

/// What of a registry is not as it was.
package enum RegistryNews: Sendable, Equatable {
    /// Anything may have changed: look at all of it.
    case everything
    /// These tunnels have changed or are gone, or what belongs to them, or their accounts; nothing else of tunnels
    /// has.
    case tunnels(Set<TunnelID>)
}
