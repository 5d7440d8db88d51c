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

/// Several of a kind: all there are, or a page of them.
package struct ListDocument<Item: Codable & Sendable & Equatable>: Codable, Sendable, Equatable {
    package var items: [Item]
    /// What `after` is for the page that follows; absent of the last one, and of lists without pages.
    package var next: String?

    package init(_ items: [Item], next: String? = nil) {
        self.items = items
        self.next = next
    }
}
