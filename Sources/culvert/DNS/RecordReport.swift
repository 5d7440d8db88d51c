import ConfigurationFile
import CulvertDNS

/// What became of the DNS record of a hostname, for people and for programs.
struct RecordReport: Encodable {
    /// How it stands.
    enum State: String, Encodable {
        /// The edge's own wildcard covers the name.
        case covered
        /// Some wildcard record leads the name to the edge.
        case wildcard
        /// Somebody has to make the record.
        case byHand = "by-hand"
        case made, present, replaced
        /// The name has other records, which were left alone.
        case different
        /// The provider failed.
        case failed
    }

    var state: State
    /// As zone files have them; empty when none is needed.
    var records: [String] = []
    /// The zone of the provider; nil without one.
    var zone: String?
    /// Where the resolver of this machine sees the name lead: `edge`, `nowhere`, `elsewhere`, or `unknown` when
    /// the edge's own name does not resolve; nil when it was not asked.
    var resolves: String?
    /// The addresses that it gives.
    var addresses: [String]?
    /// Why the record is not there, or what the provider has to say.
    var problem: String?
    /// The edge's name.
    private let edge: String

    private enum CodingKeys: String, CodingKey {
        case state, records, zone, resolves, addresses, problem
    }

    init(_ state: State, edge: String) {
        self.state = state
        self.edge = edge
    }

    /// Keeps what the resolver says.
    mutating func note(_ check: NameCheck) {
        self.resolves = check.standing.rawValue
        self.addresses = check.addresses
    }

    /// Whether the record is not there, though a provider was to make it.
    var isFailure: Bool { self.state == .different || self.state == .failed }

    /// For a person, to be read after the route.
    var text: String {
        let records = self.records.map { "    \(printable($0))" }.joined(separator: "\n")
        let block = "\n\n\(records)\n"
        switch self.state {
        case .covered:
            return "It needs no DNS record: that of \(printable(self.edge)) covers it."
        case .wildcard:
            return "It needs no DNS record of its own: a wildcard record leads it to the edge."
        case .byHand where self.resolves == NameCheck.Standing.edge.rawValue:
            return "Its DNS is in order: it resolves to the edge, \(printable(self.edge))."
        case .byHand: return "It needs a DNS record:\(block)\n\(self.standing)\(self.hints)"
        case .made: return self.outcome("Made its DNS record:\(block)")
        case .replaced: return self.outcome("Made its DNS record, in place of any other:\(block)")
        case .present: return self.outcome("Its DNS record is there already:\(block)")
        case .different:
            let now = (self.addresses ?? []).joined(separator: ", ")
            let place = now.isEmpty ? "" : " (it resolves to \(now))"
            return
                "It leads to the tunnel, but its DNS record was not made: the name has another"
                + "\(place), which was left alone. With --overwrite-dns it is replaced by"
                + block
        case .failed:
            let text =
                "It leads to the tunnel, but its DNS record was not made: \(self.problem ?? "")"
            return records.isEmpty
                ? text : "\(text)\nMake it yourself, or run this again:\(block)"
        }
    }

    /// What else there is to know for whoever makes the record.
    private var hints: String {
        var text = "\nWith a provider of its zone in dns.yml this command makes it (see --help)."
        let name = self.records.first?.prefix { $0 != " " } ?? ""
        if name.filter({ $0 == "." }).count == 2, !name.hasPrefix("*") {
            text +=
                "\nAt the top of a zone, where no CNAME can be, it needs A and AAAA records with the "
                + "addresses of \(printable(self.edge)) instead."
        }
        return text
    }

    private func outcome(_ text: String) -> String {
        let remarks = self.problem.map { "\n\($0)" } ?? ""
        return "\(text)\n\(self.standing)\(remarks)"
    }

    private var standing: String {
        switch self.resolves.flatMap(NameCheck.Standing.init) {
        case .edge: return "It resolves to the edge."
        case .nowhere where self.state == .byHand: return "It does not resolve yet."
        case .nowhere:
            return "It is not visible yet: servers and resolvers may take a while to see it."
        case .elsewhere:
            let places = (self.addresses ?? []).joined(separator: ", ")
            let hint =
                self.state == .byHand ? "" : "; resolvers may remember what was there before"
            return "It resolves to \(places) now, which is not the edge\(hint)."
        case .unknown, nil:
            return
                "(\(printable(self.edge)), the edge's own name, does not resolve here, so this was "
                + "not checked.)"
        }
    }
}
