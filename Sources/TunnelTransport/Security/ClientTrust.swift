import CLibwebsockets

/// The certificate authorities a client believes, read once.
package final class ClientTrust: Sendable {
    // SAFETY: an X509_STORE has its own lock; the reference is released in deinit only.
    nonisolated(unsafe) let store: culvert_trust_ref

    /// Reads the certificates; any thread.
    ///
    /// - Parameters:
    ///   - systemRoots: whether the system's authorities are believed.
    ///   - additionalFile: a PEM file with more of them.
    ///   - additionalText: more of them, in PEM.
    /// - Throws: `badFile` naming the file.
    package init(
        systemRoots: Bool = true,
        additionalFile: String? = nil,
        additionalText: String? = nil
    ) throws(TransportError) {
        var words = [CChar](repeating: 0, count: 256)
        let store = culvert_trust_create(systemRoots, additionalFile, &words, words.count)
        guard let store else {
            throw TransportError(
                .badFile,
                "CA file \(additionalFile ?? "of the system") cannot be used: \(text(words))"
            )
        }
        self.store = store
        guard let additionalText else { return }
        let length = additionalText.utf8.count
        guard culvert_trust_add(store, additionalText, length, &words, words.count) else {
            throw TransportError(
                .badFile,
                "the CA certificates of the credentials cannot be used: \(text(words))"
            )
        }
    }

    deinit { culvert_trust_release(self.store) }
}
