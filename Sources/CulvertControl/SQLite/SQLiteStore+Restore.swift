package import Foundation
internal import GRDB
internal import Glibc

/// What a backup that was put in a store's place has in it.
package struct RestoredStore: Sendable, Equatable {
    /// What was there before is kept under this name, with its `-wal` and `-shm`; nil when nothing was.
    package let keptAs: String?
    package let accounts: Int
    package let tunnels: Int
    /// Of its last change; nil when there was none.
    package let changedAt: Date?
}

extension SQLiteStore {
    /// Puts a backup in the place of a store that nobody uses; what was there is kept. The new one has its
    /// owner and mode, or if nothing was there those of its directory, 0600.
    ///
    /// If this is broken off half-way, the former store is whole under its own name or under the one that it is
    /// kept under, and doing it again completes it. The backup is only read.
    ///
    /// - Throws: `StoreError.unavailable` when the store or the backup is in use, the backup is none or is
    ///   damaged, or a file cannot be written; the store is what it was then.
    package static func restore(
        _ backup: String,
        over file: String,
        at now: Date
    ) throws(StoreError) -> RestoredStore {
        let unfinished = file + ".restoring"
        defer { Self.remove(unfinished) }
        do {
            try StoreFileLock.requireUnused(backup)
            guard try FileIdentity(of: backup) != (try? FileIdentity(of: file)) else {
                throw StoreError.unavailable("\(backup): is the store itself")
            }
            Self.remove(unfinished)
            for suffix in ["", "-wal"]
            where suffix.isEmpty || access(backup + suffix, F_OK) == 0 {
                try Self.copy(backup + suffix, to: unfinished + suffix)
            }
        } catch {
            throw Self.failure(error, backup, as: .backup)
        }
        do {
            try Self.check(unfinished, as: .backup, name: backup)
            let (accounts, tunnels, changedAt) = try Self.settle(unfinished)
            return RestoredStore(
                keptAs: try Self.replace(file, with: unfinished, at: now),
                accounts: accounts,
                tunnels: tunnels,
                changedAt: changedAt
            )
        } catch {
            throw Self.failure(error, backup, as: .backup)
        }
    }

    private static func remove(_ file: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(file + suffix) }
    }

    private static func copy(_ source: String, to target: String) throws {
        let from = open(source, O_RDONLY | O_CLOEXEC)
        guard from >= 0 else { throw Self.systemError(source) }
        let reader = FileHandle(fileDescriptor: from, closeOnDealloc: true)
        try Self.makePrivate(target)
        let writer = try FileHandle(forWritingTo: URL(fileURLWithPath: target))
        while let piece = try reader.read(upToCount: 1 << 20), !piece.isEmpty {
            try writer.write(contentsOf: piece)
        }
        try writer.close()
    }

    /// Brings everything into the file itself, and counts it.
    private static func settle(
        _ file: String
    ) throws -> (accounts: Int, tunnels: Int, changedAt: Date?) {
        let database = try DatabaseQueue(path: file)
        let counts = try database.read { db in
            let changed = try Int64.fetchOne(
                db,
                sql: "SELECT at FROM audit ORDER BY revision DESC LIMIT 1"
            )
            return (
                accounts: try Int.fetchOne(db, sql: "SELECT count(*) FROM account") ?? 0,
                tunnels: try Int.fetchOne(db, sql: "SELECT count(*) FROM tunnel") ?? 0,
                changedAt: changed.map { Date(timeIntervalSince1970: Double($0) / 1000) }
            )
        }
        // A backup says of itself that it is in WAL mode; the last to close it leaves one file.
        try database.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
        try database.close()
        return counts
    }

    /// Puts a finished file in the place of a store, which is kept.
    ///
    /// - Returns: the name that it is kept under; nil when there was none.
    private static func replace(
        _ file: String,
        with finished: String,
        at now: Date
    ) throws -> String? {
        var status = stat()
        let exists = stat(file, &status) == 0
        let directory = (file as NSString).deletingLastPathComponent
        let place = directory.isEmpty ? "." : directory
        guard exists || stat(place, &status) == 0 else { throw Self.systemError(place) }
        try Self.adopt(finished, status, mode: exists ? status.st_mode & 0o777 : 0o600)
        // Whoever starts an edge now waits until this is over.
        let lock = exists ? try StoreFileLock(file) : nil
        // Also where the file itself is away: of its log nobody knows whether it is of use.
        let former = ["", "-wal", "-shm"].filter { access(file + $0, F_OK) == 0 }
        let kept = "\(file).before-\(Self.stamp(now))"
        for suffix in former {
            guard link(file + suffix, kept + suffix) == 0 else {
                throw Self.systemError(kept + suffix)
            }
        }
        // A log that is left would be taken for the new file's.
        for suffix in ["-wal", "-shm"] { unlink(file + suffix) }
        guard rename(finished, file) == 0 else { throw Self.systemError(file) }
        Self.synchronize(place)
        _ = consume lock
        return former.isEmpty ? nil : kept
    }

    /// Gives a file its owner and mode, and has it on the disk.
    private static func adopt(_ file: String, _ owner: stat, mode: mode_t) throws {
        let descriptor = open(file, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.systemError(file) }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.systemError(file) }
        if status.st_uid != owner.st_uid || status.st_gid != owner.st_gid {
            guard fchown(descriptor, owner.st_uid, owner.st_gid) == 0 else {
                throw StoreError.unavailable(
                    "\(file): cannot be given to the store's owner, user \(owner.st_uid): run this as "
                        + "that user or as root; nothing was changed"
                )
            }
        }
        guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else {
            throw Self.systemError(file)
        }
    }

    private static func synchronize(_ directory: String) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        Glibc.close(descriptor)
    }

    private static func systemError(_ file: String) -> StoreError {
        .unavailable("\(file): \(String(cString: strerror(errno)))")
    }

    /// As in `20261128T042615Z`.
    private static func stamp(_ date: Date) -> String {
        date.ISO8601Format(.init(dateSeparator: .omitted, timeSeparator: .omitted))
    }
}
