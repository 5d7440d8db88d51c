/// The two PEM files of one certificate, as configured.
package struct CertificateFiles: Sendable, Hashable {
    /// The certificate, followed by its intermediates.
    package var certificate: String
    /// Its private key, not encrypted.
    package var key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// Why a certificate or key file cannot be used.
package struct CertificateFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong with the file.
    package enum Reason: Sendable, Equatable {
        /// There is no such file.
        case missing
        /// The system's reason.
        case unreadable(String)
        /// More than ``CertificateFile/maximumBytes``.
        case tooLarge
        /// No PEM block in it says it is a certificate.
        case noCertificate
        /// A certificate of the chain, or the names in its first one, cannot be parsed.
        case malformedCertificate
        /// Not PEM, encrypted, or of a kind that TLS has no use for.
        case unusableKey
        /// The key is not that of the certificate in this file.
        case keyDoesNotMatch(certificate: String)
        /// What the TLS library said.
        case refused(String)
    }

    /// Its path as configured; `issued certificate` or `issued key` for one made in memory.
    package let file: String
    /// What is wrong with it.
    package let reason: Reason

    package init(file: String, reason: Reason) {
        self.file = file
        self.reason = reason
    }

    package var description: String {
        switch self.reason {
        case .missing: "\(self.file): no such file"
        case .unreadable(let why): "\(self.file): cannot be read: \(why)"
        case .tooLarge: "\(self.file): too large for a PEM file of certificates or keys"
        case .noCertificate: "\(self.file): has no PEM certificate in it"
        case .malformedCertificate: "\(self.file): a certificate in it is damaged"
        case .unusableKey:
            "\(self.file): has no usable private key in it (PEM, RSA or EC, without a passphrase)"
        case .keyDoesNotMatch(let certificate):
            "\(self.file): the key does not belong to the certificate in \(certificate)"
        case .refused(let why): "\(self.file): refused by TLS: \(why)"
        }
    }
}

/// What went wrong with each of several pairs, all of it and not the first only.
package struct CertificateStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One for each pair that failed, in the order of the pairs; empty when there was no pair.
    package let failures: [CertificateFileError]

    package var description: String {
        guard !self.failures.isEmpty else { return "no certificate is configured" }
        return self.failures.map(\.description).joined(separator: "\n")
    }
}
