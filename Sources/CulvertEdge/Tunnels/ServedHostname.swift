package import CulvertControl
package import HTTPSemantics

/// A hostname that leads to a tunnel, and what is set for it.
package struct ServedHostname: Sendable, Equatable {
    /// A name, or a wildcard.
    package var pattern: HostPattern
    /// How its requests are shared out among connectors; by default to the one with the fewest.
    package var balance: Balance

    package init(_ pattern: HostPattern, balance: Balance = .leastRequests) {
        self.pattern = pattern
        self.balance = balance
    }
}
