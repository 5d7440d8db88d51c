package import Foundation
package import Logging
import SwiftASN1
import X509

/// The certificate authority of `culvert edge dev`: kept in a directory, made when it is missing,
/// for `localhost` and everything below it only.
///
/// A plain value; any thread. What it does with files blocks, so not on an event loop.
package struct DevelopmentAuthority: Sendable {
    /// The authority's certificate, for clients to trust.
    package let authorityPath: String
    /// The edge's own certificate and key, for `localhost`, `connect.localhost`, 127.0.0.1 and ::1.
    package let edgeFiles: CertificateFiles

    private static let dnsNames = ["localhost", "connect.localhost"]
    private static let addresses: [[UInt8]] = [
        [127, 0, 0, 1], [UInt8](repeating: 0, count: 15) + [1],
    ]
    private static let renewBefore: TimeInterval = 30 * 86_400

    private let directory: PrivateDirectory
    private let issuer: CertificateIssuer

    /// Uses what is in `path`, and makes what is missing: the directory (mode 0700), `ca.pem`,
    /// `ca-key.pem` (10 years), `edge.pem` and `edge-key.pem` (397 days; made anew 30 days before
    /// they expire or when the authority is another), all of mode 0600.
    ///
    /// The authority itself is never replaced: someone may trust it. Two processes may do this at
    /// once.
    ///
    /// - Throws: when a file is damaged or the directory cannot be written; the error names it.
    package init(
        directory path: String,
        now: Date = Date()
    ) throws(DevelopmentAuthorityError) {
        let directory = try PrivateDirectory(creating: path)
        self.directory = directory
        self.authorityPath = directory.path(of: "ca.pem")
        self.edgeFiles = CertificateFiles(
            certificate: directory.path(of: "edge.pem"),
            key: directory.path(of: "edge-key.pem")
        )
        self.issuer = try directory.locked { () throws(DevelopmentAuthorityError) in
            try Self.authority(in: directory, now: now)
        }
        try self.renewEdgeIfNeeded(now: now)
    }

    /// Makes the edge's own certificate anew if it is missing or near its end; whether it did. For
    /// processes that live for a year: the certificate store sees the new files by itself.
    @discardableResult
    package func renewEdgeIfNeeded(now: Date) throws(DevelopmentAuthorityError) -> Bool {
        try self.directory.locked { () throws(DevelopmentAuthorityError) in
            guard try self.edgeNeedsRenewal(now: now) else { return false }
            let names =
                Self.dnsNames.map { GeneralName.dnsName($0) }
                + Self.addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) }
            let made = try self.issue(names: names, now: now)
            // A crash between the two leaves a pair that does not match, which is made anew.
            try self.directory.write(made.keyPEM, to: "edge-key.pem")
            try self.directory.write(made.certificateChainPEM, to: "edge.pem")
            return true
        }
    }

    /// A leaf for DNS names at or below `localhost`, at most 397 days; clients refuse others.
    package func issueLeaf(
        for names: [String],
        now: Date = Date()
    ) throws(DevelopmentAuthorityError) -> IssuedCertificate {
        try self.issue(names: names.map { .dnsName($0) }, now: now)
    }

    /// Certificates for `NAME.localhost`, made when first asked for: no wildcard does, since
    /// OpenSSL, curl and browsers refuse one right below a top-level name.
    package func issuedCertificates(logger: Logger) -> IssuedCertificates {
        IssuedCertificates(
            logger: logger,
            accepts: { name in
                name.hasSuffix(".localhost") && name.utf8.count <= 253
                    && name.split(separator: ".", omittingEmptySubsequences: false)
                        .allSatisfy(Self.isLabel)
            },
            issue: { name in try self.issueLeaf(for: [name]) }
        )
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count)
            && label.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }
}

// MARK: - The authority's files

