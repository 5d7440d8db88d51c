internal import Foundation
internal import GRDB
internal import HTTPSemantics

// Carrying out a transaction, within one of SQLite's.
extension SQLiteStore {
    /// Deletions are remembered for so many revisions.
    static let rememberedRevisions: Int64 = 10_000

    static func carryOut(_ transaction: StoreTransaction, _ db: Database) throws -> StoreRevision {
        for (kind, revision) in transaction.fences {
            guard try !Self.isTouched(kind, after: revision, db) else {
                throw StoreError.fenced(kind)
            }
        }
        for (key, revision) in transaction.expectations {
            guard try Self.revision(of: key, db) == revision else {
                throw StoreError.conflict(key)
            }
        }
        let revision = StoreRevision(try Self.revision(db).number + 1)
        for key in transaction.deletions { try Self.delete(key, at: revision, db) }
        for record in transaction.writes { try Self.write(record, at: revision, db) }
        try SQLiteRows.write(transaction.audit, at: revision, db)
        try Self.advance(to: revision, db)
        return revision
    }

    private static func revision(of key: StoreKey, _ db: Database) throws -> StoreRevision {
        let sql = "SELECT revision FROM \(key.kind.rawValue) WHERE key = ?"
        return StoreRevision(try Int64.fetchOne(db, sql: sql, arguments: [key.column]) ?? 0)
    }

    /// Whether something of a kind was written or deleted after a revision. Looks at what came after it alone: the `+`
    /// keeps SQLite from reading every tombstone of the kind.
    private static func isTouched(
        _ kind: StoreKey.Kind,
        after revision: StoreRevision,
        _ db: Database
    ) throws -> Bool {
        let sql = """
            SELECT EXISTS (SELECT 1 FROM \(kind.rawValue) WHERE revision > ?)
                OR EXISTS (SELECT 1 FROM tombstone WHERE revision > ? AND +kind = ?)
            """
        let arguments: StatementArguments = [revision.number, revision.number, kind.rawValue]
        return try Bool.fetchOne(db, sql: sql, arguments: arguments) ?? false
    }

    private static func write(
        _ record: StoreRecord,
        at revision: StoreRevision,
        _ db: Database
    ) throws {
        do {
            try SQLiteRows.write(record, at: revision, db)
        } catch let error as DatabaseError
            where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE
        {
            throw StoreError.taken(record.key.kind, name: record.uniqueName)
        }
        try db.execute(
            sql: "DELETE FROM tombstone WHERE kind = ? AND key = ?",
            arguments: [record.key.kind.rawValue, record.key.column]
        )
    }

    private static func delete(
        _ key: StoreKey,
        at revision: StoreRevision,
        _ db: Database
    ) throws {
        try db.execute(
            sql: "DELETE FROM \(key.kind.rawValue) WHERE key = ?",
            arguments: [key.column]
        )
        try db.execute(
            sql: "INSERT OR REPLACE INTO tombstone VALUES (?, ?, ?)",
            arguments: [key.kind.rawValue, key.column, revision.number]
        )
    }

    private static func advance(to revision: StoreRevision, _ db: Database) throws {
        let compacted = max(0, revision.number - Self.rememberedRevisions)
        try db.execute(
            sql: "UPDATE state SET revision = ?, compacted = max(compacted, ?)",
            arguments: [revision.number, compacted]
        )
        try db.execute(sql: "DELETE FROM tombstone WHERE revision <= ?", arguments: [compacted])
    }
}

extension StoreRecord {
    /// The name that no other record of the kind may have, for a message.
    fileprivate var uniqueName: String {
        switch self {
        case .account(let account): account.name
        case .tunnel(let tunnel): tunnel.name
        case .hostname(let claim): claim.pattern.description
        case .key, .token, .configuration: "\(self.key)"
        }
    }
}
