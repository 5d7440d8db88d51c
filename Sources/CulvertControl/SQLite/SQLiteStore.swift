internal import Foundation
internal import GRDB
internal import Synchronization

/// A ``ControlStore`` in one SQLite file, in WAL mode (beside it are `FILE-wal` and `FILE-shm`). Several
/// processes may have it open.
package final class SQLiteStore: ControlStore {
    /// "CVLT", in the file's header.
    static let applicationID: Int32 = 0x4356_4C54
    /// How long a commit waits for another process's.
    private static let busySeconds: TimeInterval = 5

    let database: DatabasePool
    /// What the file was when it was opened.
    private let identity: FileIdentity
    let file: String
    let commits = CommitBell()

    /// Opens the file, or makes it, readable by its owner only, and brings it to this version's schema.
    ///
    /// - Throws: `StoreError.unavailable` when it cannot be opened, is no store, is damaged, or was
    ///   written by a later version; the file is not changed then.
    package init(file: String) throws(StoreError) {
        self.file = file
        do {
            try Self.makePrivate(file)
            self.identity = try FileIdentity(of: file)
            var configuration = Configuration()
            configuration.busyMode = .timeout(Self.busySeconds)
            configuration.maximumReaderCount = 4
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
            }
            try Self.check(file)
            self.database = try DatabasePool(path: file, configuration: configuration)
            try Self.migrate(self.database)
        } catch let error as StoreError {
            throw error
        } catch {
            throw Self.failure(error, file)
        }
    }

    /// The directory's permissions are its owner's affair; the file's are ours.
    private static func makePrivate(_ file: String) throws {
        let descriptor = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError.unavailable("\(file): \(String(cString: strerror(errno)))")
        }
        close(descriptor)
    }

    /// Looks at a file without writing to it.
    private static func check(_ file: String) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(Self.busySeconds)
        let database = try DatabaseQueue(path: file, configuration: configuration)
        defer { try? database.close() }
        try database.read { db in
            guard try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0 > 0 else {
                return
            }
            let id = try Int32.fetchOne(db, sql: "PRAGMA application_id")
            guard id == Self.applicationID else {
                throw StoreError.unavailable("\(file): is another program's database")
            }
            guard try !Self.migrator.hasBeenSuperseded(db) else {
                throw StoreError.unavailable(
                    "\(file): was written by a later version of culvert; use that one, or a backup of "
                        + "before"
                )
            }
            let words = try String.fetchAll(db, sql: "PRAGMA quick_check(1)")
            guard words == ["ok"] else {
                throw StoreError.unavailable(Self.damaged(file, words.joined(separator: "; ")))
            }
        }
    }

    private static func damaged(_ file: String, _ words: String) -> String {
        "\(file): is damaged (\(words)). Move it away and put a backup in its place (`culvert edge "
            + "backup` makes them)"
    }

    /// What SQLite's error means to the caller.
    static func failure(_ error: any Error, _ file: String) -> StoreError {
        if let error = error as? StoreError { return error }
        guard let error = error as? DatabaseError else { return .unavailable("\(file): \(error)") }
        switch error.resultCode {
        case .SQLITE_FULL: return .full
        case .SQLITE_BUSY, .SQLITE_LOCKED: return .busy
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return .unavailable(Self.damaged(file, error.message ?? "\(error.resultCode)"))
        default:
            return .unavailable("\(file): \(error.message ?? "\(error.resultCode)")")
        }
    }

    // MARK: ControlStore

    package func snapshot() async throws(StoreError) -> StoreSnapshot {
        try await self.reading { db in
            var records: [StoredRecord] = []
            for kind in StoreKey.Kind.allCases {
                records += try SQLiteRows.fetchAll(kind, after: .none, db)
            }
            return StoreSnapshot(revision: try Self.revision(db), records: records)
        }
    }

    package func latestRevision() async throws(StoreError) -> StoreRevision {
        try await self.reading { db in try Self.revision(db) }
    }

    @discardableResult
    package func commit(
        _ transaction: StoreTransaction
    ) async throws(StoreError) -> StoreRevision {
        let revision: StoreRevision
        do {
            // What is written to a file that was moved away is lost at the next start.
            guard try FileIdentity(of: self.file) == self.identity else {
                throw StoreError.unavailable(
                    "\(self.file): is another file than it was: start the edge again"
                )
            }
            revision = try await self.database.write { db in try Self.carryOut(transaction, db) }
        } catch {
            throw Self.failure(error, self.file)
        }
        self.commits.ring()
        return revision
    }

    package func audit(
        before revision: StoreRevision,
        limit: Int
    ) async throws(StoreError) -> [(revision: StoreRevision, entry: AuditEntry)] {
        try await self.reading { db in try SQLiteRows.audit(before: revision, limit: limit, db) }
    }

    package func backUp(to path: String) async throws(StoreError) {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw .unavailable("\(path): exists already; a backup is never written over another")
        }
        let unfinished = path + ".unfinished"
        do {
            try? FileManager.default.removeItem(atPath: unfinished)
            try Self.makePrivate(unfinished)
            let copy = try DatabaseQueue(path: unfinished)
            try self.database.backup(to: copy)
            try copy.close()
            // Whole under its name, or not there.
            guard link(unfinished, path) == 0 else {
                throw StoreError.unavailable("\(path): \(String(cString: strerror(errno)))")
            }
            try FileManager.default.removeItem(atPath: unfinished)
        } catch {
            try? FileManager.default.removeItem(atPath: unfinished)
            throw Self.failure(error, path)
        }
    }

    func reading<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreError) -> Value {
        do {
            return try await self.database.read(body)
        } catch {
            throw Self.failure(error, self.file)
        }
    }

    static func revision(_ db: Database) throws -> StoreRevision {
        StoreRevision(try Int64.fetchOne(db, sql: "SELECT revision FROM state") ?? 0)
    }
}

/// Which file a path leads to.
private struct FileIdentity: Equatable {
    private let device: UInt64
    private let number: UInt64

    /// - Throws: `StoreError.unavailable` when it leads to none.
    init(of path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw StoreError.unavailable("\(path): \(String(cString: strerror(errno)))")
        }
        self.device = UInt64(status.st_dev)
        self.number = UInt64(status.st_ino)
    }
}
