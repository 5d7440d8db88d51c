internal import ConfigurationFile
internal import HTTPSemantics
package import Logging
internal import NIOCore
package import TunnelLink
internal import TunnelSession
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
        /// Where requests go; what they do not name cannot be reached. Of no account for one whose rules
        /// are the edge's.
        package var rules: IngressRules
        /// Whether the edge says where requests go, and not ``rules``.
        package var isManaged: Bool
        /// Where the edge's rules are kept for the next start; nil is nowhere.
        package var keptConfiguration: KeptConfiguration?
        /// Hostnames to ask the edge for, instead of the tunnel's own.
        package var hostnames: [String]
        /// Public TCP ports to ask the edge for, instead of the tunnel's own hostnames; 0 for any.
        package var tcpPorts: [Int]
        /// Requests that the edge may have under way here; more are refused. Default 16,384.
        package var maximumStreams = 16_384
        /// This program and its version, as `culvert/1.0`; sent with each LOGIN for the edge's log.
        package var agent: String

        package init(
            identity: TunnelIdentity,
            edge: EdgeAddress,
            rules: IngressRules,
            isManaged: Bool = false,
            keptConfiguration: KeptConfiguration? = nil,
            hostnames: [String] = [],
            tcpPorts: [Int] = [],
            agent: String
        ) {
            self.identity = identity
            self.edge = edge
            self.rules = rules
            self.isManaged = isManaged
            self.keptConfiguration = keptConfiguration
            self.hostnames = hostnames
            self.tcpPorts = tcpPorts
            self.agent = agent
        }
    }

    private let endpoint: ConnectorEndpoint
    private let intake: RequestIntake
    private let standing: ConnectorStanding
    private let keptConfiguration: KeptConfiguration?
    private let keeper: LinkKeeper
    private let health: HealthChecks
    private let logger: Logger

    /// A connector whose links `transport` carries, which has to be started, and whose work is done on the
    /// transport's event loops.
    ///
    /// `onState` is told how the connector stands towards its edge, on any thread; `onRecord` of each
    /// exchange at its end, on an event loop; `onHealth` whenever ``unhealthyHostnames`` changes, too.
    package init(
        _ options: Options,
        over transport: ConnectorTransport,
        logger: Logger,
        onState: @escaping @Sendable (ConnectorState) -> Void = { _ in },
        onRecord: @escaping @Sendable (ExchangeRecord) -> Void = { _ in },
        onHealth: @escaping @Sendable (_ unhealthyHostnames: Set<String>) -> Void = { _ in }
    ) {
        var attributes: HTTPFields = ["agent": options.agent]
        for hostname in options.hostnames { attributes.append("hostname", hostname) }
        self.logger = logger
        self.keptConfiguration = options.keptConfiguration
        let (rules, ingress) = Self.initialRules(options, logger)
        Self.warn(of: rules, logger)
        let intake = RequestIntake(group: transport.group, rules: rules, onRecord: onRecord)
        self.intake = intake
        let standing = ConnectorStanding(
            attributes: attributes,
            tcpPorts: options.tcpPorts,
            ingress: ingress,
            logger: logger
        )
        self.standing = standing
        let endpoint = ConnectorEndpoint(
            identity: options.identity,
            delegate: standing,
            configuration: SessionConfiguration(maximumStreams: options.maximumStreams),
            transport: transport,
            acceptor: intake,
            logger: logger
        )
        self.endpoint = endpoint
        let health = HealthChecks(
            on: transport.group.next(),
            tls: intake.tls,
            logger: logger,
            onChange: { [weak standing, weak endpoint] hostnames in
                standing?.note(unhealthyHostnames: hostnames)
                endpoint?.reportChanged()
                onHealth(hostnames)
            }
        )
        self.health = health
        standing.start { rules in
            Self.warn(of: rules, logger)
            intake.replace(rules)
            health.replace(rules)
        }
        self.keeper = LinkKeeper(
            endpoint: endpoint,
            edge: options.edge,
            logger: logger,
            onState: { state in
                if case .connected(let welcome) = state { standing.note(welcome) }
                onState(state)
            }
        )
        health.replace(rules)
    }

    /// The connector's own rules, or those that its edge gave it last; without them, an answer of 503.
    private static func initialRules(
        _ options: Options,
        _ logger: Logger
    ) -> (IngressRules, ManagedIngress?) {
        guard options.isManaged else { return (options.rules, nil) }
        let none = (IngressRules(service: .httpStatus(503)), ManagedIngress())
        do {
            guard let kept = try options.keptConfiguration?.read() else { return none }
            guard let start = ManagedIngress.starting(with: kept) else {
                logger.warning(
                    "The configuration that was kept cannot be run here any more",
                    metadata: ["version": "\(kept.version)"]
                )
                return none
            }
            logger.info(
                "Begins with the configuration that the edge sent last",
                metadata: ["version": "\(kept.version)"]
            )
            return (start.rules, start.ingress)
        } catch {
            logger.warning("The configuration that was kept is of no use: \(error)")
            return none
        }
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

    /// Tries the edge's latest configuration again, if it could not be run here.
    package func tryConfigurationAgain() {
        self.standing.tryAgain()
        self.endpoint.reportChanged()
    }

    /// Serves until the task is cancelled, or the edge refuses for good.
    ///
    /// - Throws: `Refusal`; `CancellationError`.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.keeper.run() }
            if let kept = self.keptConfiguration {
                group.addTask { await self.keepConfigurations(in: kept) }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Keeps each configuration that runs, until the task is cancelled.
    private func keepConfigurations(in kept: KeptConfiguration) async {
        for await configuration in self.standing.applied {
            do {
                try kept.write(configuration)
            } catch {
                self.logger.warning(
                    "The configuration is not kept, and the next start has to wait for the edge: \(error)"
                )
            }
        }
    }

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

    /// Stops at once; requests under way fail. The transport goes on.
    package func stop() {
        self.health.stop()
        self.endpoint.close(.shutdown, reason: "the connector stops")
    }
}
