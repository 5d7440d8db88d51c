import NIOCore
import NIOPosix
import NIOSSL
import TunnelWire

/// Opens one connection for one exchange: name, TCP or Unix socket, TLS. Confined to its event loop.
final class OriginDial {
    private let pool: OriginPool
    /// Nil once it was told, or no longer wants to be.
    private var exchange: OriginExchange?
    /// What is being connected: several when addresses race (RFC 8305).
    private var channels: [any Channel] = []
    private var handshakeTimer: Scheduled<Void>?

    init(pool: OriginPool, exchange: OriginExchange) {
        self.pool = pool
        self.exchange = exchange
    }

    /// Stops: nobody is told, and sockets that are being connected are closed.
    func cancel() {
        self.exchange = nil
        let channels = self.channels
        self.channels.removeAll()
        for channel in channels { channel.close(promise: nil) }
    }

    func start(tls contexts: OriginTLSContexts?) {
        guard self.pool.target.service.isTLS, let contexts else { return self.connect(tls: nil) }
        contexts.context(for: self.pool.target.options, on: self.pool.eventLoop)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let context): self.connect(tls: context)
                case .failure(let error):
                    self.fail(.originUnreachable, "TLS settings: \(error)")
                }
            }
    }

    private func connect(tls: NIOSSLContext?) {
        guard self.exchange != nil else { return self.pool.dialEnded() }
        let bootstrap = self.bootstrap(tls: tls)
        let loop = self.pool.eventLoop
        let connecting: EventLoopFuture<any Channel>
        switch self.pool.target.service {
        case .http(let host, let port), .https(let host, let port):
            if let address = try? SocketAddress(ipAddress: host, port: port) {
                connecting = bootstrap.connect(to: address)
            } else if let addresses = SerialConnect.loopback(host, port) {
                connecting = SerialConnect.run(bootstrap, addresses: addresses, on: loop)
            } else if self.pool.target.options.noHappyEyeballs {
                connecting = SerialConnect.run(bootstrap, host: host, port: port, on: loop)
            } else {
                connecting = bootstrap.connect(host: host, port: port)
            }
        case .unix(let path), .unixTLS(let path):
            connecting = bootstrap.connect(unixDomainSocketPath: path)
        case .httpStatus, .helloWorld, .tcp, .bastion, .socksProxy:
            // Answered by `LocalExchange`, or carried by `TCPExchange`.
            connecting = loop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        connecting.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel, isTLS: tls != nil)
            case .failure(let error): self.failConnect(error)
            }
        }
    }

    private func bootstrap(tls: NIOSSLContext?) -> ClientBootstrap {
        let options = self.pool.target.options
        let dial = NIOLoopBound(self, eventLoop: self.pool.eventLoop)
        let bootstrap = ClientBootstrap(group: self.pool.eventLoop)
            .origin(options)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try dial.value.configure(channel, tls: tls)
                }
            }
        switch self.pool.target.service {
        case .http, .https: return bootstrap.tcp(options)
        case .unix, .unixTLS, .httpStatus, .helloWorld, .tcp, .bastion, .socksProxy:
            return bootstrap
        }
    }

    /// Makes a channel an origin's connection. With racing addresses there are several; the losers
    /// are closed unused.
    private func configure(_ channel: any Channel, tls: NIOSSLContext?) throws {
        guard self.exchange != nil else { throw CancellationError() }
        self.channels.append(channel)
        let pipeline = channel.pipeline.syncOperations
        if let tls {
            let name = self.pool.serverName
            try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
        }
        try pipeline.addHandler(OriginConnection())
    }

    private func connected(_ channel: any Channel, isTLS: Bool) {
        self.channels = [channel]
        let pipeline = channel.pipeline.syncOperations
        guard self.exchange != nil,
            let connection = try? pipeline.handler(type: OriginConnection.self)
        else {
            channel.close(promise: nil)
            self.channels.removeAll()
            return self.exchange == nil
                ? self.pool.dialEnded() : self.fail(.originUnreachable, "closed while connecting")
        }
        guard isTLS else { return self.succeed(connection) }
        let handshake = self.pool.eventLoop.makePromise(of: Void.self)
        let timeout = TimeAmount(self.pool.target.options.tlsTimeout)
        let promise = handshake
        self.handshakeTimer = self.pool.eventLoop.scheduleTask(in: timeout) {
            promise.fail(ChannelError.connectTimeout(timeout))
        }
        handshake.futureResult.assumeIsolated().whenComplete { result in
            self.handshakeTimer?.cancel()
            switch result {
            case .success: self.succeed(connection)
            case .failure(let error):
                connection.abandon()
                self.failHandshake(error)
            }
        }
        connection.awaitHandshake(handshake)
    }

    private func succeed(_ connection: OriginConnection) {
        self.channels.removeAll()
        guard let exchange else {
            connection.abandon()
            return self.pool.dialEnded()
        }
        self.exchange = nil
        guard connection.join(self.pool) else {
            self.pool.dialEnded()
            let failure = OriginFailure(.originUnreachable, "closed by the origin at once")
            return exchange.dialFailed(failure)
        }
        exchange.dialled(connection)
    }

    private func failConnect(_ error: any Error) {
        let errors = (error as? NIOConnectionError).map { $0.connectionErrors.map(\.error) }
        let isTimeout = ([error] + (errors ?? [])).contains { error in
            if case .connectTimeout = error as? ChannelError { true } else { false }
        }
        self.fail(isTimeout ? .originTimeout : .originUnreachable, "connect: \(error)")
    }

    private func failHandshake(_ error: any Error) {
        if case .connectTimeout(let time) = error as? ChannelError {
            let seconds = Double(time.nanoseconds) / 1e9
            return self.fail(.originTimeout, "no TLS handshake within \(seconds) s")
        }
        self.fail(.originUnreachable, "TLS: \(error)")
    }

    private func fail(_ code: ResetCode, _ detail: String) {
        self.channels.removeAll()
        self.pool.dialEnded()
        guard let exchange else { return }
        self.exchange = nil
        exchange.dialFailed(OriginFailure(code, "\(self.pool.target.name): \(detail)"))
    }
}

@available(*, unavailable)
extension OriginDial: Sendable {}
