import Foundation
import Glibc

extension Credentials {
    /// The largest file that is read, in bytes.
    private static let maximumFileBytes = 64 * 1024

    /// Reads a credentials file.
    ///
    /// One that others may read, or its group may change, is refused, as ssh does; that its group may
    /// read it is accepted, since that is how orchestrators hand secrets to a service's own group.
    ///
    /// - Throws: that, or what is wrong with the contents.
    package init(file: String) throws(CredentialsError) {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let hint =
                errno == ENOENT ? "; make one with `culvert tunnel keygen NAME --out FILE`" : ""
            throw CredentialsError(file: file, message: "cannot be read: \(systemMessage())\(hint)")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw CredentialsError(file: file, message: "is not a file")
        }
        let mode = status.st_mode & 0o777
        guard mode & 0o027 == 0 else {
            let shown = String(mode, radix: 8)
            throw CredentialsError(
                file: file,
                message: "holds a private key, and its mode \(shown) lets others at it. "
                    + "Run `chmod 600 \(file)`, and make a new key if others may have read it"
            )
        }
        guard status.st_size <= Self.maximumFileBytes else {
            throw CredentialsError(file: file, message: "is too large to be a credentials file")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        guard let data = try? handle.read(upToCount: Self.maximumFileBytes) else {
            throw CredentialsError(file: file, message: "is empty or cannot be read")
        }
        try self.init(decoding: data, file: file)
    }

    /// Writes the file, mode 0600, whole or not at all.
    ///
    /// A file that is there is an error unless `replacing`, since it may hold the only copy of a key.
    ///
    /// - Throws: why it could not be written; no part of it is left behind then.
    package func write(to file: String, replacing: Bool = false) throws(CredentialsError) {
        func failure(_ what: String) -> CredentialsError {
            CredentialsError(file: file, message: "\(what): \(systemMessage())")
        }
        guard let data = try? self.encoded() else {
            throw CredentialsError(file: file, message: "cannot be encoded")
        }
        let temporary = "\(file).\(UInt64.random(in: 0 ... .max)).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("cannot be written") }
        defer { unlink(temporary) }
        let isWritten = Self.writeAll(data, to: descriptor) && fsync(descriptor) == 0
        let problem = isWritten ? nil : failure("cannot be written")
        close(descriptor)
        if let problem { throw problem }
        // A link, unlike a rename, fails when the name is taken.
        guard (replacing ? rename(temporary, file) : link(temporary, file)) == 0 else {
            guard errno != EEXIST else {
                let message =
                    "exists already, and may hold the only copy of a key; choose another name"
                throw CredentialsError(file: file, message: message)
            }
            throw failure("cannot be written")
        }
    }

    private static func writeAll(_ data: Data, to descriptor: CInt) -> Bool {
        data.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = UnsafeRawBufferPointer(rebasing: rest).withMemoryRebound(to: UInt8.self)
                {
                    Glibc.write(descriptor, $0.baseAddress, $0.count)
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }
}

/// What the system says of the last call that failed.
private func systemMessage() -> String { String(cString: strerror(errno)) }
