package import ControlAPI

/// The DNS record that leads a hostname to its edge.
///
/// Whoever makes records, a person or a provider, is given one of these.
package struct DNSRecord: Sendable, Equatable, CustomStringConvertible {
    /// The hostname, or wildcard, that the record is for.
    package var name: String
    /// The name of the edge that it is an alias of (CNAME, RFC 1035 §3.3.1).
    package var target: String

    /// What a hostname needs at an edge; nil when the edge's wildcard covers it already.
    package init?(for hostname: String, at edge: EdgeDocument) {
        if let wildcard = edge.wildcard, Self.covers(wildcard, hostname) { return nil }
        self.name = hostname
        self.target = Self.host(of: edge.connect)
    }

    /// As zone files have it.
    package var description: String { "\(self.name). CNAME \(self.target)." }

    /// The host of `HOST:PORT`.
    package static func host(of address: String) -> String {
        guard let colon = address.lastIndex(of: ":") else { return address }
        return String(address[..<colon])
    }

    /// Whether a hostname is the wildcard, or one label below it: so far its certificates go
    /// (RFC 6125 §6.4.3).
    private static func covers(_ wildcard: String, _ hostname: String) -> Bool {
        let name = hostname.lowercased()
        guard name != wildcard else { return true }
        guard let dot = name.firstIndex(of: ".") else { return false }
        return "*" + name[dot...] == wildcard.lowercased()
    }
}
