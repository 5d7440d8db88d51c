package import NIOCore
import NIOPosix

/// Where a visitor's connection comes from and what its ClientHello said.
package struct AcceptedVisitor: Sendable {
    /// The TCP peer: the visitor, or a proxy before it.
    package let peer: PeerAddress
    /// Parsed by the front door; the channel reads its bytes again.
    package let hello: ClientHello
    /// The requests in progress of the peer's address.
    package let requests: RequestCount
}

/// Makes channels of the front door's sockets, on the loops of a group in turn. Any thread.
package struct VisitorSockets: Sendable {
    /// Adds the handlers, on the channel's loop, before the first byte is read; a failed future
    /// closes the channel.
    package typealias Initializer =
        @Sendable (any Channel, AcceptedVisitor) -> EventLoopFuture<Void>

    private let group: any EventLoopGroup
    private let autoRead: Bool
    private let initializer: Initializer

    /// Takes a group of `MultiThreadedEventLoopGroup`'s kind. With `autoRead` off the channel reads
    /// only when asked to.
    package init(
        group: any EventLoopGroup,
        autoRead: Bool = true,
        initializer: @escaping Initializer
    ) {
        self.group = group
        self.autoRead = autoRead
        self.initializer = initializer
    }

    /// Makes a channel, whose first read is the ClientHello; its permit is released when it closes.
    ///
    /// The future fails with the initializer's error, or with `ioOnClosedChannel` when the socket
    /// was taken before.
    @discardableResult
    package func adopt(_ socket: AcceptedSocket) -> EventLoopFuture<any Channel> {
        let loop = self.group.next()
        guard let descriptor = socket.take() else {
            return loop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        let permit = socket.permit
        let connection = AcceptedVisitor(
            peer: socket.peer,
            hello: socket.hello,
            requests: permit.requests
        )
        let initializer = self.initializer
        let adopted = ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.autoRead, value: self.autoRead)
            .channelInitializer { channel in
                channel.closeFuture.whenComplete { _ in permit.release() }
                return initializer(channel, connection)
            }
            .withConnectedSocket(descriptor)
        adopted.whenFailure { _ in permit.release() }
        return adopted
    }
}
