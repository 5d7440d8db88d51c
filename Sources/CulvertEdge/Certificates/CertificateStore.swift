import Crypto
package import Foundation
import Synchronization

/// The certificates an edge serves, chosen by server name, re-read when their files change.
///
/// Lookups take a lock for an exchange of references only. Any thread.
package final class CertificateStore: Sendable {
    /// What a re-reading found; empty when nothing changed.
    package struct RefreshReport: Sendable, Equatable {
        /// Pairs now served in a new version.
        package var reloaded: [CertificateFiles] = []
        /// Pairs that could not be used: the version before is served on. Each failure is reported
        /// once, until the files change again.
        package var failures: [CertificateFileError] = []

        /// Whether there is nothing to log: no pair was reloaded, and none failed anew.
        package var isEmpty: Bool { self.reloaded.isEmpty && self.failures.isEmpty }
    }

    /// Something a person should know about a certificate that is served all the same.
    package struct Warning: Sendable, Equatable, CustomStringConvertible {
        /// The certificate's PEM file, as configured.
        package let file: String
        /// What clients object to.
        package let flaw: ServedCertificate.Flaw

        package var description: String {
            switch self.flaw {
            case .expired(let date): "\(self.file): expired at \(date.formatted(.iso8601))"
            case .notYetValid(let date):
                "\(self.file): not valid before \(date.formatted(.iso8601)); is the clock right?"
            case .namesNothing:
                "\(self.file): has no subject alternative name, so clients accept it for no host"
            }
        }
    }

    private let issued: IssuedCertificates?
    private let table: Mutex<CertificateTable>
    /// What the files were like; held while they are read, which lookups never wait for.
    private let sources: Mutex<[CertificateSource]>

    /// Loads every pair; the first is the default.
    ///
    /// - Throws: every failure of every pair, or an empty list of failures when there is no pair.
    package init(
        _ files: [CertificateFiles],
        issued: IssuedCertificates? = nil
    ) throws(CertificateStoreError) {
        var failures: [CertificateFileError] = []
        var sources: [CertificateSource] = []
        var served: [ServedCertificate] = []
        for pair in files {
            do throws(CertificateFileError) {
                var source = CertificateSource(pair)
                guard let certificate = try source.readIfChanged() else { continue }
                sources.append(source)
                served.append(certificate)
            } catch {
                failures.append(error)
            }
        }
        guard failures.isEmpty, let table = CertificateTable(served) else {
            throw CertificateStoreError(failures: failures)
        }
        self.issued = issued
        self.table = Mutex(table)
        self.sources = Mutex(sources)
    }

    /// The certificate for a client that asked for `serverName`: one with exactly that name, else
    /// one issued for it, else one with a wildcard that covers it, else the default.
    package func certificate(for serverName: String?, now: Date = Date()) -> ServedCertificate {
        let table = self.table.withLock { $0 }
        guard let name = serverName.flatMap(CertificateNames.normalise) else {
            return table.fallback
        }
        return table.exact(name)
            ?? self.issued?.certificate(for: name, now: now)
            ?? table.wildcard(name)
            ?? table.fallback
    }

    /// Whether a request for `host` may arrive on a connection opened for `serverName`; if not, the
    /// answer is 421 (RFC 9110 §15.5.20).
    ///
    /// It may when the certificate the connection got covers the host, or when the host would get
    /// that certificate itself: an unknown host on the default certificate is unknown (404), not
    /// misdirected.
    package func sameCertificate(serverName: String?, host: String) -> Bool {
        let name = serverName.flatMap(CertificateNames.normalise)
        let host = CertificateNames.normalise(host)
        if name != nil, name == host { return true }
        let table = self.table.withLock { $0 }
        let ofConnection = self.index(for: name, in: table)
        if case .served(let index) = ofConnection, let host,
            table.served[index].names.covers(host)
        {
            return true
        }
        return ofConnection == self.index(for: host, in: table)
    }

    /// Whether a client that asks for `host` gets a certificate that is for it, and not the default for want of one.
    package func covers(_ host: String) -> Bool {
        guard let name = CertificateNames.normalise(host) else { return false }
        let table = self.table.withLock { $0 }
        return table.exactIndex[name] != nil || self.issued?.accepts(name) == true
            || table.wildcardIndex(name) != nil
    }

    /// The files to serve `host` from, for those that load PEM themselves; nil when its certificate
    /// is not from files.
    package func files(for host: String) -> CertificateFiles? { self.certificate(for: host).files }

    /// What clients will object to in the certificates now served.
    package func warnings(now: Date = Date()) -> [Warning] {
        self.table.withLock { $0 }.served.flatMap { certificate in
            certificate.flaws(now: now).map {
                Warning(file: certificate.files?.certificate ?? "issued certificate", flaw: $0)
            }
        }
    }

    /// When the certificates that are served from files end, by their files.
    package var ends: [String: Date] {
        let served = self.table.withLock { $0 }.served
        let ends = served.compactMap { served in
            served.files.map { ($0.certificate, served.notValidAfter) }
        }
        return Dictionary(ends) { first, _ in first }
    }

    /// Looks at the files and serves those that changed. Reads files: not on an event loop. A pair
    /// of which only one file has been replaced does not match, and keeps its old version.
    package func refreshIfChanged() -> RefreshReport {
        self.sources.withLock { sources in
            var report = RefreshReport()
            for index in sources.indices {
                do throws(CertificateFileError) {
                    guard let fresh = try sources[index].readIfChanged() else { continue }
                    self.table.withLock { $0 = $0.replacing(index, with: fresh) }
                    report.reloaded.append(sources[index].files)
                } catch {
                    report.failures.append(error)
                }
            }
            return report
        }
    }

    private enum Choice: Equatable {
        case served(Int)
        case issued(String)
    }

    private func index(for name: String?, in table: CertificateTable) -> Choice {
        guard let name else { return .served(0) }
        if let index = table.exactIndex[name] { return .served(index) }
        if self.issued?.accepts(name) == true { return .issued(name) }
        return .served(table.wildcardIndex(name) ?? 0)
    }
}

/// The certificates served at one moment and where to find them by name. Immutable.
private final class CertificateTable: Sendable {
    let served: [ServedCertificate]
    /// The first, for clients that name no host or an unknown one.
    let fallback: ServedCertificate
    let exactIndex: [String: Int]
    private let suffixIndex: [String: Int]

    /// Nil when there is none. Of two certificates with one name the earlier is served.
    init?(_ served: [ServedCertificate]) {
        guard let fallback = served.first else { return nil }
        var exact: [String: Int] = [:]
        var suffixes: [String: Int] = [:]
        for (index, certificate) in served.enumerated() {
            for name in certificate.names.exact where exact[name] == nil { exact[name] = index }
            for suffix in certificate.names.wildcardSuffixes where suffixes[suffix] == nil {
                suffixes[suffix] = index
            }
        }
        self.served = served
        self.fallback = fallback
        self.exactIndex = exact
        self.suffixIndex = suffixes
    }

    func exact(_ name: String) -> ServedCertificate? {
        self.exactIndex[name].map { self.served[$0] }
    }

    func wildcard(_ name: String) -> ServedCertificate? {
        self.wildcardIndex(name).map { self.served[$0] }
    }

    func wildcardIndex(_ name: String) -> Int? {
        CertificateNames.wildcardSuffix(of: name).flatMap { self.suffixIndex[$0] }
    }

    func replacing(_ index: Int, with fresh: ServedCertificate) -> CertificateTable {
        var served = self.served
        served[index] = fresh
        return CertificateTable(served) ?? self
    }
}
