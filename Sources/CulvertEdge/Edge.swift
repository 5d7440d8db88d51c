internal import ConfigurationFile
internal import HTTPSemantics
package import Logging
package import NIOCore
internal import NIOPosix
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
///
/// Any thread.
package final class Edge: Sendable {
    /// Where it listens, with the ports that the kernel chose for port 0.
    package struct Addresses: Sendable {
        package var https: SocketAddress
        package var http: SocketAddress?
        /// Where `/metrics`, `/healthz` and `/readyz` are; nil when off.
        package var metrics: SocketAddress?
    }

    package let addresses: Addresses
    package let directory: TunnelDirectory
    private let configuration: EdgeConfiguration
    private let certificates: CertificateStore
    private let connectFiles: CertificateFiles
    private let endpoint: EdgeEndpoint
    private let visitors: VisitorServer
    private let door: FrontDoor
    private let plainListener: (any Channel)?
    private let status: StatusServer?
    private let isStopping = Flag()
    private let logger: Logger

    /// Starts everything; when this returns, visitors and connectors are served.
    ///
    /// `metrics` counts what happens. `issued` makes certificates on demand, for a development edge; `accessLog` is told of each
    /// request at its end, on a visitor's event loop.
    ///
    /// - Throws: what keeps it from starting: a certificate, a port, a hostname that two tunnels have.
    package init(
        _ configuration: EdgeConfiguration,
        issued: IssuedCertificates? = nil,
        metrics: EdgeMetrics,
        group: any EventLoopGroup,
        logger: Logger,
        accessLog: (@Sendable (AccessRecord) -> Void)? = nil
    ) async throws {
        self.configuration = configuration
        self.logger = logger
        let files = configuration.certificates.map {
            CertificateFiles(certificate: $0.certificate, key: $0.key)
        }
        let certificates = try CertificateStore(files, issued: issued)
        self.certificates = certificates
        for warning in certificates.warnings() { logger.warning("\(warning)") }
        guard let connectFiles = certificates.files(for: configuration.connect.name) ?? files.first
        else { throw EdgeStartError(message: "no certificate is configured") }
        self.connectFiles = connectFiles
        self.directory = try TunnelDirectory(
            tunnels: configuration.tunnels.map {
                .init(name: $0.name, publicKey: $0.publicKey.bytes, hostnames: $0.hostnames)
            },
            domain: configuration.domain,
            connectHost: configuration.connect
        )
        let publicPort = PublicPort(configuration.listen.https.port)
        self.endpoint = try EdgeEndpoint(
            connectHost: configuration.connect.name,
            certificates: ServerCertificates([connectFiles.forTransport]),
            maximumConnections: EdgeEndpoint.maximumSessions,
            configuration: SessionConfiguration(configuration),
            group: group,
            authority: EdgeAuthority(
                directory: self.directory,
                publicURL: { publicPort.url(of: $0) },
                metrics: metrics.sessions,
                logger: logger
            ),
            logger: logger
        )
        let router = TunnelRouter(
            directory: self.directory,
            host: self.endpoint.host,
            maximumWaiting: configuration.limits.waitingRequests,
            maximumStreams: configuration.limits.streamsPerSession
        )
        let https = try SocketAddress(configuration.listen.https)
        self.visitors = VisitorServer(
            configuration: VisitorConfiguration(configuration),
            router: router,
            isAuthoritative: { certificates.sameCertificate(serverName: $0, host: $1) },
            accessLog: { record in
                metrics.count(record)
                accessLog?(record)
            }
        )
        let counter = ConnectionCounter(limits: .init(configuration.limits))
        self.door = Self.makeDoor(
            configuration,
            certificates: certificates,
            counter: counter,
            endpoint: self.endpoint,
            visitors: self.visitors,
            group: group,
            logger: logger
        )
        self.endpoint.start()
        let bound = try self.door.start(bind: https)
        publicPort.set(bound.port ?? 443)
        self.plainListener = try await Self.listenPlain(
            configuration,
            httpsPort: bound.port ?? 443,
            counter: counter,
            visitors: self.visitors,
            group: group
        )
        metrics.observe(visitors: self.visitors, directory: self.directory)
        let isStopping = self.isStopping
        var statusAddress: SocketAddress?
        if let address = configuration.listen.metrics {
            let routes = StatusRoutes.edge(metrics.registry) {
                isStopping.isSet ? "the edge is stopping" : nil
            }
            let status = StatusServer(routes: routes, logger: logger)
            statusAddress = try await status.start(on: (address.host, address.port), group: group)
            self.status = status
        } else {
            self.status = nil
        }
        self.addresses = Addresses(
            https: bound,
            http: self.plainListener?.localAddress,
            metrics: statusAddress
        )
    }

    private static func makeDoor(
        _ configuration: EdgeConfiguration,
        certificates: CertificateStore,
        counter: ConnectionCounter,
        endpoint: EdgeEndpoint,
        visitors: VisitorServer,
        group: any EventLoopGroup,
        logger: Logger
    ) -> FrontDoor {
        let trusted = configuration.trustedProxies
        let sockets = VisitorSockets(group: group) { channel, accepted in
            channel.eventLoop.makeCompletedFuture {
                let info = try VisitorInfo(accepted, trustedProxies: trusted)
                let context = certificates.certificate(for: accepted.hello.serverName).context
                try visitors.accept(channel, info, tls: context)
            }
        }
        return FrontDoor(
            configuration: FrontDoor.Configuration(
                connectHost: configuration.connect.name,
                helloTimeout: TimeAmount(configuration.limits.headerTimeout)
            ),
            counter: counter,
            logger: logger,
            visitors: { sockets.adopt($0) },
            tunnels: { socket in
                guard let descriptor = socket.take() else { return }
                endpoint.adopt(socket: descriptor, peer: "\(socket.peer)", permit: socket.permit)
            }
        )
    }

    private static func listenPlain(
        _ configuration: EdgeConfiguration,
        httpsPort: Int,
        counter: ConnectionCounter,
        visitors: VisitorServer,
        group: any EventLoopGroup
    ) async throws -> (any Channel)? {
        let plain: PlainPolicy =
            configuration.listen.plain == .serve ? .serve : .redirect(httpsPort: httpsPort)
        guard let address = configuration.listen.http else { return nil }
        let trusted = configuration.trustedProxies
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let remote = channel.remoteAddress, let peer = PeerAddress(remote),
                        let address = IPAddress(peer.ip)
                    else { throw ChannelError.ioOnClosedChannel }
                    let permit = try counter.admit(peer)
                    channel.closeFuture.whenComplete { _ in permit.release() }
                    let info = VisitorInfo(
                        connection: VisitorConnection(
                            peer: address,
                            scheme: "http",
                            trustedProxies: trusted
                        )
                    )
                    try visitors.accept(channel, info, tls: nil, plain: plain)
                }
            }
            .bind(to: SocketAddress(address))
            .get()
    }

    /// Keeps what changes with time up to date (certificate files) until the task is cancelled.
    package func maintain() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(10))
            let report = self.certificates.refreshIfChanged()
            for failure in report.failures {
                self.logger.error("Certificate not reloaded", metadata: ["reason": "\(failure)"])
            }
            guard !report.reloaded.isEmpty else { continue }
            self.logger.info(
                "Certificates reloaded",
                metadata: ["count": "\(report.reloaded.count)"]
            )
            do {
                self.endpoint.replaceCertificates(
                    try ServerCertificates([self.connectFiles.forTransport])
                )
            } catch {
                self.logger.error("Certificate not reloaded", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Stops: takes no new connection, lets requests under way end, then the tunnels.
    ///
    /// Returns when all is over, at the latest after the grace period.
    package func drain() async {
        self.isStopping.set()
        self.logger.info(
            "Stopping: no new connections",
            metadata: ["visitor-connections": "\(self.visitors.connectionCount)"]
        )
        self.endpoint.drain()
        self.door.stopAccepting()
        try? await self.plainListener?.close()
        await self.visitors.drain(
            deadline: .now() + TimeAmount(self.configuration.gracePeriod)
        )
        self.stop()
        await self.status?.stop()
        self.logger.info("Stopped")
    }

    /// Stops at once; requests under way fail.
    package func stop() {
        self.door.shutdown()
        self.endpoint.closeSessions(.shutdown, reason: "the edge stops") { _ in true }
        self.endpoint.shutdown()
    }
}

/// Why an edge cannot start, where no other error says it.
package struct EdgeStartError: Error, CustomStringConvertible {
    package var message: String

    package var description: String { self.message }
}

/// Set once, read anywhere.
private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { self.value.load(ordering: .relaxed) }

    func set() { self.value.store(true, ordering: .relaxed) }
}

