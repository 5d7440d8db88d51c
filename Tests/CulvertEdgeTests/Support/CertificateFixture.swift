import Foundation
import X509

@testable import CulvertEdge

/// Writes certificates for any names, all of one authority.
struct CertificateFixture: Sendable {
    let directory: TemporaryDirectory
    private let issuer: CertificateIssuer

    init() throws {
        self.directory = try TemporaryDirectory()
        self.issuer = try CertificateIssuer.makeLoopbackAuthority(now: Date())
    }

    /// Writes `NAME.pem` and `NAME-key.pem` for these DNS names.
    @discardableResult
    func write(_ name: String, _ dnsNames: [String], now: Date = Date()) throws -> CertificateFiles
    {
        let made = try self.issue(dnsNames, now: now)
        try self.directory.write(made.certificateChainPEM, to: "\(name).pem")
        try self.directory.write(made.keyPEM, to: "\(name)-key.pem")
        return self.files(name)
    }

    func issue(_ dnsNames: [String], now: Date = Date()) throws -> IssuedCertificate {
        try self.issuer.issueLeaf(names: dnsNames.map { .dnsName($0) }, now: now)
    }

    func files(_ name: String) -> CertificateFiles {
        CertificateFiles(
            certificate: self.directory.file("\(name).pem"),
            key: self.directory.file("\(name)-key.pem")
        )
    }
}
