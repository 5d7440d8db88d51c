package import ConfigurationFile
package import Foundation

/// The tunnels that one process is to run, looked at together. Pure.
package struct TunnelRoster: Sendable {
    /// One of them.
    package struct Entry: Sendable, Equatable {
        /// What named it, in an error: a name, a configuration file, or what its token is called.
        package var source: String
        /// Its name, as its credentials have it.
        package var tunnel: String
        /// The edge's id of it; nil for one that `edge.yml` declares.
        package var id: String?
        /// Ed25519, 32 bytes.
        package var publicKey: Data
        /// The edge's name and port.
        package var edge: HostPort
        /// Where that is dialled.
        package var dialled: HostPort
        /// Where its file has the process's metrics; nil when it does not say.
        package var metrics: HostPort?

        package init(
            source: String,
            credentials: Credentials,
            edge: HostPort,
            dialled: HostPort,
            metrics: HostPort? = nil
        ) {
            self.source = source
            self.tunnel = credentials.tunnelName
            self.id = credentials.tunnelID
            self.publicKey = credentials.publicKey
            self.edge = edge
            self.dialled = dialled
            self.metrics = metrics
        }
    }

    private let entries: [Entry]

    /// The tunnels in their order.
    package init(_ entries: [Entry]) { self.entries = entries }

    /// Where the process has its metrics; nil when no tunnel's file says.
    package var metrics: HostPort? { self.entries.lazy.compactMap(\.metrics).first }

    /// What to tell the tunnels apart by in logs and metrics: the name; `NAME@EDGE` for those of one name,
    /// or, where even the edge's name is one, `NAME@` and where it is dialled.
    package var labels: [String] {
        let spellings: [(Entry) -> String] = [
            { $0.tunnel }, { "\($0.tunnel)@\($0.edge)" }, { "\($0.tunnel)@\($0.dialled)" },
        ]
        return self.entries.enumerated().map { place, entry in
            for spelling in spellings {
                let label = spelling(entry)
                if self.entries.count(where: { spelling($0) == label }) == 1 { return label }
            }
            // Of different accounts: same name and edge, another id.
            return "\(entry.tunnel)@\(entry.id ?? "\(place + 1)")"
        }
    }

    /// What cannot be together in one process, in sentences that say what to do.
    package var mistakes: [String] {
        var mistakes: [String] = []
        for (place, entry) in self.entries.enumerated() {
            let earlier = self.entries[..<place].first { $0.isSame(as: entry) }
            guard let earlier else { continue }
            mistakes.append(
                "\(earlier.source) and \(entry.source) are the same tunnel, \(entry.tunnel), at the same "
                    + "edge, \(entry.edge): leave one out. Another connector of it goes to another edge, or "
                    + "runs in another process."
            )
        }
        let said = self.entries.filter { $0.metrics != nil }
        if let first = said.first, let other = said.first(where: { $0.metrics != first.metrics }) {
            mistakes.append(
                "\(first.source) and \(other.source) say different `metrics`, and a process has them at one "
                    + "address: say it in one file, or the same in both."
            )
        }
        return mistakes
    }
}

extension TunnelRoster.Entry {
    /// Whether it is the same tunnel at the same edge, whatever its key.
    fileprivate func isSame(as other: Self) -> Bool {
        guard self.edge.isSame(as: other.edge), self.dialled.isSame(as: other.dialled) else {
            return false
        }
        if self.publicKey == other.publicKey { return true }
        // Names are an account's own; ids are the edge's.
        if self.id != nil || other.id != nil { return self.id == other.id }
        return self.tunnel == other.tunnel
    }
}

extension HostPort {
    /// Names of hosts are the same in upper and lower case.
    fileprivate func isSame(as other: HostPort) -> Bool {
        self.port == other.port && self.host.lowercased() == other.host.lowercased()
    }
}
