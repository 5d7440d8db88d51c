import Glibc
import SwiftASN1
import X509

/// The names a certificate is for: its subject alternative names, nothing else (RFC 9525 §2).
package struct CertificateNames: Sendable, Hashable {
    /// DNS names without wildcard, and IP addresses in canonical text.
    package private(set) var exact: Set<String> = []
    /// What follows `*.` in names with one; covers names with exactly one label more.
    package private(set) var wildcardSuffixes: Set<String> = []

    /// Takes names as certificates have them, with `*.` in front for a wildcard; what no host name
    /// can be is left out.
    package init(dnsNames: some Sequence<String>) {
        for name in dnsNames { self.insert(dnsName: name) }
    }

    init(_ certificate: Certificate) throws {
        for name in try certificate.extensions.subjectAlternativeNames ?? .init() {
            switch name {
            case .dnsName(let name): self.insert(dnsName: name)
            case .ipAddress(let address): self.insert(ipAddress: Array(address.bytes))
            default: continue
            }
        }
    }

    /// Whether there is no name at all: such a certificate covers no host.
    package var isEmpty: Bool { self.exact.isEmpty && self.wildcardSuffixes.isEmpty }

    /// Whether a client that asked for `host` accepts the certificate. `host` has no port; IPv6
    /// literals may have brackets; case and a trailing dot do not matter.
    package func covers(_ host: String) -> Bool {
        guard let host = Self.normalise(host) else { return false }
        if self.exact.contains(host) { return true }
        guard !self.wildcardSuffixes.isEmpty, let suffix = Self.wildcardSuffix(of: host) else {
            return false
        }
        return self.wildcardSuffixes.contains(suffix)
    }

    /// `host` as names are kept here; nil when no certificate could have it.
    static func normalise(_ host: String) -> String? {
        guard host.hasPrefix("["), host.hasSuffix("]") else {
            return host.contains(":") ? Self.canonicalIPv6(host) : ServerName.normalise(host)
        }
        return Self.canonicalIPv6(String(host.dropFirst().dropLast()))
    }

    /// What a wildcard must end in to match: all after the first label (RFC 9525 §6.3). Nil for
    /// names of one label and for IP addresses.
    static func wildcardSuffix(of host: String) -> String? {
        guard let dot = host.utf8.firstIndex(of: UInt8(ascii: ".")), dot != host.startIndex else {
            return nil
        }
        let suffix = host[host.utf8.index(after: dot)...]
        // No top-level domain ends in a digit: this is an IPv4 address.
        guard let last = suffix.utf8.last, !(0x30...0x39).contains(last) else { return nil }
        return String(suffix)
    }

    private mutating func insert(dnsName: String) {
        if dnsName.hasPrefix("*.") {
            if let suffix = ServerName.normalise(String(dnsName.dropFirst(2))) {
                self.wildcardSuffixes.insert(suffix)
            }
        } else if let name = ServerName.normalise(dnsName) {
            self.exact.insert(name)
        }
    }

    private mutating func insert(ipAddress bytes: [UInt8]) {
        if bytes.count == 4 {
            self.exact.insert(bytes.map(String.init).joined(separator: "."))
        } else if bytes.count == 16 {
            self.exact.insert(Self.text(ipv6: bytes))
        }
    }

    private static func canonicalIPv6(_ text: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard bytes.withUnsafeMutableBytes({ inet_pton(AF_INET6, text, $0.baseAddress) }) == 1
        else {
            return nil
        }
        return Self.text(ipv6: bytes)
    }

    private static func text(ipv6 bytes: [UInt8]) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            let text = bytes.withUnsafeBytes {
                inet_ntop(AF_INET6, $0.baseAddress, buffer.baseAddress, socklen_t(buffer.count))
            }
            return text.map { String(cString: $0) } ?? ""
        }
    }
}
