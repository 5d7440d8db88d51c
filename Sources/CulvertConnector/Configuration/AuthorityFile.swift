import ConfigurationFile
import Foundation
import Glibc
import NIOSSL

/// A PEM file of certificate authorities, looked into before anything depends on it.
enum AuthorityFile {
    /// The largest that is read, in bytes; the system's own bundle has a fifth of it.
    static let maximumBytes = 1 << 20

    /// Why certificates cannot be had from a file; nil when they can. It reads the file, and no device.
    static func problem(of path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return "\(path) cannot be read: \(String(cString: strerror(errno)))"
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return "\(path) is no file" }
        guard status.st_size <= self.maximumBytes else {
            return "\(path) is too large for a file of certificates"
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            return "\(path) cannot be read; check its permissions"
        }
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(Array(data)),
            !certificates.isEmpty
        else { return "\(path) has no usable PEM certificates in it" }
        return nil
    }
}

extension ConfigurationValue {
    /// The path of a file of authorities; it is looked into where the reader looks into files.
    func authorityFile() -> String? {
        guard let path = self.filePath() else { return nil }
        if self.reader.looksIntoFiles, let problem = AuthorityFile.problem(of: path) {
            self.report(problem)
        }
        return path
    }
}
