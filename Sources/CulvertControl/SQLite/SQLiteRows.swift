internal import Foundation
internal import GRDB
internal import HTTPSemantics

/// Records as rows of their tables, and back. A row that says nothing sensible is a damaged store.
enum SQLiteRows {
    // MARK: Writing

    static func write(_ record: StoreRecord, at revision: StoreRevision, _ db: Database) throws {
        var values: [(any DatabaseValueConvertible)?] = [record.key.column, revision.number]
        switch record {
        case .account(let account):
            values += [
                account.name, account.role.rawValue, account.maximumTunnels,
                Self.joined(account.suffixes), Self.milliseconds(account.createdAt),
                account.maximumHostnames,
            ]
        case .tunnel(let tunnel):
            values += [
                tunnel.owner.description, tunnel.name, Self.milliseconds(tunnel.createdAt),
            ]
        case .key(let key):
            values += [
                key.tunnel.description, key.label, key.hostnames.map(Self.joined),
                key.expiresAt.map(Self.milliseconds), Self.milliseconds(key.createdAt),
            ]
        case .token(let token):
            values += [
                token.account.description, token.purpose.rawValue, Data(token.secretHash),
                token.label, token.expiresAt.map(Self.milliseconds),
                Self.milliseconds(token.createdAt), token.usedAt.map(Self.milliseconds),
            ]
        case .hostname(let claim):
            values += [
                claim.tunnel.description, Self.milliseconds(claim.createdAt),
                claim.balance.rawValue,
            ]
        case .configuration(let configuration):
            values += [
                configuration.version, configuration.text,
                Self.milliseconds(configuration.changedAt),
            ]
        }
        let marks = values.map { _ in "?" }.joined(separator: ", ")
        let table = record.key.kind.rawValue
        // Not INSERT OR REPLACE: that would delete the other row of a name that is taken.
        try db.execute(
            sql: "DELETE FROM \(table) WHERE key = ?",
            arguments: [record.key.column]
        )
        try db.execute(
            sql: "INSERT INTO \(table) VALUES (\(marks))",
            arguments: StatementArguments(values)
        )
    }

