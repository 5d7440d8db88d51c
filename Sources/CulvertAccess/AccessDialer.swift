internal import ConfigurationFile
internal import Glibc
package import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// Opens WebSockets to a hostname: TCP, TLS, upgrade. Any thread.
package struct AccessDialer: Sendable {
    /// For TCP, name resolution included.
    private static let connectTime = TimeAmount.seconds(15)
    /// For TLS and the answer: an edge lets a request wait for a tunnel that is away, 30 s by default.
    private static let answerTime = TimeAmount.seconds(90)
    /// Unwritten bytes above which an end takes no more, and below which it does again.
    static let highWaterBytes = 64 * 1024
    static let lowWaterBytes = 16 * 1024

    private let target: AccessTarget
    private let tls: NIOSSLContext
    private let logger: Logger

    /// `logger` is for what does not keep a connection from being opened.
    ///
    /// - Throws: `AccessError` when the CA file cannot be read.
    package init(_ target: AccessTarget, logger: Logger) throws(AccessError) {
        self.target = target
        self.logger = logger
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do {
            if let path = target.caFile {
                let certificates = try NIOSSLCertificate.fromPEMFile(path)
                configuration.additionalTrustRoots = [.certificates(certificates)]
            }
            self.tls = try NIOSSLContext(configuration: configuration)
        } catch {
            throw .failed(
                "--ca-file \(target.caFile ?? ""): holds no certificate in PEM (\(error))"
            )
        }
    }

    /// Opens one for `local`, and carries it from then on; all on the local channel's event loop.
    ///
    /// - Returns: fulfilled when the connection has ended in order and everything was written locally;
    ///   failed with an `AccessError`.
    func carry(_ local: LocalEnd, on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let ended = eventLoop.makePromise(of: Void.self)
        let remote = RemoteEnd(local: local, ended: ended)
        let address = self.target.dialled
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.connectTime)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .writeBufferWaterMark,
                value: .init(low: Self.lowWaterBytes, high: Self.highWaterBytes)
            )
        bootstrap.connect(host: address.host, port: address.port).assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel): self.upgrade(channel, to: remote)
                case .failure(let error): remote.fail(self.connectError(error))
                }
            }
        return ended.futureResult
    }

    /// The handlers come before the first byte: none arrives until our hello has gone.
    private func upgrade(_ channel: any Channel, to remote: RemoteEnd) {
        let target = self.target
        let encoder = HTTPRequestEncoder()
        let decoder = ByteToMessageHandler(
            HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes)
        )
        let upgrade = UpgradeHandler(
            target: target,
            timeout: Self.answerTime,
            encoder: encoder,
            decoder: decoder,
            remote: remote,
            logger: self.logger
        )
        let pipeline = channel.pipeline.syncOperations
        do {
            let handler = try NIOSSLClientHandler(
                context: self.tls,
                serverHostname: target.serverName
            )
            try pipeline.addHandler(handler)
            try pipeline.addHandler(encoder)
            try pipeline.addHandler(decoder)
            try pipeline.addHandler(upgrade)
        } catch {
            channel.close(promise: nil)
            remote.fail(.failed("\(target.hostname): \(error)"))
        }
    }

    private func connectError(_ error: any Error) -> AccessError {
        let address = "\(self.target.dialled)"
        let failures: [any Error]
        if let error = error as? NIOConnectionError {
            failures = error.connectionErrors.map(\.error)
            if failures.isEmpty { return .nameNotFound(self.target.dialled.host) }
        } else {
            failures = [error]
        }
        for failure in failures {
            if (failure as? IOError)?.errnoCode == ECONNREFUSED { return .refused(address) }
            if case .connectTimeout = failure as? ChannelError {
                return .timedOut("\(address) did not take the connection")
            }
            if failure is SocketAddressError { return .nameNotFound(self.target.dialled.host) }
        }
        let words = AccessError.words(for: failures.first ?? error)
        return .failed("\(address) cannot be reached: \(words)")
    }
}
