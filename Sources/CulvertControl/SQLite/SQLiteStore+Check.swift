internal import Foundation
internal import GRDB

// Whether a file is a store, and whole.
extension SQLiteStore {
    /// Whose file is looked at, for the words about one that is damaged.
    enum Subject {
        case store
        case backup

        fileprivate var advice: String {
            switch self {
            case .store:
                "`culvert edge restore BACKUP` puts a backup in its place, and keeps this one "
                    + "(`culvert edge backup` makes them)"
            case .backup: "Nothing was changed; take another backup"
            }
        }
    }

    /// Looks at a file without writing to it.
    ///
    /// All of it is read: a file beside which somebody else's `-wal` was left is made of pages of both, of
    /// which each is good by itself. `name` is what to call it in errors; by default as it is called.
    ///
    /// - Throws: `StoreError.unavailable`; what SQLite throws.
    static func check(_ file: String, as subject: Subject = .store, name: String? = nil) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(Self.busySeconds)
        let name = name ?? file
        let database = try DatabaseQueue(path: file, configuration: configuration)
        defer { try? database.close() }
        try database.read { db in
            guard try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0 > 0 else {
                guard subject == .store else {
                    throw StoreError.unavailable("\(name): is no backup: there is nothing in it")
                }
                return
            }
            let id = try Int32.fetchOne(db, sql: "PRAGMA application_id")
            guard id == Self.applicationID else {
                throw StoreError.unavailable("\(name): is another program's database")
            }
            guard try !Self.migrator.hasBeenSuperseded(db) else {
                throw StoreError.unavailable(
                    "\(name): was written by a later version of culvert; use that one, or a backup of "
                        + "before"
                )
            }
            let words = try String.fetchAll(db, sql: "PRAGMA integrity_check(1)")
            guard words == ["ok"] else {
                throw Self.damaged(name, words.joined(separator: "; "), subject)
            }
            guard try Self.isOfOneMoment(db) else {
                throw Self.damaged(name, "parts of it are of different times", subject)
            }
        }
    }

    /// Whether nothing is later than the latest commit, and that one is in the audit trail.
    private static func isOfOneMoment(_ db: Database) throws -> Bool {
        let revision = try Self.revision(db).number
        guard try Int64.fetchOne(db, sql: "SELECT max(revision) FROM audit") ?? 0 == revision else {
            return false
        }
        for table in StoreKey.Kind.allCases.map(\.rawValue) + ["tombstone"] {
            let latest = try Int64.fetchOne(db, sql: "SELECT max(revision) FROM \(table)")
            guard latest ?? 0 <= revision else { return false }
        }
        return true
    }

    private static func damaged(
        _ file: String,
        _ words: String,
        _ subject: Subject
    ) -> StoreError {
        .unavailable("\(file): is damaged (\(words)). \(subject.advice)")
    }

    /// What SQLite's error means to the caller.
    static func failure(
        _ error: any Error,
        _ file: String,
        as subject: Subject = .store
    ) -> StoreError {
        if let error = error as? StoreError { return error }
        guard let error = error as? DatabaseError else { return .unavailable("\(file): \(error)") }
        let words = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        case .SQLITE_FULL: return .full
        case .SQLITE_BUSY, .SQLITE_LOCKED: return .busy
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return Self.damaged(file, words, subject)
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
            return .unavailable(StoreFileAccess.objection(to: file) ?? "\(file): \(words)")
        default: return .unavailable("\(file): \(words)")
        }
    }
}
