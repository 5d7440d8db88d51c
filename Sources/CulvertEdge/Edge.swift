internal import ConfigurationFile
internal import ControlServer
internal import CulvertControl
internal import HTTPSemantics
package import Logging
package import NIOCore
package import StatusServer
internal import Synchronization
internal import TunnelLink
internal import TunnelSession
internal import TunnelTransport
internal import TunnelWire

/// A running edge: the front door, visitors on one side of it, tunnels on the other.
///
///     front door ── connect host ──▶ EdgeEndpoint (sessions)
///          └─────── other names ───▶ VisitorServer ──▶ TunnelRouter ──▶ a session's stream
///                                          └─ control host ──▶ ControlServer (API, login)
///
/// Any thread.
package final class Edge: Sendable {
    /// Where it listens, with the ports that the kernel chose for port 0.
    package struct Addresses: Sendable {
        /// Visitors, and connectors by their SNI.
        package var https: SocketAddress
        /// Visitors without TLS; nil when off.
        package var http: SocketAddress?
        /// Where `/metrics`, `/healthz` and `/readyz` are; nil when off.
        package var metrics: SocketAddress?
    }

    /// Bound when the initialiser returns; fixed from then on.
    package let addresses: Addresses
    private let tunnels: EdgeTunnels
    private let configuration: EdgeConfiguration
    private let certificates: EdgeCertificates
    private let endpoint: EdgeEndpoint
    private let router: TunnelRouter
    private let visitors: VisitorServer
    /// Nil when connectors may have no TCP ports.
    private let ports: TCPPorts?
    private let tcpVisitors: TCPVisitors
    private let listeners: EdgeListeners
    private let isStopping = Flag()
    private let logger: Logger

    /// Starts everything; when this returns, visitors and connectors are served.
    ///
    /// `agent` is this program and its version, as `culvert/1.0`. `metrics` counts what happens. `issued` makes
    /// certificates on demand, for a development edge; `passed` are listening sockets to use instead of own;
    /// `accessLog` is told of each request at its end, on a visitor's event loop.
    ///
    /// - Throws: what keeps it from starting: a certificate, a port, the store.
    package init(
        _ configuration: EdgeConfiguration,
        agent: String = "culvert",
        issued: IssuedCertificates? = nil,
        passed: PassedSockets = PassedSockets(),
        metrics: EdgeMetrics,
        group: any EventLoopGroup,
        logger: Logger,
        accessLog: (@Sendable (AccessRecord) -> Void)? = nil
    ) async throws {
        self.configuration = configuration
        self.logger = logger
        let certificates = try EdgeCertificates(configuration, issued: issued, logger: logger)
        self.certificates = certificates
        self.tunnels = try await EdgeTunnels(configuration, logger: logger)
        let publicPort = PublicPort(configuration.listen.https.port)
        let ports = configuration.listen.tcpPorts.map {
            TCPPorts($0, publicHost: configuration.connect.name, group: group, logger: logger)
        }
        self.ports = ports
        self.endpoint = try EdgeEndpoint(
            connectHost: configuration.connect.name,
            certificates: certificates.forTransport(),
            maximumConnections: configuration.limits.tunnelConnections,
            configuration: SessionConfiguration(configuration),
            group: group,
            authority: EdgeAuthority(
                directory: self.tunnels.directory,
                events: self.tunnels.events,
                ports: ports,
                publicURL: { publicPort.url(of: $0) },
                metrics: metrics.sessions,
                logger: logger
            ),
            logger: logger
        )
        let router = TunnelRouter(
            directory: self.tunnels.directory,
            host: self.endpoint.host,
            maximumWaiting: configuration.limits.waitingRequests,
            maximumStreams: configuration.limits.streamsPerSession
        )
        self.router = router
        let control = ControlServer.of(
            self.tunnels,
            configuration,
            port: { publicPort.number },
            agent: agent,
            endpoint: self.endpoint,
            certificates: certificates.store,
            metrics: metrics,
            logger: logger
        )
        let log: @Sendable (AccessRecord) -> Void = { [tunnels = self.tunnels] record in
            metrics.count(record)
            tunnels.tell(record)
            accessLog?(record)
        }
        self.visitors = VisitorServer(
            configuration: VisitorConfiguration(configuration),
            router: control.map {
                ControlRouter(host: $0.host, server: $0.server, tunnels: router)
            } ?? router,
            isAuthoritative: { certificates.store.sameCertificate(serverName: $0, host: $1) },
            accessLog: log
        )
        let counter = ConnectionCounter(limits: .init(configuration.limits))
        let tcpVisitors = TCPVisitors(
            service: TCPVisitor.Service(
                router: router,
                routeTimeout: self.visitors.configuration.timeouts.route,
                accessLog: log
            ),
            counter: counter
        )
        self.tcpVisitors = tcpVisitors
        ports?.serve { try tcpVisitors.accept($0, port: $1) }
        self.endpoint.start()
        let isStopping = self.isStopping
        do {
            (self.listeners, self.addresses) = try await EdgeListeners.open(
                configuration,
                passed: passed,
                certificates: certificates.store,
                counter: counter,
                endpoint: self.endpoint,
                visitors: self.visitors,
                status: StatusRoutes.edge(metrics.registry) {
                    isStopping.isSet ? "the edge is stopping" : nil
                },
                group: group,
                logger: logger
            )
        } catch {
            self.endpoint.shutdown()
            throw error
        }
        publicPort.set(self.addresses.https.port ?? 443)
        metrics.observe(
            visitors: self.visitors,
            directory: self.tunnels.directory,
            certificates: certificates.store
        )
    }

    /// Takes over what of a configuration can change while the edge runs: the tunnels that it declares.
    ///
    /// - Returns: the keys that differ besides, and count from the next start on.
    /// - Throws: `RouteTableError` when two tunnels have the same hostname, `CertificateStoreError` when the
    ///   next start would fail of its certificates; nothing is changed then.
    package func reload(_ fresh: EdgeConfiguration) throws -> [String] {
        if fresh.certificates != self.configuration.certificates {
            _ = try CertificateStore(fresh.certificates)
        }
        try self.tunnels.replaceDeclared(fresh.tunnels, self.endpoint)
        return fresh.keysThatDiffer(from: self.configuration)
    }

    /// Keeps what changes with time up to date (certificate files, tunnels of the store) until the
    /// task is cancelled.
    package func maintain() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.maintainCertificates() }
            group.addTask { await self.tunnels.maintain(self.endpoint) }
            group.addTask { await self.tunnels.events.keepAlive() }
        }
    }

    private func maintainCertificates() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(10))
            if let fresh = self.certificates.refresh() { self.endpoint.replaceCertificates(fresh) }
        }
    }

    /// Stops: takes no new connection, lets requests under way end, then the tunnels.
    ///
    /// What waits for a connector is answered at once, and what is under way on a session that has lost its
    /// link fails: to a process that takes no connections nobody comes back. Returns when all is over, at the
    /// latest after the grace period.
    package func drain() async {
        self.isStopping.set()
        self.logger.info(
            "Stopping: no new connections",
            metadata: ["visitor-connections": "\(self.visitors.connectionCount)"]
        )
        self.endpoint.drain { [router] in router.drain() }
        self.tunnels.events.finish()
        await self.listeners.stopAccepting()
        self.endpoint.adoptNoMore()
        await self.ports?.stopAccepting()
        let deadline = NIODeadline.now() + TimeAmount(self.configuration.gracePeriod)
        await self.visitors.drain(deadline: deadline)
        await self.tcpVisitors.drain(deadline: deadline)
        self.stop()
        await self.listeners.closeStatus()
        await self.tunnels.close()
        self.logger.info("Stopped")
    }

    /// Stops at once; requests under way fail.
    package func stop() {
        self.listeners.shutdownDoor()
        self.endpoint.closeSessions(.shutdown, reason: "the edge stops") { _ in true }
        self.endpoint.shutdown()
    }
}

