import Foundation
import NIOSSL
import SwiftASN1
import X509

/// What a certificate says, in a few lines.
enum CertificateText {
    static func lines(_ certificate: NIOSSLCertificate) -> [String] {
        guard let bytes = try? certificate.toDERBytes(),
            let read = try? Certificate(derEncoded: bytes)
        else { return ["a certificate that cannot be read"] }
        var lines = [
            "subject: \(read.subject)", "issuer:  \(read.issuer)",
            "valid:   \(self.text(read.notValidBefore)) to \(self.text(read.notValidAfter))"
                + (read.notValidAfter < Date() ? ", so it HAS EXPIRED" : ""),
        ]
        let names = try? read.extensions.subjectAlternativeNames
        if let names, !names.isEmpty {
            let list = names.prefix(20).map { "\($0)" }.joined(separator: ", ")
            lines.append("names:   \(list)\(names.count > 20 ? ", …" : "")")
        }
        return lines
    }

    private static func text(_ date: Date) -> String { date.formatted(.iso8601) }
}
