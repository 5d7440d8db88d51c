import Crypto
import Foundation
import SwiftASN1
import X509

/// A certificate authority's certificate and key, and what it can sign (RFC 5280). A plain value.
struct CertificateIssuer: Sendable {
    private static let day: TimeInterval = 86_400
    /// Clocks of clients may be behind.
    private static let backdating: TimeInterval = 3_600
    private static let authorityLifetime: TimeInterval = 3_650 * day
    /// The whole span, backdating included, stays below the 398 days browsers accept.
    private static let leafLifetime: TimeInterval = 396 * day

    let certificate: Certificate
    let privateKey: Certificate.PrivateKey

    /// A new self-signed authority for `localhost` and all below it.
    ///
    /// Its name constraints (RFC 5280 §4.2.1.10) are critical: who trusts it trusts it for loopback
    /// only, even if the key is stolen.
    static func makeLoopbackAuthority(now: Date) throws -> CertificateIssuer {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try DistinguishedName {
            OrganizationName("Culvert")
            CommonName("Culvert development CA for localhost")
        }
        let extensions = try Certificate.Extensions {
            Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
            Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            SubjectKeyIdentifier(hash: key.publicKey)
            Critical(Self.loopbackConstraints)
        }
        let certificate = try Certificate(
            version: .v3,
            serialNumber: .init(),
            publicKey: key.publicKey,
            notValidBefore: now - Self.backdating,
            notValidAfter: now + Self.authorityLifetime,
            issuer: name,
            subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: extensions,
            issuerPrivateKey: key
        )
        return CertificateIssuer(certificate: certificate, privateKey: key)
    }

    /// 127.0.0.0/8, ::1 and `localhost` with everything below it.
    private static var loopbackConstraints: NameConstraints {
        let ipv6: [UInt8] = Array(repeating: 0, count: 15) + [1] + Array(repeating: 255, count: 16)
        return NameConstraints(permittedSubtrees: [
            .dnsName("localhost"),
            .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 0, 255, 0, 0, 0])),
            .ipAddress(ASN1OctetString(contentBytes: ipv6[...])),
        ])
    }

    /// A leaf for TLS servers with a new key.
    func issueLeaf(names: [GeneralName], now: Date) throws -> IssuedCertificate {
        let key = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(key.publicKey)
        let extensions = try Certificate.Extensions {
            Critical(BasicConstraints.notCertificateAuthority)
            Critical(KeyUsage(digitalSignature: true))
            try ExtendedKeyUsage([.serverAuth])
            SubjectAlternativeNames(names)
            SubjectKeyIdentifier(hash: publicKey)
            AuthorityKeyIdentifier(keyIdentifier: try self.keyIdentifier())
        }
        let leaf = try Certificate(
            version: .v3,
            serialNumber: .init(),
            publicKey: publicKey,
            notValidBefore: now - Self.backdating,
            notValidAfter: min(now + Self.leafLifetime, self.certificate.notValidAfter),
            issuer: self.certificate.subject,
            // Not a host name: some verifiers hold name constraints against it.
            subject: DistinguishedName { CommonName("Culvert development edge") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: extensions,
            issuerPrivateKey: self.privateKey
        )
        return IssuedCertificate(
            certificateChainPEM: try leaf.serializeAsPEM().pemString + "\n",
            keyPEM: key.pemRepresentation + "\n"
        )
    }

    private func keyIdentifier() throws -> ArraySlice<UInt8> {
        let own = try self.certificate.extensions.subjectKeyIdentifier
        return own?.keyIdentifier
            ?? SubjectKeyIdentifier(hash: self.certificate.publicKey).keyIdentifier
    }
}
