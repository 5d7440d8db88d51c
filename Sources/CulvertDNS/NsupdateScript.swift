import ConfigurationFile

/// What nsupdate(1) is given on its standard input: one update, with what has to hold for it.
///
/// Every word in it is a normalised host, an address, a type of this program's or a number, so no value
/// ends its line or its word.
struct NsupdateScript: Equatable {
    /// What the update does.
    enum Step: Equatable {
        /// Nothing, if the name has exactly these records.
        case check
        /// Makes the records, if the name has none: no alias beside others, no address beside others.
        case make
        /// Makes the records in place of any alias and any address; an alias only where the name has nothing
        /// else, which would lose its addresses for an alias that cannot be (RFC 2136 §3.4.2.2).
        case replace
        /// Removes the records, if the name has exactly these.
        case remove
    }

    /// The types that say where a name leads.
    private static let types = ["CNAME", "A", "AAAA"]
    /// Others that people give names, SVCB and HTTPS by their numbers (RFC 3597 §5), which older programs
    /// know, too. There is no prerequisite for "any other".
    private static let otherTypes = [
        "NS", "SOA", "MX", "TXT", "SRV", "CAA", "PTR", "NAPTR", "SSHFP", "TLSA", "DNAME", "LOC",
        "HINFO", "URI", "TYPE64", "TYPE65",
    ]

    let text: String

    init(_ step: Step, _ records: NameRecords, server: HostPort?, provider: DNSProvider) {
        let name = "\(records.name)."
        var lines: [String] = []
        if let server { lines.append("server \(server.host) \(server.port)") }
        lines.append("zone \(provider.zone).")
        switch step {
        case .check, .remove: lines += Self.presence(of: records, name)
        case .make: lines += Self.absence(of: records, name)
        case .replace:
            if case .alias = records.value {
                lines += Self.otherTypes.map { "prereq nxrrset \(name) \($0)" }
            }
            lines += Self.types.map { "update delete \(name) \($0)" }
        }
        for group in records.groups {
            switch step {
            case .check: break
            case .remove: lines.append("update delete \(name) \(group.type)")
            case .make, .replace:
                lines += Self.data(of: group).map {
                    "update add \(name) \(provider.ttlSeconds) \(group.type) \($0)"
                }
            }
        }
        lines.append("send")
        self.text = lines.joined(separator: "\n") + "\n"
    }

    /// Prerequisites of RFC 2136 §2.4.2: the whole set of a type has to be the same.
    private static func presence(of records: NameRecords, _ name: String) -> [String] {
        let groups = records.groups
        let there = groups.flatMap { group in
            Self.data(of: group).map { "prereq yxrrset \(name) \(group.type) \($0)" }
        }
        guard case .addresses = records.value else { return there }
        let absent = ["A", "AAAA"].filter { type in !groups.contains { $0.type == type } }
        return there + absent.map { "prereq nxrrset \(name) \($0)" }
    }

    private static func absence(of records: NameRecords, _ name: String) -> [String] {
        switch records.value {
        // Beside an alias there can be nothing (RFC 1034 §3.6.2).
        case .alias: ["prereq nxdomain \(name)"]
        case .addresses: self.types.map { "prereq nxrrset \(name) \($0)" }
        }
    }

    private static func data(of group: NameRecords.Group) -> [String] {
        group.type == "CNAME" ? group.values.map { $0 + "." } : group.values
    }
}
