internal import HTTPSemantics
package import Logging
package import NIOCore
package import TunnelLink
internal import TunnelSession
package import TunnelTransport
internal import TunnelWire

/// A running connector: a tunnel to the edge on one side, origins on the other.
///
///     LinkKeeper ──▶ ConnectorEndpoint (session) ──▶ ingress rules ──▶ OriginDispatcher ──▶ origin
///                                                      └─▶ HealthChecks ──▶ origin
///
/// Any thread.
package final class Connector: Sendable {
    /// What a connector is to do.
    package struct Options: Sendable {
        /// Signs the logins; the edge knows the tunnel by its public key.
        package var identity: TunnelIdentity
        /// The edge to keep a link to.
        package var edge: EdgeAddress
        /// Where requests go; what they do not name cannot be reached.
        package var rules: IngressRules
        /// Hostnames to ask the edge for, instead of the tunnel's own.
        package var hostnames: [String]
        /// This program and its version, as `culvert/1.0`; sent with each LOGIN for the edge's log.
        package var agent: String

        package init(
            identity: TunnelIdentity,
            edge: EdgeAddress,
            rules: IngressRules,
            hostnames: [String] = [],
            agent: String
        ) {
            self.identity = identity
            self.edge = edge
            self.rules = rules
            self.hostnames = hostnames
            self.agent = agent
        }
    }

    private let endpoint: ConnectorEndpoint
    private let intake: RequestIntake
    private let keeper: LinkKeeper
    private let health: HealthChecks
    private let logger: Logger

    /// `onState` is told how the connector stands towards its edge, on any thread; `onRecord` of each
    /// exchange at its end, on an event loop; `onHealth` whenever ``unhealthyHostnames`` changes, too.
    ///
    /// - Throws: `TransportError` when the tunnel's transport cannot be set up.
    package init(
        _ options: Options,
        group: any EventLoopGroup,
        logger: Logger,
        onState: @escaping @Sendable (ConnectorState) -> Void = { _ in },
        onRecord: @escaping @Sendable (ExchangeRecord) -> Void = { _ in },
        onHealth: @escaping @Sendable (_ unhealthyHostnames: Set<String>) -> Void = { _ in }
    ) throws(TransportError) {
        var attributes: HTTPFields = ["agent": options.agent]
        for hostname in options.hostnames { attributes.append("hostname", hostname) }
        self.logger = logger
        Self.warn(of: options.rules, logger)
        self.intake = RequestIntake(group: group, rules: options.rules, onRecord: onRecord)
        self.endpoint = try ConnectorEndpoint(
            identity: options.identity,
            attributes: attributes,
            configuration: SessionConfiguration(),
            group: group,
            acceptor: self.intake,
            logger: logger
        )
        self.health = HealthChecks(
            on: group.next(),
            tls: self.intake.tls,
            logger: logger,
            onChange: onHealth
        )
        self.keeper = LinkKeeper(
            endpoint: self.endpoint,
            edge: options.edge,
            logger: logger,
            onState: onState
        )
        self.endpoint.start()
        self.health.replace(options.rules)
    }

    private static func warn(of rules: IngressRules, _ logger: Logger) {
        for rule in rules.rules where rule.isUnboundedBastion {
            logger.warning(
                "A bastion without ipRules: whoever may visit it reaches all that this machine does",
                metadata: ["hostname": "\(rule.hostname?.description ?? "*")"]
            )
        }
    }

    /// The hostnames of rules whose origins fail their health checks now, as the rules have them; empty
    /// for a rule without one.
    package var unhealthyHostnames: Set<String> { self.health.unhealthyHostnames }

    /// Has requests that come from now on go where `rules` say; those under way go on, and an origin
    /// whose rule is the same keeps its connections, and what its health checks have found.
    package func replace(_ rules: IngressRules) {
        Self.warn(of: rules, self.logger)
        self.intake.replace(rules)
        self.health.replace(rules)
    }

    /// Serves until the task is cancelled, or the edge refuses for good.
    ///
    /// - Throws: `Refusal`; `CancellationError`.
    package func run() async throws { try await self.keeper.run() }

    /// Lets the edge know that this connector stops, and waits until what is under way is over, at
    /// most for `grace`.
    package func drain(grace: Duration) async {
        self.logger.info("Stopping: no new requests")
        let (ends, continuation) = AsyncStream.makeStream(of: Void.self)
        self.endpoint.drain { continuation.finish() }
        let timer = Task {
            try? await Task.sleep(for: grace)
            continuation.finish()
        }
        for await _ in ends {}
        timer.cancel()
    }

    /// Stops at once; requests under way fail.
    package func stop() {
        self.health.stop()
        self.endpoint.close(.shutdown, reason: "the connector stops")
        self.endpoint.shutdown()
    }
}
