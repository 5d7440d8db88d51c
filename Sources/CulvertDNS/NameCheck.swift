package import HTTPSemantics

/// Where a name leads, as this machine's resolver sees it.
package struct NameCheck: Sendable, Equatable {
    /// The answers.
    package enum Standing: String, Sendable, Equatable {
        /// To the edge: each of its addresses is one of the edge's.
        case edge
        /// It has no address, or none came in time.
        case nowhere
        /// To something else.
        case elsewhere
        /// The edge's own name has no address here, so there is nothing to compare with.
        case unknown
    }

    /// Gives the addresses of a name; none when it has none, or they cannot be had in time.
    package typealias Resolver = @Sendable (_ name: String) async -> Set<String>

    package let standing: Standing
    /// Those of the name, in order.
    package let addresses: [String]

    /// Asks for the addresses of `name` and of the edge's own name. Of a wildcard any name below it will do:
    /// `label` is put in the place of its asterisk.
    package init(
        of name: HostPattern,
        edge: String,
        label: String,
        _ resolve: @escaping Resolver
    ) async {
        async let own = resolve(Self.probe(name, label))
        async let edges = resolve(edge)
        let (found, wanted) = await (own, edges)
        self.addresses = found.sorted()
        if wanted.isEmpty {
            self.standing = .unknown
        } else if found.isEmpty {
            self.standing = .nowhere
        } else {
            self.standing = found.isSubset(of: wanted) ? .edge : .elsewhere
        }
    }

    /// Whether a wildcard record leads `name` to the edge, so that it needs none of its own: a name that
    /// nobody has made, `label` beside it, leads there, and so does the name itself.
    ///
    /// `label` is asked for first, and `name` only when that one is there: that a name is missing is
    /// remembered by resolvers (RFC 2308), and would hide the record that is about to be made.
    package static func isCovered(
        _ name: HostPattern,
        edge: String,
        label: String,
        _ resolve: @escaping Resolver
    ) async -> Bool {
        guard case .exact(let host) = name.kind, !host.isAddress,
            let dot = host.name.firstIndex(of: "."),
            let sibling = try? HostPattern(label + host.name[dot...])
        else { return false }
        for name in [sibling, name] {
            let check = await NameCheck(of: name, edge: edge, label: label, resolve)
            guard check.standing == .edge else { return false }
        }
        return true
    }

    private static func probe(_ name: HostPattern, _ label: String) -> String {
        switch name.kind {
        case .exact(let host): host.name
        case .suffix(let host): "\(label).\(host.name)"
        case .any: label
        }
    }
}
