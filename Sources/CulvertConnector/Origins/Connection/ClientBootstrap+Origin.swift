import Glibc
import NIOCore
import NIOPosix
import NIOSSL

extension ClientBootstrap {
    /// What holds for every connection to an origin.
    func origin(_ options: OriginOptions) -> ClientBootstrap {
        self.connectTimeout(TimeAmount(options.connectTimeout))
            // A full-duplex exchange outlives the end of the origin's side.
            .channelOption(.allowRemoteHalfClosure, value: true)
            // One read per wake-up, so that a stream that fills stops the next one.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .writeBufferWaterMark,
                value: .init(
                    low: OriginLimits.writeLowWaterBytes,
                    high: OriginLimits.writeHighWaterBytes
                )
            )
    }

    /// What holds for those over TCP.
    func tcp(_ options: OriginOptions) -> ClientBootstrap {
        let bootstrap = self.channelOption(.tcpOption(.tcp_nodelay), value: 1)
        guard options.tcpKeepAlive > .zero else { return bootstrap }
        // The kernel counts in seconds.
        let seconds = SocketOptionValue(clamping: max(1, options.tcpKeepAlive.components.seconds))
        return bootstrap.channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: seconds)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: seconds)
    }
}

extension Channel {
    /// Closes from the TLS handler's place on: no `close_notify`, and no waiting for the origin's. On the
    /// channel's event loop.
    func closeAtOnce() {
        let operations = self.pipeline.syncOperations
        if let tls = try? operations.context(handlerType: NIOSSLClientHandler.self) {
            tls.close(promise: nil)
        } else {
            self.close(promise: nil)
        }
    }
}
