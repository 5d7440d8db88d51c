internal import HTTPSemantics
internal import Logging
internal import Synchronization
internal import TunnelLink
internal import TunnelWire

/// What the edge is told of a connector, and what the connector takes from it.
///
///     CONFIGURATION ──▶ ManagedIngress ──▶ rules ──▶ RequestIntake
///                              └────────▶ report ──▶ REPORT
///
/// Any thread.
final class ConnectorStanding: ConnectorDelegate {
    private struct Contents {
        /// Nil when the rules are the connector's own.
        var ingress: ManagedIngress?
        /// What came last, if it cannot be run here.
        var refused: ManagedConfiguration?
        var unhealthyHostnames: Set<String> = []
        /// Those that are asked for; once the edge has given some, those.
        var tcpPorts: [Int]
    }

    private let attributes: HTTPFields
    private let contents: Mutex<Contents>
    private let onRules = Mutex<(@Sendable (IngressRules) -> Void)?>(nil)
    private let logger: Logger
    /// What runs, for it to be kept; the latest is enough.
    let applied: AsyncStream<ManagedConfiguration>
    private let continuation: AsyncStream<ManagedConfiguration>.Continuation

    /// `attributes` go with each LOGIN; `ingress` is nil for a connector with rules of its own.
    init(
        attributes: HTTPFields,
        tcpPorts: [Int] = [],
        ingress: ManagedIngress?,
        logger: Logger
    ) {
        self.attributes = attributes
        self.contents = Mutex(Contents(ingress: ingress, tcpPorts: tcpPorts))
        self.logger = logger
        (self.applied, self.continuation) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingNewest(1)
        )
    }

    /// Who takes over rules that come: called on any thread. Must be called once, before there
    /// is a link.
    func start(onRules: @escaping @Sendable (IngressRules) -> Void) {
        self.onRules.withLock { $0 = onRules }
    }

    var loginAttributes: HTTPFields {
        var attributes = self.attributes
        let (ingress, ports) = self.contents.withLock { ($0.ingress, $0.tcpPorts) }
        for port in ports { attributes.append("tcp-port", "\(port)") }
        if let ingress {
            attributes.append("configuration-version", "\(ingress.running?.version ?? 0)")
        }
        return attributes
    }

    var report: ConnectorReport? {
        self.contents.withLock { contents in
            var report = ConnectorReport(
                unhealthyHostnames: contents.unhealthyHostnames.sorted()
            )
            guard let ingress = contents.ingress else { return report }
            // The edge sends it requests from its first report on.
            guard ingress.running != nil || !ingress.problems.isEmpty else { return nil }
            report.configurationVersion = ingress.running?.version ?? 0
            report.configurationProblems = ingress.problems
            return report
        }
    }

    func received(_ configuration: ManagedConfiguration) {
        let (rules, problems) = self.contents.withLock {
            contents -> (IngressRules?, [String]) in
            guard var ingress = contents.ingress else { return (nil, []) }
            let rules = ingress.apply(configuration)
            contents.ingress = ingress
            contents.refused = ingress.problems.isEmpty ? nil : configuration
            return (rules, ingress.problems)
        }
        let version: Logger.Metadata = ["version": "\(configuration.version)"]
        for problem in problems {
            self.logger.error("The edge's configuration stays as it was: \(problem)")
        }
        guard let rules else { return }
        self.onRules.withLock { $0 }?(rules)
        self.continuation.yield(configuration)
        if configuration.version == 0 {
            self.logger.notice(
                """
                No rules: every request is answered 503. Neither this connector nor the edge has any: \
                say `culvert tunnel config edit` for the tunnel, or --url http://localhost:3000 here
                """
            )
        } else {
            self.logger.info("Runs the edge's configuration", metadata: version)
        }
    }

    /// Takes over what could not be run, if it can be now: it may have lacked a file. The edge has to be told by
    /// `ConnectorEndpoint.reportChanged()`.
    func tryAgain() {
        guard let refused = self.contents.withLock({ $0.refused }) else { return }
        self.received(refused)
    }

    /// Notes which ports the edge gave, to ask for the same when the session is lost.
    func note(_ welcome: Welcome) {
        let given = welcome.attributes.values("url").filter { $0.hasPrefix("tcp://") }
            .compactMap { $0.split(separator: ":").last.flatMap { Int($0) } }
        self.contents.withLock { contents in
            if given.count == contents.tcpPorts.count { contents.tcpPorts = given }
        }
    }

    /// Notes which hostnames' origins fail their health checks; the edge has to be told by
    /// `ConnectorEndpoint.reportChanged()`.
    func note(unhealthyHostnames: Set<String>) {
        self.contents.withLock { $0.unhealthyHostnames = unhealthyHostnames }
    }
}
