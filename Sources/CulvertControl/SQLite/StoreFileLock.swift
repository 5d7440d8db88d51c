internal import Foundation

/// Holds SQLite's own lock on a database file, so that nobody uses it: while it has a file open in WAL mode
/// every connection holds a shared one. See "The Lock-Byte Page" in <https://sqlite.org/fileformat2.html>.
///
/// For a process that has the file not open otherwise: closing it there would let go of the lock.
struct StoreFileLock: ~Copyable {
    private let descriptor: CInt

    /// - Throws: `StoreError.unavailable` when somebody uses the file, or it cannot be opened.
    init(_ file: String) throws {
        self.descriptor = open(file, O_RDWR | O_CLOEXEC)
        guard self.descriptor >= 0 else {
            throw StoreError.unavailable(
                StoreFileAccess.objection(to: file)
                    ?? "\(file): \(String(cString: strerror(errno)))"
            )
        }
        var lock = Self.bytes
        guard fcntl(self.descriptor, F_SETLK, &lock) != 0 else { return }
        throw Self.inUse(file, by: Self.holder(of: self.descriptor))
    }

    deinit { close(self.descriptor) }

    /// - Throws: `StoreError.unavailable` when somebody uses the file, or it cannot be read.
    static func requireUnused(_ file: String) throws {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw StoreError.unavailable("\(file): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        guard let process = Self.holder(of: descriptor) else { return }
        throw Self.inUse(file, by: process)
    }

    /// From the byte that a writer takes on to the last of those that readers share.
    private static var bytes: flock {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = 0x4000_0000
        lock.l_len = 512
        return lock
    }

    /// One of those who use the file; 0 when it is in another container.
    private static func holder(of descriptor: CInt) -> pid_t? {
        var lock = Self.bytes
        guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK) else {
            return nil
        }
        return max(0, lock.l_pid)
    }

    private static func inUse(_ file: String, by process: pid_t?) -> StoreError {
        let name = process.flatMap { $0 > 0 ? " (process \($0))" : nil } ?? ""
        return .unavailable("\(file): is in use\(name): stop the edge first; nothing was changed")
    }
}
