/// A host in the one spelling that is compared, routed and forwarded: lower-case A-labels without a
/// trailing dot, a dotted quad, or an IPv6 literal of RFC 5952 in brackets.
///
/// Made once, where a request enters; everything behind the door takes this type and compares bytes.
/// Names: at most 253 bytes, labels 1…63 of letters, digits, `-` and `_` (which names in use have,
/// though RFC 952 does not; so have they hyphens at either end of a label).
///
/// Internationalised names: of UTS 46, lower-casing (full mappings), NFC and the three other dots are
/// done, transitional mapping is not (`ß` stays, as in IDNA2008). NOT done: compatibility mapping
/// (full-width letters are refused, other compatibility forms keep a label of their own), Bidi and
/// CONTEXTJ/CONTEXTO rules (joiners are refused), the disallowed list beyond general categories, and
/// the validity of the characters behind an `xn--` label that arrived as such. Browsers do all of it
/// before they send A-labels; what is missing can only make a name unknown, never someone else's.
package struct NormalizedHost: Hashable, Sendable {
    /// The canonical text, brackets included.
    package let name: String

    /// Normalises a host without a port, such as a configured hostname.
    ///
    /// - Throws: `HostError`; `.unexpectedPort` when there is a port.
    package init(_ text: String) throws(HostError) {
        let authority = try NormalizedAuthority(text)
        guard authority.port == nil else { throw .unexpectedPort }
        self = authority.host
    }

    /// Takes `name` as it is: the caller has made it canonical.
    init(canonical name: String) { self.name = name }

    /// Whether the host is an IPv4 address or an IPv6 literal: no wildcard matches those.
    package var isAddress: Bool {
        let utf8 = self.name.utf8
        if utf8.first == 0x5B { return true }
        // A canonical name never ends in a numeric label: the last digit decides after one look.
        guard utf8.last?.isASCIIDigit == true else { return false }
        return utf8.allSatisfy { $0.isASCIIDigit || $0 == 0x2E }
    }
}

extension NormalizedHost {
    /// Whether this is `suffix` with one label or more before it.
    package func isBelow(_ suffix: NormalizedHost) -> Bool {
        let own = self.name.utf8
        let other = suffix.name.utf8
        guard own.count > other.count + 1 else { return false }
        let tail = own.suffix(other.count + 1)
        return tail.first == 0x2E && tail.dropFirst().elementsEqual(other)
    }

    /// The hosts that this one is below, the nearest first: `b.c` and `c` of `a.b.c`. An address has none.
    package var parents: [NormalizedHost] {
        guard !self.isAddress else { return [] }
        var parents: [NormalizedHost] = []
        var rest = self.name[...]
        while let dot = rest.utf8.firstIndex(of: 0x2E) {
            rest = rest[rest.utf8.index(after: dot)...]
            parents.append(NormalizedHost(canonical: String(rest)))
        }
        return parents
    }
}

extension NormalizedHost: CustomStringConvertible {
    package var description: String { self.name }
}

/// A host and its port, from `Host`, `:authority` or an absolute-form target (RFC 9110 §4.2.3, §7.2).
package struct NormalizedAuthority: Hashable, Sendable {
    /// The host without its port.
    package let host: NormalizedHost
    /// 1…65535 as written, the scheme's own included; nil when none was.
    package let port: UInt16?

    package init(host: NormalizedHost, port: UInt16?) {
        self.host = host
        self.port = port
    }

    /// Normalises `host [":" port]`; a name that is normal already costs one look at its bytes.
    ///
    /// - Throws: `HostError`.
    package init(_ text: String) throws(HostError) {
        if HostName.isCanonical(text.utf8) {
            self.init(host: NormalizedHost(canonical: text), port: nil)
        } else if let colon = text.utf8.lastIndex(of: 0x3A),
            HostName.isCanonical(text.utf8[..<colon]),
            let port = try? .some(Self.parsePort(text[text.utf8.index(after: colon)...]))
        {
            self.init(host: NormalizedHost(canonical: String(text[..<colon])), port: port)
        } else {
            self = try Self.parse(text)
        }
    }

    /// The text for `RequestHead.authority`: the port only where it is not the scheme's own.
    ///
    /// - Parameter scheme: `http` or `https`.
    /// - Returns: `host` or `host:port`.
    package func text(scheme: String) -> String {
        guard let port = self.port, port != (scheme == "https" ? 443 : 80) else {
            return self.host.name
        }
        return "\(self.host.name):\(port)"
    }

    private static func parse(_ text: String) throws(HostError) -> NormalizedAuthority {
        guard !text.isEmpty else { throw .empty }
        for byte in text.utf8 {
            switch byte {
            case 0x40: throw .userinfo
            case 0x25: throw .percentEncoded
            case 0...0x20, 0x7F: throw .illegalByte(byte)
            default: continue
            }
        }
        if text.utf8.first == 0x5B { return try Self.parseLiteral(text) }
        guard let colon = text.utf8.firstIndex(of: 0x3A) else {
            return .init(host: try HostName.normalize(text[...]), port: nil)
        }
        let rest = text[text.utf8.index(after: colon)...]
        guard !rest.utf8.contains(0x3A) else { throw .invalidIPv6(text) }
        guard colon > text.startIndex else { throw .empty }
        let port = try Self.parsePort(rest)
        return .init(host: try HostName.normalize(text[..<colon]), port: port)
    }

    private static func parseLiteral(_ text: String) throws(HostError) -> NormalizedAuthority {
        guard let close = text.utf8.firstIndex(of: 0x5D) else { throw .invalidIPv6(text) }
        let inner = text[text.utf8.index(after: text.startIndex)..<close]
        guard case .v6(let value)? = IPAddress(inner) else { throw .invalidIPv6(text) }
        let host = NormalizedHost(canonical: "[\(IPAddress.v6(value))]")
        let rest = text[text.utf8.index(after: close)...]
        guard let first = rest.utf8.first else { return .init(host: host, port: nil) }
        guard first == 0x3A else { throw .illegalByte(first) }
        return .init(
            host: host,
            port: try Self.parsePort(rest[rest.utf8.index(after: rest.startIndex)...])
        )
    }

    /// RFC 3986 §3.2.3: digits, none of them too; that is the scheme's own port.
    private static func parsePort(_ text: Substring) throws(HostError) -> UInt16? {
        guard !text.isEmpty else { return nil }
        guard text.utf8.count <= 5, text.utf8.allSatisfy(\.isASCIIDigit),
            let port = UInt16(text), port > 0
        else { throw .invalidPort(String(text)) }
        return port
    }
}
