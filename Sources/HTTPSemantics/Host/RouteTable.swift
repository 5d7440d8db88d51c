/// A table from hosts to targets; the best match wins, whatever the order of its rows. A value.
///
/// A look-up costs one hash of the host and, where there are wildcards, one per label of it that a
/// wildcard could cover: the number of rows does not matter, nor does it where a row is put in or taken out.
package struct RouteTable<Target> {
    private var exact: [String: Target] = [:]
    private var suffixes: [Substring: Target] = [:]
    private var fallback: Target?
    /// Suffixes with more labels than any row has need not be looked up. Not made smaller when a row is taken
    /// out, but when no wildcard is left.
    private var maxSuffixLabels = 0

    /// An empty table: it has no target for any host.
    package init() {}

    /// Builds the table.
    ///
    /// - Parameter rows: Patterns, each at most once after normalisation, and what they lead to.
    /// - Throws: `RouteTableError.duplicate` naming both rows.
    package init(_ rows: some Sequence<(HostPattern, Target)>) throws(RouteTableError) {
        var seen: [HostPattern: (row: Int, source: String)] = [:]
        for (row, (pattern, target)) in rows.enumerated() {
            if let first = seen.updateValue((row, pattern.source), forKey: pattern) {
                throw .duplicate(
                    first: first.source,
                    firstRow: first.row,
                    second: pattern.source,
                    secondRow: row
                )
            }
            self[pattern] = target
        }
    }

    /// The target of the row of exactly this pattern, nil when there is none. Setting it puts the row in, or takes
    /// it out with nil.
    package subscript(pattern: HostPattern) -> Target? {
        get {
            switch pattern.kind {
            case .exact(let host): self.exact[host.name]
            case .suffix(let host): self.suffixes[host.name[...]]
            case .any: self.fallback
            }
        }
        set {
            switch pattern.kind {
            case .exact(let host):
                self.exact[host.name] = newValue
            case .suffix(let host):
                self.suffixes[host.name[...]] = newValue
                let labels = max(self.maxSuffixLabels, Self.labels(host.name))
                self.maxSuffixLabels = self.suffixes.isEmpty ? 0 : labels
            case .any:
                self.fallback = newValue
            }
        }
    }

    /// The number of rows.
    package var count: Int {
        self.exact.count + self.suffixes.count + (self.fallback == nil ? 0 : 1)
    }

    /// The target of the best match (exact, then the longest suffix, then `*`), or nil.
    package func target(for host: NormalizedHost) -> Target? { self.lookUp(host)?.target }

    /// The target that the hosts of `pattern` have, those apart that a narrower row is for: of the best row that
    /// covers it, its own included; nil when none does.
    package func target(covering pattern: HostPattern) -> Target? {
        switch pattern.kind {
        case .exact(let host): self.target(for: host)
        case .suffix(let host): self[pattern] ?? self.lookUpWildcard(host)?.target
        case .any: self.fallback
        }
    }

    /// As `target(for:)`, with the summary of the match.
    package func lookUp(_ host: NormalizedHost) -> (target: Target, match: HostMatch)? {
        if let target = self.exact[host.name] { return (target, .exact) }
        return self.lookUpWildcard(host)
    }

    private func lookUpWildcard(_ host: NormalizedHost) -> (target: Target, match: HostMatch)? {
        if !self.suffixes.isEmpty, !host.isAddress {
            let name = host.name
            var labels = Self.labels(name)
            var rest = name[...]
            while let dot = rest.utf8.firstIndex(of: 0x2E) {
                rest = rest[rest.utf8.index(after: dot)...]
                labels -= 1
                guard labels <= self.maxSuffixLabels else { continue }
                if let target = self.suffixes[rest] {
                    return (target, .wildcard(suffixBytes: rest.utf8.count))
                }
            }
        }
        return self.fallback.map { ($0, .any) }
    }

    private static func labels(_ name: String) -> Int {
        name.utf8.reduce(1) { $1 == 0x2E ? $0 + 1 : $0 }
    }
}

extension RouteTable: Sendable where Target: Sendable {}

/// Why rows make no table.
package enum RouteTableError: Error, Equatable, Sendable {
    /// Two rows match the same hosts; rows count from zero.
    case duplicate(first: String, firstRow: Int, second: String, secondRow: Int)
}

extension RouteTableError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .duplicate(let first, let firstRow, let second, let secondRow):
            "hostname '\(second)' (number \(secondRow + 1)) is the same as '\(first)' "
                + "(number \(firstRow + 1)): each hostname can lead to one place only"
        }
    }
}
