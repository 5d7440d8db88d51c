package import Foundation
package import NIOSSL
import SwiftASN1
import X509

/// One certificate that is served, with the TLS context for visitors. Immutable; any thread.
package final class ServedCertificate: Sendable {
    /// TLS 1.2 and later; ALPN `h2`, then `http/1.1`.
    package let context: NIOSSLContext
    /// The hosts that the leaf is for.
    package let names: CertificateNames
    /// When the leaf begins to be valid (RFC 5280 §4.1.2.5); it is served before that too.
    package let notValidBefore: Date
    /// The last moment at which the leaf is valid; one from files is served after that too.
    package let notValidAfter: Date
    /// Where it came from; nil for one issued in memory.
    package let files: CertificateFiles?

    /// Why a client will not be content with a certificate that TLS itself can use.
    package enum Flaw: Sendable, Equatable {
        /// Its time is over, since this date.
        case expired(Date)
        /// Its time begins only at this date.
        case notYetValid(Date)
        /// No subject alternative name: no current client accepts it for any host.
        case namesNothing
    }

    /// Parses a pair, checks that the key is the certificate's, and makes the context.
    convenience init(_ pair: CertificatePair) throws(CertificateFileError) {
        try self.init(
            certificate: pair.certificate,
            key: pair.key,
            names: pair.files,
            files: pair.files
        )
    }

    /// Makes one of PEM text that is in no file.
    convenience init(_ issued: IssuedCertificate) throws(CertificateFileError) {
        try self.init(
            certificate: Array(issued.certificateChainPEM.utf8),
            key: Array(issued.keyPEM.utf8),
            names: CertificateFiles(certificate: "issued certificate", key: "issued key"),
            files: nil
        )
    }

    private init(
        certificate: [UInt8],
        key: [UInt8],
        names label: CertificateFiles,
        files: CertificateFiles?
    ) throws(CertificateFileError) {
        let chain = try Self.chain(certificate, file: label.certificate)
        let leaf = try Self.leaf(of: chain, file: label.certificate)
        self.context = try Self.makeContext(chain: chain, key: key, label: label)
        self.names = leaf.names
        self.notValidBefore = leaf.certificate.notValidBefore
        self.notValidAfter = leaf.certificate.notValidAfter
        self.files = files
    }

    /// What clients will object to at `now`.
    package func flaws(now: Date) -> [Flaw] {
        var flaws: [Flaw] = []
        if now > self.notValidAfter { flaws.append(.expired(self.notValidAfter)) }
        if now < self.notValidBefore { flaws.append(.notYetValid(self.notValidBefore)) }
        if self.names.isEmpty { flaws.append(.namesNothing) }
        return flaws
    }
}

extension ServedCertificate {
    private static func chain(
        _ pem: [UInt8],
        file: String
    ) throws(CertificateFileError) -> [NIOSSLCertificate] {
        // The library reads a file without a certificate as an empty list or as an error.
        guard pem.firstRange(of: Array("-----BEGIN CERTIFICATE-----".utf8)) != nil else {
            throw CertificateFileError(file: file, reason: .noCertificate)
        }
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(pem), !chain.isEmpty else {
            throw CertificateFileError(file: file, reason: .malformedCertificate)
        }
        return chain
    }

    private static func leaf(
        of chain: [NIOSSLCertificate],
        file: String
    ) throws(CertificateFileError) -> (certificate: Certificate, names: CertificateNames) {
        do {
            guard let first = chain.first else {
                throw CertificateFileError(file: file, reason: .noCertificate)
            }
            let certificate = try Certificate(derEncoded: first.toDERBytes())
            return (certificate, try CertificateNames(certificate))
        } catch let error as CertificateFileError {
            throw error
        } catch {
            throw CertificateFileError(file: file, reason: .malformedCertificate)
        }
    }

    private static func makeContext(
        chain: [NIOSSLCertificate],
        key: [UInt8],
        label: CertificateFiles
    ) throws(CertificateFileError) -> NIOSSLContext {
        guard let privateKey = try? NIOSSLPrivateKey(bytes: key, format: .pem) else {
            throw CertificateFileError(file: label.key, reason: .unusableKey)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(privateKey)
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            // The key was read above; what it is refused for here is the certificate beside it.
            throw CertificateFileError(
                file: label.key,
                reason: .keyDoesNotMatch(certificate: label.certificate)
            )
        } catch {
            throw CertificateFileError(file: label.certificate, reason: .refused("\(error)"))
        }
    }
}
