/// How a hostname's requests are shared out among the connectors that serve it; the raw value is what
/// configurations, the API and the store say.
package enum Balance: String, Sendable, CaseIterable {
    /// To the connector with the fewest requests under way; the default.
    case leastRequests = "least-requests"
    /// To each in turn, whatever it has under way.
    case roundRobin = "round-robin"
    /// A visitor's first to the one with the fewest under way, its later ones, by a cookie, to the same.
    case sticky

    /// All of them, for a message: `least-requests, round-robin, sticky`.
    package static var names: String { Self.allCases.map(\.rawValue).joined(separator: ", ") }
}
