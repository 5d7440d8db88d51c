import Glibc

/// A directory of files for this user only: mode 0700, files 0600, each written whole or not at all.
struct PrivateDirectory: Sendable {
    typealias Failure = DevelopmentAuthorityError

    let path: String

    /// Makes the directory, and those above it, where they are missing. One that is there keeps its
    /// mode: it may be shared on purpose, and its files are private anyway.
    init(creating path: String) throws(DevelopmentAuthorityError) {
        self.path = path
        var prefix = path.hasPrefix("/") ? "/" : ""
        for component in path.split(separator: "/") {
            prefix += component
            if mkdir(prefix, 0o700) != 0, errno != EEXIST, errno != EISDIR {
                throw Self.failure(prefix, "mkdir")
            }
            prefix += "/"
        }
        let raw = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw Self.failure(path, "open") }
        _ = OwnedDescriptor(raw)
    }

    func path(of name: String) -> String { "\(self.path)/\(name)" }

    /// Runs `body` while no other process runs one for this directory.
    func locked<Result>(
        _ body: () throws(DevelopmentAuthorityError) -> Result
    ) throws(DevelopmentAuthorityError) -> Result {
        let name = self.path(of: ".lock")
        let raw = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw Self.failure(name, "open") }
        // Closing gives the lock back.
        let descriptor = OwnedDescriptor(raw)
        while flock(descriptor.raw, LOCK_EX) != 0 {
            guard errno == EINTR else { throw Self.failure(name, "flock") }
        }
        return try body()
    }

    /// The file's text; nil when there is no such file.
    func read(_ name: String) throws(DevelopmentAuthorityError) -> String? {
        do throws(CertificateFileError) {
            let bytes = try CertificateFile.read(self.path(of: name))
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            switch error.reason {
            case .missing: return nil
            case .unreadable(let reason):
                throw Failure(path: error.file, reason: .system(call: "read", reason: reason))
            default: throw Failure(path: error.file, reason: .corrupted)
            }
        }
    }

    /// Writes a file of mode 0600 in place of what was there.
    func write(_ text: String, to name: String) throws(DevelopmentAuthorityError) {
        let target = self.path(of: name)
        let temporary = self.path(of: ".\(name).new")
        // Left behind by a crash; the lock keeps out others that write.
        unlink(temporary)
        let raw = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw Self.failure(temporary, "open") }
        let descriptor = OwnedDescriptor(raw)
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                Glibc.write(descriptor.raw, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure(temporary, "write") }
            written += count
        }
        guard fsync(descriptor.raw) == 0 else { throw Self.failure(temporary, "fsync") }
        guard rename(temporary, target) == 0 else { throw Self.failure(target, "rename") }
    }

    private static func failure(_ path: String, _ call: String) -> DevelopmentAuthorityError {
        Failure(path: path, reason: .system(call: call, reason: String(cString: strerror(errno))))
    }
}