    static func write(_ entry: AuditEntry, at revision: StoreRevision, _ db: Database) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let details = String(decoding: try encoder.encode(entry.details), as: UTF8.self)
        let actor =
            switch entry.actor {
            case .`operator`: "operator"
            case .account(let id): id.description
            }
        try db.execute(
            sql: "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                revision.number, Self.milliseconds(entry.at), actor, entry.action, entry.subject,
                details, entry.actorName,
            ]
        )
    }

    // MARK: Reading

    /// The records of a kind that were written after a revision.
    static func fetchAll(
        _ kind: StoreKey.Kind,
        after revision: StoreRevision,
        _ db: Database
    ) throws -> [StoredRecord] {
        let rows = try Row.fetchCursor(
            db,
            sql: "SELECT * FROM \(kind.rawValue) WHERE revision > ?",
            arguments: [revision.number]
        )
        var records: [StoredRecord] = []
        while let row = try rows.next() {
            records.append(StoredRecord(try Self.record(kind, row), at: StoreRevision(row[1])))
        }
        return records
    }

    static func deleted(after revision: StoreRevision, _ db: Database) throws -> [StoreKey] {
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT kind, key FROM tombstone WHERE revision > ?",
            arguments: [revision.number]
        )
        return try rows.map { row in
            guard let kind = StoreKey.Kind(rawValue: row[0]) else {
                throw Self.nonsense("tombstone")
            }
            return try Self.key(kind, row, column: 1)
        }
    }

    static func audit(
        before revision: StoreRevision,
        limit: Int,
        _ db: Database
    ) throws -> [(revision: StoreRevision, entry: AuditEntry)] {
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT * FROM audit WHERE revision < ? ORDER BY revision DESC LIMIT ?",
            arguments: [revision.number, limit]
        )
        return try rows.map { (StoreRevision($0[0]), try Self.auditEntry($0)) }
    }

    static func audit(
        of revisions: [StoreRevision],
        _ db: Database
    ) throws -> [StoreRevision: AuditEntry] {
        let marks = repeatElement("?", count: revisions.count).joined(separator: ", ")
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT * FROM audit WHERE revision IN (\(marks))",
            arguments: StatementArguments(revisions.map(\.number))
        )
        return try Dictionary(
            uniqueKeysWithValues: rows.map { (StoreRevision($0[0]), try Self.auditEntry($0)) }
        )
    }

    private static func auditEntry(_ row: Row) throws -> AuditEntry {
        let actor: String = row[2]
        let details: String = row[5]
        return AuditEntry(
            at: Self.date(row[1]),
            actor: actor == "operator"
                ? .`operator` : .account(AccountID(try Self.uuid(actor, "audit"))),
            actorName: row[6],
            action: row[3],
            subject: row[4],
            details: try JSONDecoder().decode([String: String].self, from: Data(details.utf8))
        )
    }

    private static func record(_ kind: StoreKey.Kind, _ row: Row) throws -> StoreRecord {
        switch try Self.key(kind, row, column: 0) {
        case .account(let id):
            guard let role = Account.Role(rawValue: row[3]) else { throw Self.nonsense("account") }
            return .account(
                Account(
                    id: id,
                    name: row[2],
                    role: role,
                    maximumTunnels: row[4],
                    maximumHostnames: row[7],
                    suffixes: try Self.split(row[5]).map { try NormalizedHost($0) },
                    createdAt: Self.date(row[6])
                )
            )
        case .tunnel(let id):
            return .tunnel(
                Tunnel(
                    id: id,
                    owner: AccountID(try Self.uuid(row[2], "tunnel")),
                    name: row[3],
                    createdAt: Self.date(row[4])
                )
            )
        case .key(let publicKey):
            let hostnames: String? = row[4]
            let expiresAt: Int64? = row[5]
            return .key(
                TunnelKey(
                    publicKey: publicKey,
                    tunnel: TunnelID(try Self.uuid(row[2], "key")),
                    label: row[3],
                    hostnames: try hostnames.map { try Self.split($0).map { try HostPattern($0) } },
                    expiresAt: expiresAt.map(Self.date),
                    createdAt: Self.date(row[6])
                )
            )
        case .token(let id):
            guard let purpose = AccessToken.Purpose(rawValue: row[3]) else {
                throw Self.nonsense("token")
            }
            let secretHash: Data = row[4]
            let expiresAt: Int64? = row[6]
            let usedAt: Int64? = row[8]
            return .token(
                AccessToken(
                    id: id,
                    account: AccountID(try Self.uuid(row[2], "token")),
                    purpose: purpose,
                    secretHash: Array(secretHash),
                    label: row[5],
                    expiresAt: expiresAt.map(Self.date),
                    usedAt: usedAt.map(Self.date),
                    createdAt: Self.date(row[7])
                )
            )
        case .hostname(let pattern):
            guard let balance = Balance(rawValue: row[4]) else { throw Self.nonsense("hostname") }
            return .hostname(
                HostnameClaim(
                    pattern: pattern,
                    tunnel: TunnelID(try Self.uuid(row[2], "hostname")),
                    balance: balance,
                    createdAt: Self.date(row[3])
                )
            )
        case .configuration(let tunnel):
            return .configuration(
                RemoteConfiguration(
                    tunnel: tunnel,
                    version: row[2],
                    text: row[3],
                    changedAt: Self.date(row[4])
                )
            )
        }
    }

    private static func key(_ kind: StoreKey.Kind, _ row: Row, column: Int) throws -> StoreKey {
        if kind == .key {
            let bytes: Data = row[column]
            guard let publicKey = TunnelPublicKey(bytes) else { throw Self.nonsense("key") }
            return .key(publicKey)
        }
        let text: String = row[column]
        return switch kind {
        case .account: .account(AccountID(try Self.uuid(text, "account")))
        case .tunnel: .tunnel(TunnelID(try Self.uuid(text, "tunnel")))
        case .token: .token(TokenID(try Self.uuid(text, "token")))
        case .configuration: .configuration(TunnelID(try Self.uuid(text, "configuration")))
        case .hostname, .key: .hostname(try HostPattern(text))
        }
    }

    // MARK: Values

    private static func uuid(_ text: String, _ table: String) throws -> UUID {
        guard let uuid = UUID(uuidString: text) else { throw Self.nonsense(table) }
        return uuid
    }

    private static func nonsense(_ table: String) -> StoreError {
        .unavailable("the store has a row in its table \"\(table)\" that culvert did not write")
    }

    private static func joined(_ words: [some CustomStringConvertible]) -> String {
        words.map(\.description).joined(separator: " ")
    }

    private static func split(_ text: String) -> [String] {
        text.split(separator: " ").map(String.init)
    }

    private static func milliseconds(_ date: Date) -> Int64 {
        Int64((date.timeIntervalSince1970 * 1000).rounded())
    }

    private static func date(_ milliseconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }
}

extension StoreKey {
    /// What the column `key` of its table has.
    var column: any DatabaseValueConvertible {
        switch self {
        case .account(let id): id.description
        case .tunnel(let id), .configuration(let id): id.description
        case .token(let id): id.description
        case .key(let publicKey): Data(publicKey.bytes)
        case .hostname(let pattern): pattern.description
        }
    }
}
