package import HTTPSemantics

/// The records of one name that lead its visitors to an edge.
package struct NameRecords: Sendable, Equatable {
    /// What the name has.
    package enum Value: Sendable, Equatable {
        /// A CNAME record (RFC 1035 §3.3.1).
        case alias(of: NormalizedHost)
        /// A and AAAA records, for where no alias can be: they do not follow when the edge moves.
        case addresses([IPAddress])
    }

    /// A hostname, or a wildcard such as `*.example.com`.
    package let name: HostPattern
    /// What the name has.
    package let value: Value

    package init(name: HostPattern, value: Value) {
        self.name = name
        self.value = value
    }

    /// The records of one type. Neither names nor values have a dot at their end.
    package struct Group: Sendable, Equatable {
        /// `CNAME`, `A` or `AAAA`.
        package let type: String
        /// One name, or the addresses; not empty.
        package let values: [String]
    }

    /// The records by their types; empty without addresses.
    package var groups: [Group] {
        switch self.value {
        case .alias(let target): return [Group(type: "CNAME", values: [target.name])]
        case .addresses(let addresses):
            var four: [String] = []
            var six: [String] = []
            for address in addresses {
                if case .v4 = address {
                    four.append("\(address)")
                } else {
                    six.append("\(address)")
                }
            }
            return [Group(type: "A", values: four), Group(type: "AAAA", values: six)]
                .filter { !$0.values.isEmpty }
        }
    }
}

extension NameRecords: CustomStringConvertible {
    /// As zone files have them, a record a line.
    package var description: String {
        self.groups.flatMap { group in
            group.values.map { value in
                "\(self.name). \(group.type) \(value)\(group.type == "CNAME" ? "." : "")"
            }
        }.joined(separator: "\n")
    }
}
