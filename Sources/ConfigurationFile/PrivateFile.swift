package import Foundation
import Glibc

/// Files with a key or a token in them: their owner's only, written whole or not at all.
package enum PrivateFile {
    /// Why such a file could not be read or written.
    package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// What a caller may want to say more about.
        package enum Reason: Sendable, Equatable {
            case missing, exists, notAFile, tooLarge, empty, system
            /// Others may read it; the mode it has.
            case exposed(mode: UInt32)
        }

        /// The path, as the caller named it.
        package var file: String
        package var reason: Reason
        /// To be read after the path; never a part of the contents.
        package var message: String

        package init(file: String, reason: Reason, message: String) {
            self.file = file
            self.reason = reason
            self.message = message
        }

        package var description: String { "\(self.file): \(self.message)" }
    }

    /// Reads a file of at most `maximumBytes`.
    ///
    /// One that others may read, or its group may change, is refused, as ssh does; that its group may
    /// read it is accepted, since that is how orchestrators hand secrets to a service's own group.
    ///
    /// - Throws: that, or why it cannot be read.
    package static func read(_ file: String, maximumBytes: Int) throws(Failure) -> Data {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let reason: Failure.Reason = errno == ENOENT ? .missing : .system
            throw Failure(
                file: file,
                reason: reason,
                message: "cannot be read: \(systemMessage())"
            )
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(file: file, reason: .notAFile, message: "is not a file")
        }
        let mode = status.st_mode & 0o777
        guard mode & 0o027 == 0 else {
            throw Failure(
                file: file,
                reason: .exposed(mode: mode),
                message:
                    "holds a secret, and its mode \(String(mode, radix: 8)) lets others at it. "
                    + "Run `chmod 600 \(file)`, and replace the secret if others may have read it"
            )
        }
        guard status.st_size <= maximumBytes else {
            throw Failure(
                file: file,
                reason: .tooLarge,
                message: "has more than \(maximumBytes) bytes"
            )
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        guard let data = try? handle.read(upToCount: maximumBytes) else {
            throw Failure(file: file, reason: .empty, message: "is empty or cannot be read")
        }
        return data
    }

    /// Writes a file of mode 0600; a file that is there is an error unless `replacing`.
    ///
    /// - Throws: why it could not be written; no part of it is left behind then.
    package static func write(
        _ data: Data,
        to file: String,
        replacing: Bool
    ) throws(Failure) {
        let temporary = "\(file).\(UInt64.random(in: 0 ... .max)).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw self.unwritable(file) }
        defer { unlink(temporary) }
        let isWritten = self.writeAll(data, to: descriptor) && fsync(descriptor) == 0
        let problem = isWritten ? nil : self.unwritable(file)
        close(descriptor)
        if let problem { throw problem }
        // A link, unlike a rename, fails when the name is taken.
        guard (replacing ? rename(temporary, file) : link(temporary, file)) == 0 else {
            guard errno != EEXIST else {
                throw Failure(file: file, reason: .exists, message: "exists already")
            }
            throw self.unwritable(file)
        }
    }

    /// Removes a file; one that is not there is none the less removed.
    ///
    /// - Throws: why it is still there.
    package static func remove(_ file: String) throws(Failure) {
        guard unlink(file) == 0 || errno == ENOENT else {
            throw Failure(
                file: file,
                reason: .system,
                message: "cannot be removed: \(systemMessage())"
            )
        }
    }

    private static func unwritable(_ file: String) -> Failure {
        Failure(file: file, reason: .system, message: "cannot be written: \(systemMessage())")
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
func systemMessage() -> String { String(cString: strerror(errno)) }
