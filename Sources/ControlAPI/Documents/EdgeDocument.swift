/// What an edge says of itself.
package struct EdgeDocument: Codable, Sendable, Equatable {
    /// `culvert/` and its version.
    package var agent: String
    /// Where connectors dial, `HOST:PORT`.
    package var connect: String
    /// `culvert http` makes names under it; absent when there is none.
    package var domain: String?
    /// The wildcard that certificates and names cover in any case, such as `*.example.com`; absent
    /// without a domain.
    package var wildcard: String?

    package init(agent: String, connect: String, domain: String?, wildcard: String?) {
        self.agent = agent
        self.connect = connect
        self.domain = domain
        self.wildcard = wildcard
    }
}

/// Several of a kind.
package struct ListDocument<Item: Codable & Sendable & Equatable>: Codable, Sendable, Equatable {
    package var items: [Item]

    package init(_ items: [Item]) { self.items = items }
}
