internal import Foundation
internal import HTTPSemantics
internal import Logging
internal import Synchronization
internal import TunnelTransport

/// What an edge serves its certificates with: the store, for visitors, and the files of the name that
/// connectors dial, which the transport reads itself. Any thread.
final class EdgeCertificates: Sendable {
    /// How often what is wrong with a certificate that is served all the same is said again.
    private static let reminderInterval: TimeInterval = 86_400

    let store: CertificateStore
    private let connectHost: String
    private let connectFiles: CertificateFiles
    private let remindedAt: Mutex<Date>
    private let logger: Logger

    /// Loads all of them and logs what clients will object to.
    ///
    /// - Throws: `CertificateStoreError` with what is wrong with each, or `EdgeStartError`.
    init(
        _ configuration: EdgeConfiguration,
        issued: IssuedCertificates?,
        logger: Logger
    ) throws {
        let files = configuration.certificates
        self.store = try CertificateStore(files, issued: issued)
        self.connectHost = configuration.connect.name
        guard let connectFiles = self.store.files(for: self.connectHost) ?? files.first
        else { throw EdgeStartError(message: "no certificate is configured") }
        self.connectFiles = connectFiles
        self.remindedAt = Mutex(Date())
        self.logger = logger
        self.logWarnings()
    }

    /// The certificate of the name that connectors dial, as its files are now.
    ///
    /// - Throws: `TransportError` when they cannot be used.
    func forTransport() throws -> ServerCertificates {
        try ServerCertificates([
            .init(certificate: self.connectFiles.certificate, key: self.connectFiles.key)
        ])
    }

    /// Re-reads the files that have changed, and says what came of it; what the transport is to serve
    /// from now on, if that is something else. Reads files: not on an event loop.
    func refresh(now: Date = Date()) -> ServerCertificates? {
        let report = self.store.refreshIfChanged()
        for failure in report.failures {
            self.logger.error("Certificate not reloaded", metadata: ["reason": "\(failure)"])
        }
        let isReminderDue = self.remindedAt.withLock { remindedAt in
            guard now.timeIntervalSince(remindedAt) >= Self.reminderInterval else { return false }
            remindedAt = now
            return true
        }
        if isReminderDue || !report.reloaded.isEmpty { self.logWarnings(now: now) }
        guard !report.reloaded.isEmpty else { return nil }
        self.logger.info("Certificates reloaded", metadata: ["count": "\(report.reloaded.count)"])
        do {
            return try self.forTransport()
        } catch {
            self.logger.error("Certificate not reloaded", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    private func logWarnings(now: Date = Date()) {
        for warning in self.store.warnings(now: now) { self.logger.warning("\(warning)") }
        guard
            !self.store.certificate(for: self.connectHost, now: now).names.covers(self.connectHost)
        else { return }
        self.logger.warning(
            """
            No certificate is for \(self.connectHost), the name that connectors dial: they will \
            refuse this edge
            """
        )
    }
}
