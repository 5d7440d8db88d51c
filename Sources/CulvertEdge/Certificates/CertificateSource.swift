import Crypto
import Foundation

/// A pair of files and what was last read of them. Confined to its store's lock.
struct CertificateSource {
    let files: CertificateFiles
    private var fingerprints: [FileFingerprint?]?
    private var digest: SHA256Digest?
    private var lastFailure: CertificateFileError?

    init(_ files: CertificateFiles) { self.files = files }

    /// A new version of the certificate; nil when the files are as they were.
    ///
    /// - Throws: why the files cannot be used, once per failure that differs from the last.
    mutating func readIfChanged() throws(CertificateFileError) -> ServedCertificate? {
        // Taken before reading: a change during it is a change after it for the next call.
        let current = [self.files.certificate, self.files.key].map(FileFingerprint.init(path:))
        if let fingerprints, fingerprints == current { return nil }
        // A file changed this very second may change again within one tick of its timestamp.
        let isSettled = current.allSatisfy { $0?.isSettled(now: Date()) ?? true }
        self.fingerprints = isSettled ? current : nil
        do throws(CertificateFileError) {
            let pair = try CertificatePair(reading: self.files)
            let digest = pair.digest
            guard digest != self.digest else {
                self.lastFailure = nil
                return nil
            }
            let certificate = try ServedCertificate(pair)
            self.digest = digest
            self.lastFailure = nil
            return certificate
        } catch {
            guard error != self.lastFailure else { return nil }
            self.lastFailure = error
            throw error
        }
    }
}