extension DevelopmentAuthority {
    private static func authority(
        in directory: PrivateDirectory,
        now: Date
    ) throws(DevelopmentAuthorityError) -> CertificateIssuer {
        let certificate = try directory.read("ca.pem")
        let key = try directory.read("ca-key.pem")
        switch (certificate, key) {
        // A key alone is left by a crash while making both: nobody can trust it yet.
        case (nil, _): return try Self.makeAuthority(in: directory, now: now)
        case (_?, nil):
            throw DevelopmentAuthorityError(
                path: directory.path(of: "ca-key.pem"),
                reason: .missing(beside: "ca.pem")
            )
        case (let certificate?, let key?):
            return try Self.load(certificate: certificate, key: key, from: directory, now: now)
        }
    }

    private static func makeAuthority(
        in directory: PrivateDirectory,
        now: Date
    ) throws(DevelopmentAuthorityError) -> CertificateIssuer {
        let made: (issuer: CertificateIssuer, certificate: String, key: String)
        do {
            let issuer = try CertificateIssuer.makeLoopbackAuthority(now: now)
            let certificate = try issuer.certificate.serializeAsPEM().pemString + "\n"
            let key = try issuer.privateKey.serializeAsPEM().pemString + "\n"
            made = (issuer, certificate, key)
        } catch {
            throw DevelopmentAuthorityError(
                path: directory.path(of: "ca.pem"),
                reason: .internalFailure("\(error)")
            )
        }
        try directory.write(made.key, to: "ca-key.pem")
        try directory.write(made.certificate, to: "ca.pem")
        return made.issuer
    }

    private static func load(
        certificate certificateText: String,
        key keyText: String,
        from directory: PrivateDirectory,
        now: Date
    ) throws(DevelopmentAuthorityError) -> CertificateIssuer {
        let certificatePath = directory.path(of: "ca.pem")
        let keyPath = directory.path(of: "ca-key.pem")
        guard let certificate = try? Certificate(pemEncoded: certificateText) else {
            throw DevelopmentAuthorityError(path: certificatePath, reason: .corrupted)
        }
        guard let key = try? Certificate.PrivateKey(pemEncoded: keyText) else {
            throw DevelopmentAuthorityError(path: keyPath, reason: .corrupted)
        }
        guard key.publicKey == certificate.publicKey else {
            throw DevelopmentAuthorityError(
                path: keyPath,
                reason: .keyDoesNotMatch(certificate: certificatePath)
            )
        }
        guard now < certificate.notValidAfter else {
            throw DevelopmentAuthorityError(path: certificatePath, reason: .expired)
        }
        return CertificateIssuer(certificate: certificate, privateKey: key)
    }

    /// Whether the edge's pair is missing, does not belong together or to the authority, or ends
    /// soon. A file that is no PEM is somebody's mistake and not silently replaced.
    private func edgeNeedsRenewal(now: Date) throws(DevelopmentAuthorityError) -> Bool {
        guard let certificateText = try self.directory.read("edge.pem"),
            let keyText = try self.directory.read("edge-key.pem")
        else { return true }
        guard let certificate = try? Certificate(pemEncoded: certificateText) else {
            throw DevelopmentAuthorityError(path: self.edgeFiles.certificate, reason: .corrupted)
        }
        guard let key = try? Certificate.PrivateKey(pemEncoded: keyText) else {
            throw DevelopmentAuthorityError(path: self.edgeFiles.key, reason: .corrupted)
        }
        let authority = self.issuer.certificate
        let names = try? CertificateNames(certificate)
        return key.publicKey != certificate.publicKey
            || !authority.publicKey.isValidSignature(certificate.signature, for: certificate)
            || certificate.notValidAfter.timeIntervalSince(now)
                < min(Self.renewBefore, authority.notValidAfter.timeIntervalSince(now) / 2)
            || certificate.notValidBefore > now
            || !Self.dnsNames.allSatisfy { names?.covers($0) == true }
    }

    private func issue(
        names: [GeneralName],
        now: Date
    ) throws(DevelopmentAuthorityError) -> IssuedCertificate {
        do {
            return try self.issuer.issueLeaf(names: names, now: now)
        } catch {
            throw DevelopmentAuthorityError(
                path: self.authorityPath,
                reason: .internalFailure("\(error)")
            )
        }
    }
}
