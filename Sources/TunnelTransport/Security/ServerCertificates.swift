import CLibwebsockets

/// Certificates with their keys, read once from PEM files. The one whose names match a client's
/// SNI is shown to it, the first one to everybody else.
package final class ServerCertificates: Sendable {
    /// A chain, leaf first, and the leaf's unencrypted private key.
    package struct Files: Sendable, Hashable {
        /// Path of the chain's PEM file.
        package let certificate: String
        /// Path of the key's PEM file; the key has to be the leaf's.
        package let key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    // SAFETY: written by the initialiser only; OpenSSL counts its references atomically.
    nonisolated(unsafe) let identities: culvert_identities_ref

    /// Reads the files; any thread.
    ///
    /// - Throws: `badFile` naming the file that is missing, unreadable or does not fit.
    package init(_ files: [Files]) throws(TransportError) {
        guard let identities = culvert_identities_create() else {
            throw TransportError(.badFile, "no memory for certificates")
        }
        for pair in files {
            var words = [CChar](repeating: 0, count: 256)
            let added = culvert_identities_add(
                identities,
                pair.certificate,
                pair.key,
                &words,
                words.count
            )
            guard !added else { continue }
            culvert_identities_free(identities)
            throw TransportError(
                .badFile,
                "certificate \(pair.certificate) with key \(pair.key): \(text(words))"
            )
        }
        self.identities = identities
    }

    deinit { culvert_identities_free(self.identities) }
}

/// The text of a C string buffer.
func text(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