/// Why an edge cannot start, where no other error says it.
package struct EdgeStartError: Error, CustomStringConvertible {
    /// For a person, without a full stop.
    package var message: String

    package var description: String { self.message }
}

/// Set once, read anywhere.
private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { self.value.load(ordering: .relaxed) }

    func set() { self.value.store(true, ordering: .relaxed) }
}

/// The port that public URLs name; known once the listener is bound.
private final class PublicPort: Sendable {
    private let port: Atomic<Int>

    init(_ port: Int) { self.port = Atomic(port) }

    func set(_ port: Int) { self.port.store(port, ordering: .relaxed) }

    var number: Int { self.port.load(ordering: .relaxed) }

    func url(of host: String) -> String {
        let port = self.number
        return port == 443 ? "https://\(host)" : "https://\(host):\(port)"
    }
}

extension SessionConfiguration {
    fileprivate init(_ configuration: EdgeConfiguration) {
        self.init()
        // Connectors open none; how many the edge opens, its router limits.
        self.limits.streams = 0
        self.resumeWindow = Interval(
            nanoseconds: UInt64(max(0, TimeAmount(configuration.resumeWindow).nanoseconds))
        )
    }
}

extension ControlServer {
    /// The API of an edge that has a store and a control host, and that host; nil of any other.
    fileprivate static func of(
        _ tunnels: EdgeTunnels,
        _ configuration: EdgeConfiguration,
        port: @escaping @Sendable () -> Int,
        agent: String,
        endpoint: EdgeEndpoint,
        certificates: CertificateStore,
        metrics: EdgeMetrics,
        logger: Logger
    ) -> (server: ControlServer, host: NormalizedHost)? {
        guard let control = tunnels.control, let host = configuration.control else { return nil }
        let server = ControlServer(
            control: control,
            settings: ControlSettings(
                agent: agent,
                connect: configuration.connect,
                control: host,
                domain: configuration.domain,
                declared: { tunnels.declaredHostnames },
                port: port,
                isCertified: { certificates.covers($0) }
            ),
            presence: EdgePresence(
                control: control,
                directory: tunnels.directory,
                endpoint: endpoint,
                events: tunnels.events
            ),
            storeFailed: { metrics.storeFailed() },
            logger: logger
        )
        return (server, host)
    }
}
