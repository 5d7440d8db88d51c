internal import Foundation
internal import GRDB
internal import Glibc
internal import Synchronization

/// A ``ControlStore`` in one SQLite file, in WAL mode (beside it are `FILE-wal` and `FILE-shm`). Several
/// processes may have it open.
package final class SQLiteStore: ControlStore {
    /// "CVLT", in the file's header.
    static let applicationID: Int32 = 0x4356_4C54
    /// How long a commit waits for another process's.
    static let busySeconds: TimeInterval = 5

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
    static func makePrivate(_ file: String) throws {
        let descriptor = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let code = errno
            throw StoreError.unavailable(
                (code == EACCES ? StoreFileAccess.objection(to: file) : nil)
                    ?? "\(file): \(String(cString: strerror(code)))"
            )
        }
        Glibc.close(descriptor)
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

    package func audit(
        of revisions: [StoreRevision]
    ) async throws(StoreError) -> [StoreRevision: AuditEntry] {
        try await self.reading { db in try SQLiteRows.audit(of: revisions, db) }
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

    /// The last process that closes it leaves all in the file itself, with nothing beside it.
    package func close() async throws(StoreError) {
        do {
            // Of several processes, one that goes leaves nothing behind that only it knew of.
            try? await self.database.writeWithoutTransaction { db in
                _ = try db.checkpoint(.truncate)
            }
            try self.database.close()
            // Its last connection was one that only reads, and cannot take the log away.
            guard access(self.file + "-wal", F_OK) == 0,
                try FileIdentity(of: self.file) == self.identity
            else { return }
            let last = try DatabaseQueue(path: self.file)
            _ = try await last.read { db in try Self.revision(db) }
            try last.close()
        } catch {
            throw Self.failure(error, self.file)
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
struct FileIdentity: Equatable {
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
