internal import ConfigurationFile
internal import HTTPSemantics
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import StatusServer
internal import TunnelLink

/// The sockets an edge listens on: the front door, plain HTTP, and the status pages.
struct EdgeListeners: Sendable {
    private let group: any EventLoopGroup
    private let door: FrontDoor
    private let plain: (any Channel)?
    private let status: StatusServer?

    /// How long a connection that is inside when the edge stops has for its ClientHello.
    private static let lastHellos = TimeAmount.seconds(1)

    /// Opens all of them, but for those that were passed; visitors and connectors are served when this
    /// returns.
    ///
    /// - Throws: the first port that cannot be listened on, or socket that is not asked for; what was opened
    ///   before is closed.
    static func open(
        _ configuration: EdgeConfiguration,
        passed: PassedSockets,
        certificates: CertificateStore,
        counter: ConnectionCounter,
        endpoint: EdgeEndpoint,
        visitors: VisitorServer,
        status routes: StatusRoutes.Routes,
        group: any EventLoopGroup,
        logger: Logger
    ) async throws -> (Self, Edge.Addresses) {
        let passed = try passed.assigned(to: configuration.listen)
        configuration.listen.report(passed, to: logger)
        let door = Self.makeDoor(
            configuration,
            certificates: certificates,
            counter: counter,
            endpoint: endpoint,
            visitors: visitors,
            group: group,
            logger: logger
        )
        let https =
            if let socket = passed[.https] {
                try door.start(passed: socket.descriptor)
            } else {
                try door.start(bind: SocketAddress(configuration.listen.https))
            }
        var addresses = Edge.Addresses(https: https)
        var plain: (any Channel)?
        do {
            plain = try await Self.listenPlain(
                configuration,
                passed: passed[.http],
                httpsPort: https.port ?? 443,
                counter: counter,
                visitors: visitors,
                group: group
            )
            addresses.http = plain?.localAddress
            var status: StatusServer?
            if let address = configuration.listen.metrics {
                let server = StatusServer(routes: routes, logger: logger)
                addresses.metrics = try await server.start(
                    on: (address.host, address.port),
                    passed: passed[.metrics]?.descriptor,
                    group: group
                )
                status = server
            }
            return (Self(group: group, door: door, plain: plain, status: status), addresses)
        } catch {
            door.shutdown()
            try? await plain?.close()
            throw error
        }
    }

    /// Takes no connection any more; those that are there are served on. The loops have taken over
    /// every accepted one when this returns, but for those without a ClientHello after a second.
    func stopAccepting() async {
        self.door.stopAccepting()
        try? await self.plain?.close()
        await self.door.greetingsEnd(deadline: .now() + Self.lastHellos)
        // One round to take a socket over, one to set its channel up.
        for _ in 0..<2 {
            for loop in self.group.makeIterator() { try? await loop.submit {}.get() }
        }
    }

    func shutdownDoor() { self.door.shutdown() }

    func closeStatus() async { await self.status?.stop() }

    // MARK: -

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
        passed: PassedSockets.Socket?,
        httpsPort: Int,
        counter: ConnectionCounter,
        visitors: VisitorServer,
        group: any EventLoopGroup
    ) async throws -> (any Channel)? {
        let plain: PlainPolicy =
            configuration.listen.plain == .serve ? .serve : .redirect(httpsPort: httpsPort)
        guard let address = configuration.listen.http else { return nil }
        let trusted = configuration.trustedProxies
        let bootstrap = ServerBootstrap(group: group)
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
                        ),
                        requests: permit.requests
                    )
                    try visitors.accept(channel, info, tls: nil, plain: plain)
                }
            }
        if let passed { return try await bootstrap.withBoundSocket(passed.descriptor).get() }
        return try await bootstrap.bind(to: SocketAddress(address)).get()
    }
}

extension EdgeConfiguration.Listen {
    /// Says which sockets were passed, and where they are not what the file says.
    fileprivate func report(
        _ passed: [PassedSockets.Key: PassedSockets.Socket],
        to logger: Logger
    ) {
        for (key, address) in [
            (PassedSockets.Key.https, self.https), (.http, self.http), (.metrics, self.metrics),
        ] {
            guard let socket = passed[key], let address else { continue }
            logger.info(
                "Listening on a socket that was passed",
                metadata: ["key": "\(key.rawValue)", "address": "\(socket.address)"]
            )
            guard socket.address.port != address.port else { continue }
            logger.notice(
                "The passed socket counts, and not the file's address",
                metadata: ["key": "listen.\(key.rawValue)", "file": "\(address)"]
            )
        }
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
            serverName: accepted.hello.serverName,
            requests: accepted.requests
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
