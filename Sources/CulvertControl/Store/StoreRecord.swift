package import HTTPSemantics

/// The number of a commit; they grow by one.
package struct StoreRevision: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let number: Int64

    package init(_ number: Int64) { self.number = number }

    /// Before the first commit; of a key, that there is no record.
    package static let none = StoreRevision(0)

    package static func < (left: Self, right: Self) -> Bool { left.number < right.number }

    package var description: String { "\(self.number)" }
}

/// What a store keeps.
package enum StoreRecord: Sendable, Equatable {
    case account(Account)
    case tunnel(Tunnel)
    case key(TunnelKey)
    case token(AccessToken)
    case hostname(HostnameClaim)
    case configuration(RemoteConfiguration)

    package var key: StoreKey {
        switch self {
        case .account(let account): .account(account.id)
        case .tunnel(let tunnel): .tunnel(tunnel.id)
        case .key(let key): .key(key.publicKey)
        case .token(let token): .token(token.id)
        case .hostname(let claim): .hostname(claim.pattern)
        case .configuration(let configuration): .configuration(configuration.tunnel)
        }
    }
}

/// What names a record.
package enum StoreKey: Hashable, Sendable {
    case account(AccountID)
    case tunnel(TunnelID)
    case key(TunnelPublicKey)
    case token(TokenID)
    case hostname(HostPattern)
    case configuration(TunnelID)

    package var kind: Kind {
        switch self {
        case .account: .account
        case .tunnel: .tunnel
        case .key: .key
        case .token: .token
        case .hostname: .hostname
        case .configuration: .configuration
        }
    }

    package enum Kind: String, Sendable, CaseIterable {
        case account
        case tunnel
        case key
        case token
        case hostname
        case configuration
    }
}

/// A record, and when it was last written.
package struct StoredRecord: Sendable, Equatable {
    package var record: StoreRecord
    package var revision: StoreRevision

    package init(_ record: StoreRecord, at revision: StoreRevision) {
        self.record = record
        self.revision = revision
    }
}

/// Everything there is, at one revision.
package struct StoreSnapshot: Sendable, Equatable {
    package var revision: StoreRevision
    package var records: [StoredRecord]

    package init(revision: StoreRevision, records: [StoredRecord]) {
        self.revision = revision
        self.records = records
    }
}

/// What was changed up to a revision, since the changes before.
///
/// Several commits may be in one: of a record that was written twice, the last is there.
package struct StoreChanges: Sendable, Equatable {
    package var revision: StoreRevision
    package var written: [StoredRecord]
    package var deleted: [StoreKey]

    package init(revision: StoreRevision, written: [StoredRecord], deleted: [StoreKey]) {
        self.revision = revision
        self.written = written
        self.deleted = deleted
    }
}
