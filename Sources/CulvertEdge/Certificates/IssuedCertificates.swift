import DequeModule
import Foundation
package import Logging
import Synchronization

/// A certificate and key made in memory.
package struct IssuedCertificate: Sendable {
    /// The leaf first, then what leads to the root.
    package var certificateChainPEM: String
    /// The leaf's private key, not encrypted.
    package var keyPEM: String

    package init(certificateChainPEM: String, keyPEM: String) {
        self.certificateChainPEM = certificateChainPEM
        self.keyPEM = keyPEM
    }
}

/// Certificates made when a client first names a host, and kept for the next one.
///
/// For names no wildcard can serve: clients refuse `*.localhost`, since a wildcard may not stand
/// right below a top-level domain. At most 256 are kept; the oldest goes. Any thread; issuing takes
/// well under a millisecond and happens outside the lock.
package final class IssuedCertificates: Sendable {
    private static let limit = 256
    private static let renewBefore: TimeInterval = 86_400

    private struct Kept {
        var byName: [String: ServedCertificate] = [:]
        var order: Deque<String> = []
    }

    private let accepts: @Sendable (String) -> Bool
    private let issue: @Sendable (String) throws -> IssuedCertificate
    private let logger: Logger
    private let kept = Mutex(Kept())

    /// Makes an empty store.
    ///
    /// - Parameters:
    ///   - logger: Gets failures to issue, at error.
    ///   - accepts: Whether a normalised name may have a certificate; what bounds a hostile client.
    ///   - issue: Makes one for a name that was accepted.
    package init(
        logger: Logger,
        accepts: @escaping @Sendable (String) -> Bool,
        issue: @escaping @Sendable (String) throws -> IssuedCertificate
    ) {
        self.logger = logger
        self.accepts = accepts
        self.issue = issue
    }

    /// Whether `host` would have a certificate of its own; issues none.
    package func accepts(_ host: String) -> Bool { self.accepts(host) }

    /// The certificate of a normalised name; nil when it may have none or issuing failed.
    func certificate(for name: String, now: Date) -> ServedCertificate? {
        guard self.accepts(name) else { return nil }
        let found = self.kept.withLock { $0.byName[name] }
        if let found, found.notValidAfter.timeIntervalSince(now) > Self.renewBefore { return found }
        do {
            let made = try ServedCertificate(self.issue(name))
            self.keep(made, for: name)
            return made
        } catch {
            self.logger.error(
                "cannot issue a certificate",
                metadata: ["host": "\(name)", "reason": "\(error)"]
            )
            return nil
        }
    }

    var count: Int { self.kept.withLock { $0.byName.count } }

    private func keep(_ certificate: ServedCertificate, for name: String) {
        self.kept.withLock { kept in
            if kept.byName.updateValue(certificate, forKey: name) == nil { kept.order.append(name) }
            if kept.byName.count > Self.limit, let oldest = kept.order.popFirst() {
                kept.byName[oldest] = nil
            }
        }
    }
}
