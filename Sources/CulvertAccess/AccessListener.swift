package import ConfigurationFile
package import Logging
package import NIOCore
internal import NIOPosix

/// `culvert access tcp --url`: a port of this machine, each of whose connections is carried over a
/// WebSocket of its own. Any thread.
package final class AccessListener: Sendable {
    /// Where it listens; its port is the system's choice where 0 was asked for.
    package let address: HostPort
    private let channel: any Channel

    /// Listens from now on; a connection that cannot be carried is closed, and the reason logged.
    ///
    /// - Throws: `AccessError.failed` when the port is taken, or not allowed.
    package init(
        on address: HostPort,
        to dialer: AccessDialer,
        group: any EventLoopGroup,
        logger: Logger
    ) async throws(AccessError) {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .writeBufferWaterMark,
                value: .init(low: AccessDialer.lowWaterBytes, high: AccessDialer.highWaterBytes)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let local = LocalEnd { local in
                        dialer.carry(local, on: channel.eventLoop).whenFailure { error in
                            logger.error("A connection ended: \(error)")
                        }
                    }
                    try channel.pipeline.syncOperations.addHandler(local)
                }
            }
        do {
            self.channel = try await bootstrap.bind(host: address.host, port: address.port).get()
        } catch {
            throw .failed("cannot listen on \(address): \(AccessError.words(for: error))")
        }
        let port = self.channel.localAddress?.port ?? address.port
        self.address = HostPort(host: address.host, port: port)
    }

    /// Returns when listening ends.
    package func wait() async { try? await self.channel.closeFuture.get() }
}
