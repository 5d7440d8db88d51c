/// A configured hostname: one host, every name below a suffix, or any host at all.
package struct HostPattern: Sendable {
    /// The forms that a pattern can have.
    package enum Kind: Hashable, Sendable {
        /// This host alone.
        case exact(NormalizedHost)
        /// The part after `*.`: matches names with one or more labels before it, not itself.
        case suffix(NormalizedHost)
        /// `*`: every host, addresses included.
        case any
    }

    /// What the pattern matches; equality rests on this alone.
    package let kind: Kind
    /// The text as configured, for messages.
    package let source: String

    /// Reads `name`, `*.suffix` or `*` as cloudflared's ingress rules have them; any other `*` is
    /// refused (there it would be a literal that nothing matches).
    ///
    /// - Parameters:
    ///   - text: The configured hostname, normalised here; a port is refused.
    ///   - allowsAny: Whether `*` may stand here; default true.
    /// - Throws: `HostPatternError`.
    package init(_ text: String, allowsAny: Bool = true) throws(HostPatternError) {
        self.source = text
        if text == "*" {
            guard allowsAny else { throw .anyNotAllowed }
            self.kind = .any
            return
        }
        let isWildcard = text.hasPrefix("*.")
        let rest = isWildcard ? String(text.dropFirst(2)) : text
        guard !rest.utf8.contains(0x2A) else { throw .misplacedWildcard(text) }
        let host: NormalizedHost
        do { host = try NormalizedHost(rest) } catch { throw .invalidHost(text, error) }
        guard isWildcard else {
            self.kind = .exact(host)
            return
        }
        guard !host.isAddress else { throw .misplacedWildcard(text) }
        self.kind = .suffix(host)
    }

    /// The pattern of every host.
    package static let any = HostPattern()

    private init() {
        self.kind = .any
        self.source = "*"
    }

    /// The pattern of one host alone.
    package init(exactly host: NormalizedHost) {
        self.kind = .exact(host)
        self.source = host.name
    }

    /// The wildcard of every name below a host, which is no address.
    package init(below host: NormalizedHost) {
        self.kind = .suffix(host)
        self.source = "*.\(host.name)"
    }

    /// The canonical text of the pattern.
    package var description: String {
        switch self.kind {
        case .exact(let host): host.name
        case .suffix(let host): "*.\(host.name)"
        case .any: "*"
        }
    }

    /// How well `host` fits, or nil; of several patterns that of the greatest match is the route.
    ///
    /// cloudflared's `matchHost`: `*.a.b` matches `x.a.b` and `y.x.a.b`, not `a.b`.
    package func match(_ host: NormalizedHost) -> HostMatch? {
        switch self.kind {
        case .any:
            return .any
        case .exact(let own):
            return own == host ? .exact : nil
        case .suffix(let suffix):
            return host.isBelow(suffix) ? .wildcard(suffixBytes: suffix.name.utf8.count) : nil
        }
    }

    /// Whether some host matches both.
    package func overlaps(_ other: HostPattern) -> Bool {
        switch (self.kind, other.kind) {
        case (.any, _), (_, .any): true
        case (.exact(let one), .exact(let other)): one == other
        case (.exact(let host), .suffix(let suffix)), (.suffix(let suffix), .exact(let host)):
            host.isBelow(suffix)
        case (.suffix(let one), .suffix(let other)):
            one == other || one.isBelow(other) || other.isBelow(one)
        }
    }

    /// Whether this matches every host that `narrow` does.
    package func covers(_ narrow: HostPattern) -> Bool {
        switch (self.kind, narrow.kind) {
        case (.any, _): true
        case (.exact(let one), .exact(let other)): one == other
        case (.suffix(let suffix), .exact(let host)): host.isBelow(suffix)
        case (.suffix(let one), .suffix(let other)): one == other || other.isBelow(one)
        case (.exact, _), (.suffix, .any): false
        }
    }
}

extension HostPattern: Hashable, CustomStringConvertible {
    /// Whether both match the same hosts; the spelling in the configuration is no part of it.
    package static func == (left: HostPattern, right: HostPattern) -> Bool {
        left.kind == right.kind
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.kind) }
}

/// The summary of a match: exact before wildcard, a longer suffix before a shorter, `*` last.
package enum HostMatch: Comparable, Sendable {
    /// `*` matched.
    case any
    /// `*.suffix` matched; the bytes of the suffix, its `*.` not counted.
    case wildcard(suffixBytes: Int)
    /// The host itself matched.
    case exact
}

/// Why a configured hostname is no pattern.
package enum HostPatternError: Error, Equatable, Sendable {
    /// `*` where a hostname is needed.
    case anyNotAllowed
    /// A `*` elsewhere than alone or as the whole first label, or before an address.
    case misplacedWildcard(String)
    /// The text as configured, and why it (without a `*.`) is no host.
    case invalidHost(String, HostError)
}

extension HostPatternError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .anyNotAllowed: "'*' is not allowed here: name a hostname, or '*.' and a suffix"
        case .misplacedWildcard(let text):
            "hostname '\(text)': '*' can only be the whole first label of a name, as in '*.example.com'"
        case .invalidHost(let text, let error): "hostname '\(text)': \(error)"
        }
    }
}
