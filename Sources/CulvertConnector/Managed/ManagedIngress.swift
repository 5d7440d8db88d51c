internal import ConfigurationFile
internal import TunnelWire

/// The rules of a connector that has them from its edge: those that run, and why not the latest.
///
/// The edge is taken at its word here, and only here: who runs a connector without rules of its own lets
/// the edge say where requests go.
struct ManagedIngress: Sendable, Equatable {
    /// What runs; nil before there is anything.
    private(set) var running: ManagedConfiguration?
    /// What is wrong with the one that came last, a line each; empty when it runs.
    private(set) var problems: [String] = []

    /// Without rules, until some come.
    init() {}

    /// Begins with what was kept, if that can be run.
    ///
    /// - Returns: its rules; nil when it cannot be.
    static func starting(
        with kept: ManagedConfiguration
    ) -> (ingress: ManagedIngress, rules: IngressRules)? {
        guard let rules = try? Self.rules(of: kept) else { return nil }
        var ingress = ManagedIngress()
        ingress.running = kept
        return (ingress, rules)
    }

    /// Takes over what the edge says, whole or not at all: with a mistake in it, what runs goes on. Reads the
    /// certificate files that the rules name.
    ///
    /// - Returns: the rules to go by from now on; nil when they stay the same.
    mutating func apply(_ configuration: ManagedConfiguration) -> IngressRules? {
        guard configuration != self.running else {
            self.problems = []
            return nil
        }
        do {
            let rules = try Self.rules(of: configuration)
            self.running = configuration
            self.problems = []
            return rules
        } catch {
            self.problems = error.problems.map(\.description)
            return nil
        }
    }

    private static func rules(
        of configuration: ManagedConfiguration
    ) throws(ConfigurationProblems) -> IngressRules {
        guard configuration.version != 0 else { return IngressRules(service: .httpStatus(503)) }
        let reader = ConfigurationReader(
            file: "version \(configuration.version)",
            looksIntoFiles: true
        )
        return try RemoteIngress.parse(configuration.text, reader: reader)
    }
}
