import Glibc
import NIOCore
import NIOPosix

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
