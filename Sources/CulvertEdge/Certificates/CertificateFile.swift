import Crypto
import Foundation
import Glibc

/// A file's identity and state: differs after it was replaced or rewritten.
struct FileFingerprint: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    /// Nil when there is no such file, or one that may not be looked at.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.device = UInt64(status.st_dev)
        self.inode = UInt64(status.st_ino)
        self.size = Int64(status.st_size)
        self.seconds = status.st_mtim.tv_sec
        self.nanoseconds = status.st_mtim.tv_nsec
    }

    /// Whether the file was last changed long enough ago for a further change to have another time.
    func isSettled(now: Date) -> Bool { now.timeIntervalSince1970 - Double(self.seconds) > 2 }
}

/// Reads PEM files whole.
enum CertificateFile {
    /// Far more than any chain or key has.
    static let maximumBytes = 1 << 20

    static func read(_ path: String) throws(CertificateFileError) -> [UInt8] {
        let raw = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard raw >= 0 else {
            throw CertificateFileError(
                file: path,
                reason: errno == ENOENT ? .missing : .unreadable(Self.text(of: errno))
            )
        }
        let descriptor = OwnedDescriptor(raw)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= Self.maximumBytes {
            let count = chunk.withUnsafeMutableBytes {
                Glibc.read(descriptor.raw, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw CertificateFileError(file: path, reason: .unreadable(Self.text(of: errno)))
            }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
        throw CertificateFileError(file: path, reason: .tooLarge)
    }

    private static func text(of code: CInt) -> String { String(cString: strerror(code)) }
}

/// The bytes of a pair of files, and a digest by which two readings are told apart without keeping
/// the key.
struct CertificatePair: Sendable {
    let files: CertificateFiles
    let certificate: [UInt8]
    let key: [UInt8]

    init(reading files: CertificateFiles) throws(CertificateFileError) {
        self.files = files
        self.certificate = try CertificateFile.read(files.certificate)
        self.key = try CertificateFile.read(files.key)
    }

    var digest: SHA256Digest {
        var hash = SHA256()
        hash.update(data: SHA256.hash(data: self.certificate).map { $0 })
        hash.update(data: self.key)
        return hash.finalize()
    }
}
