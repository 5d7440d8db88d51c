import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// Goes the way to an edge step by step, and says of each how long it took and how it ended.
package struct EdgeProbe: Sendable {
    /// The name that the edge's certificate has to have; an address is asked for without one.
    package let serverName: String
    /// PEM certificates of authorities that are trusted beside the system's.
    package let authorities: [String]

    /// How long a connection may take, and how long a handshake.
    private static let patience = TimeAmount.seconds(5)

    package init(serverName: String, authorities: [String]) {
        self.serverName = serverName
        self.authorities = authorities
    }

    /// Connects to an address, and says how that went.
    ///
    /// - Returns: a line, and whether there was a connection; it is closed again.
    package func connect(_ address: String, port: Int) async -> (line: String, succeeded: Bool) {
        let place = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        let start = ContinuousClock.now
        do {
            let target = try SocketAddress(ipAddress: address, port: port)
            let channel = try await self.bootstrap.connect(to: target).get()
            channel.close(promise: nil)
            return ("TCP  \(place): connected \(Self.time(start))", true)
        } catch {
            return ("TCP  \(place): \(Self.words(error)) \(Self.time(start))", false)
        }
    }

    /// Makes two handshakes: one as a connector does, for what it thinks of the certificate, and one that
    /// takes any certificate, to show it. Nothing else is sent.
    package func handshake(_ address: String, port: Int) async -> [String] {
        var lines: [String] = []
        let start = ContinuousClock.now
        do {
            try await self.handshake(address, port, showing: nil)
            lines.append("TLS  as \(self.serverName): trusted \(Self.time(start))")
        } catch {
            lines.append("TLS  as \(self.serverName): \(Self.words(error)) \(Self.time(start))")
        }
        let shown = ShownCertificates()
        do {
            try await self.handshake(address, port, showing: shown)
        } catch {
            lines.append("     and no certificate could be had: \(Self.words(error))")
        }
        for (index, certificate) in shown.certificates.enumerated() {
            for (row, line) in CertificateText.lines(certificate).enumerated() {
                lines.append("     \(row == 0 ? "\(index): " : "   ")\(line)")
            }
        }
        return lines
    }

    private var bootstrap: ClientBootstrap {
        ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(Self.patience)
    }

    private func handshake(
        _ address: String,
        _ port: Int,
        showing shown: ShownCertificates?
    ) async throws {
        let context = try self.context()
        let name = self.serverName
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        let target = try SocketAddress(ipAddress: address, port: port)
        let done = try await self.bootstrap.connect(to: target) { channel in
            channel.eventLoop.makeCompletedFuture {
                let tls: NIOSSLClientHandler
                if let shown {
                    tls = try NIOSSLClientHandler(
                        context: context,
                        serverHostname: isAddress ? nil : name
                    ) { certificates, verdict in
                        shown.certificates = certificates
                        verdict.succeed(.certificateVerified)
                    }
                } else {
                    tls = try NIOSSLClientHandler(
                        context: context,
                        serverHostname: isAddress ? nil : name
                    )
                }
                let watch = HandshakeWatch(channel.eventLoop.makePromise())
                try channel.pipeline.syncOperations.addHandlers([tls, watch])
                channel.eventLoop.assumeIsolated().scheduleTask(in: Self.patience) {
                    watch.end(.failure(ChannelError.connectTimeout(Self.patience)))
                }
                return (channel, watch.done.futureResult)
            }
        }
        defer { done.0.close(promise: nil) }
        try await done.1.get()
    }

    private func context() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.shutdownTimeout = .milliseconds(200)
        if !self.authorities.isEmpty {
            configuration.additionalTrustRoots = try self.authorities.map { text in
                .certificates(try NIOSSLCertificate.fromPEMBytes(Array(text.utf8)))
            }
        }
        return try NIOSSLContext(configuration: configuration)
    }

    private static func time(_ start: ContinuousClock.Instant) -> String {
        let elapsed = ContinuousClock.now - start
        return "(\(elapsed / .milliseconds(1)) ms)".replacing(/\.\d+/, with: "")
    }

    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout: "no answer within 5 s"
        case NIOSSLError.handshakeFailed(let cause): "FAILED: \(cause)"
        case let error as NIOSSLExtraError: "FAILED: \(error)"
        default: "failed: \(error)"
        }
    }
}

/// Tells how a handshake ends. Confined to its channel's loop.
private final class HandshakeWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let done: EventLoopPromise<Void>
    private var isOver = false

    init(_ done: EventLoopPromise<Void>) { self.done = done }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { self.end(.success(())) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.end(.failure(error))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end(.failure(ChannelError.eof))
    }

    func end(_ result: Result<Void, any Error>) {
        guard !self.isOver else { return }
        self.isOver = true
        self.done.completeWith(result)
    }
}

@available(*, unavailable)
extension HandshakeWatch: Sendable {}
