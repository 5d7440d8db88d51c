import NIOCore
import NIOPosix
import NIOSSL
import TunnelWire

/// Who has a connection dialled.
protocol OriginDialOwner: AnyObject {
    func dialled(_ connection: OriginConnection)
    /// Only for an owner that offered HTTP/2.
    func dialled(_ connection: HTTP2OriginConnection)
    func dialFailed(_ failure: OriginFailure)
}

extension OriginDialOwner {
    /// Who did not offer HTTP/2 is given none.
    func dialled(_ connection: HTTP2OriginConnection) {
        assertionFailure("HTTP/2 was not offered")
        connection.close()
    }
}

/// Opens one connection for its owner: name, TCP or Unix socket, TLS, and for HTTP/2 the origin's
/// SETTINGS. Confined to its event loop.
final class OriginDial: OriginWait {
    private let pool: OriginPool
    /// Nil once it was told, or no longer wants to be.
    private var owner: (any OriginDialOwner)?
    private var offersHTTP2: Bool
    /// What is being connected: several when addresses race (RFC 8305).
    private var channels: [any Channel] = []
    private var stepTimer: Scheduled<Void>?

    init(pool: OriginPool, owner: any OriginDialOwner, offersHTTP2: Bool) {
        self.pool = pool
        self.owner = owner
        self.offersHTTP2 = offersHTTP2
    }

    /// Sockets that are being connected are closed, too.
    func cancel() {
        self.owner = nil
        let channels = self.channels
        self.channels.removeAll()
        for channel in channels { channel.close(promise: nil) }
    }

    func start(tls contexts: OriginTLSContexts?) {
        guard self.pool.target.service.isTLS, let contexts else { return self.connect(tls: nil) }
        contexts.context(
            for: self.pool.target.options,
            offersHTTP2: self.offersHTTP2,
            on: self.pool.eventLoop
        ).assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let context): self.connect(tls: context)
                case .failure(let error):
                    self.fail(.originUnreachable, "TLS settings: \(error)")
                }
            }
    }

    private func connect(tls: NIOSSLContext?) {
        guard self.owner != nil else { return self.pool.dialEnded() }
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
        guard self.owner != nil else { throw CancellationError() }
        self.channels.append(channel)
        guard let tls else {
            // In the clear, HTTP/2 is spoken by prior knowledge (RFC 9113 §3.3).
            return try Self.speak(self.offersHTTP2 ? "h2" : nil, on: channel)
        }
        let name = self.pool.serverName
        try channel.pipeline.syncOperations.addHandlers(
            NIOSSLClientHandler(context: tls, serverHostname: name),
            OriginHandshake { channel, agreed in try Self.speak(agreed, on: channel) }
        )
    }

    private static func speak(_ agreed: String?, on channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        if agreed == "h2" {
            try pipeline.addHTTP2Origin()
        } else {
            try pipeline.addHandler(OriginConnection())
        }
    }

    private func connected(_ channel: any Channel, isTLS: Bool) {
        self.channels = [channel]
        guard self.owner != nil else {
            channel.close(promise: nil)
            self.channels.removeAll()
            return self.pool.dialEnded()
        }
        guard isTLS else { return self.established(channel) }
        let pipeline = channel.pipeline.syncOperations
        // Not there any more: it is done already.
        guard let handshake = try? pipeline.handler(type: OriginHandshake.self) else {
            return self.established(channel)
        }
        let promise = self.beginStep { result in
            switch result {
            case .success: self.established(channel)
            case .failure(let error):
                channel.closeAtOnce()
                self.failStep("TLS", error, late: "no TLS handshake") {
                    OriginAdvice.tls(
                        $0,
                        serverName: self.pool.serverName,
                        offersHTTP2: self.offersHTTP2
                    )
                }
            }
        }
        handshake.wait(promise)
    }

    /// What speaks the agreed protocol is in place.
    private func established(_ channel: any Channel) {
        let pipeline = channel.pipeline.syncOperations
        if let connection = try? pipeline.handler(type: OriginConnection.self) {
            return self.succeed(connection)
        }
        guard let connection = try? pipeline.handler(type: HTTP2OriginConnection.self) else {
            channel.close(promise: nil)
            return self.fail(.originUnreachable, "closed while connecting")
        }
        let promise = self.beginStep { result in
            switch result {
            case .success: self.succeed(connection)
            case .failure(let error):
                channel.closeAtOnce()
                self.failHTTP2(error)
            }
        }
        connection.awaitSettings(promise)
    }

    /// A step of the dial that may take `tlsTimeout`.
    private func beginStep(
        _ end: @escaping (Result<Void, any Error>) -> Void
    ) -> EventLoopPromise<Void> {
        let promise = self.pool.eventLoop.makePromise(of: Void.self)
        let timeout = TimeAmount(self.pool.target.options.tlsTimeout)
        self.stepTimer = self.pool.eventLoop.scheduleTask(in: timeout) {
            promise.fail(ChannelError.connectTimeout(timeout))
        }
        promise.futureResult.assumeIsolated().whenComplete { result in
            self.stepTimer?.cancel()
            end(result)
        }
        return promise
    }

    private func succeed(_ connection: OriginConnection) {
        self.channels.removeAll()
        guard let owner else {
            connection.abandon()
            return self.pool.dialEnded()
        }
        guard connection.join(self.pool) else {
            return self.fail(.originUnreachable, "closed by the origin at once")
        }
        self.owner = nil
        owner.dialled(connection)
    }

    private func succeed(_ connection: HTTP2OriginConnection) {
        self.channels.removeAll()
        guard let owner else {
            connection.close()
            return self.pool.dialEnded()
        }
        self.owner = nil
        owner.dialled(connection)
    }

    private func failConnect(_ error: any Error) {
        let errors = (error as? NIOConnectionError).map { $0.connectionErrors.map(\.error) }
        let isTimeout = ([error] + (errors ?? [])).contains { error in
            if case .connectTimeout = error as? ChannelError { true } else { false }
        }
        self.fail(isTimeout ? .originTimeout : .originUnreachable, "connect: \(error)")
    }

    /// In the clear, an origin that answers HTTP/2's preface with something else, or hangs up, is dialled
    /// again for HTTP/1.1: no request has been sent. One that is silent is not: it may just be slow.
    private func failHTTP2(_ error: any Error) {
        let isSilent = if case .connectTimeout = error as? ChannelError { true } else { false }
        guard !self.pool.target.service.isTLS, !isSilent, !(error is OriginFailure) else {
            return self.failStep("HTTP/2", error, late: "no SETTINGS of HTTP/2")
        }
        self.offersHTTP2 = false
        self.channels.removeAll()
        self.connect(tls: nil)
    }

    private func failStep(
        _ step: String,
        _ error: any Error,
        late: String,
        words: (any Error) -> String = { "\($0)" }
    ) {
        if case .connectTimeout(let time) = error as? ChannelError {
            let seconds = Double(time.nanoseconds) / 1e9
            return self.fail(.originTimeout, "\(late) within \(seconds) s")
        }
        self.fail(.originUnreachable, "\(step): \(words(error))")
    }

    private func fail(_ code: ResetCode, _ detail: String) {
        self.channels.removeAll()
        self.pool.dialEnded()
        guard let owner else { return }
        self.owner = nil
        owner.dialFailed(OriginFailure(code, "\(self.pool.target.name): \(detail)"))
    }
}

@available(*, unavailable)
extension OriginDial: Sendable {}
