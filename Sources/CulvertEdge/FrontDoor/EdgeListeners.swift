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

    /// Opens all of them; visitors and connectors are served when this returns.
    ///
    /// - Throws: the first port that cannot be listened on; what was opened before is closed.
    static func open(
        _ configuration: EdgeConfiguration,
        certificates: CertificateStore,
        counter: ConnectionCounter,
        endpoint: EdgeEndpoint,
        visitors: VisitorServer,
        status routes: StatusRoutes.Routes,
        group: any EventLoopGroup,
        logger: Logger
    ) async throws -> (Self, Edge.Addresses) {
        let door = Self.makeDoor(
            configuration,
            certificates: certificates,
            counter: counter,
            endpoint: endpoint,
            visitors: visitors,
            group: group,
            logger: logger
        )
        let https = try door.start(bind: SocketAddress(configuration.listen.https))
        var addresses = Edge.Addresses(https: https)
        var plain: (any Channel)?
        do {
            plain = try await Self.listenPlain(
                configuration,
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
    /// every accepted one when this returns.
    func stopAccepting() async {
        self.door.stopAccepting()
        try? await self.plain?.close()
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