extension EdgeMetrics {
    fileprivate func count(_ record: AccessRecord) {
        self.requestEnded(
            status: record.status,
            host: record.hostname,
            bytesIn: record.requestBytes,
            bytesOut: record.responseBytes,
            nanoseconds: record.durationNanoseconds,
            error: record.errorCode
        )
    }

    fileprivate func observe(visitors: VisitorServer, directory: TunnelDirectory) {
        self.observe(
            visitorConnections: { visitors.connectionCount },
            tunnels: {
                directory.report.map { row in
                    let states = row.sessions.map(\.availability)
                    return Tunnel(
                        name: row.name,
                        connectedSessions: states.count { $0 == .connected },
                        interruptedSessions: states.count { $0 == .waiting },
                        streams: row.sessions.reduce(0) { $0 + $1.load.count },
                        waitingRequests: row.waiting
                    )
                }
            }
        )
    }
}

/// The port that public URLs name; known once the listener is bound.
private final class PublicPort: Sendable {
    private let port: Atomic<Int>

    init(_ port: Int) { self.port = Atomic(port) }

    func set(_ port: Int) { self.port.store(port, ordering: .relaxed) }

    func url(of host: String) -> String {
        let port = self.port.load(ordering: .relaxed)
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

extension CertificateFiles {
    fileprivate var forTransport: ServerCertificates.Files {
        .init(certificate: self.certificate, key: self.key)
    }
}

extension VisitorInfo {
    fileprivate init(_ accepted: AcceptedVisitor, trustedProxies: [AddressRange]) throws {
        guard let address = IPAddress(accepted.peer.ip) else {
            throw ChannelError.ioOnClosedChannel
        }
        self.init(
            connection: VisitorConnection(
                peer: address,
                scheme: "https",
                trustedProxies: trustedProxies
            ),
            serverName: accepted.hello.serverName
        )
    }
}

extension SocketAddress {
    fileprivate init(_ address: HostPort) throws {
        if let numeric = try? SocketAddress(ipAddress: address.host, port: address.port) {
            self = numeric
        } else {
            self = try SocketAddress.makeAddressResolvingHost(address.host, port: address.port)
        }
    }
}
