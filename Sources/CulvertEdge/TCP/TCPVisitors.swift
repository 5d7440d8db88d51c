internal import HTTPSemantics
internal import NIOCore

/// All visitors' connections to public TCP ports. Any thread.
final class TCPVisitors: Sendable {
    private let service: TCPVisitor.Service
    private let counter: ConnectionCounter
    private let connections = OpenConnections()

    /// `counter` is the other visitors', too: limits are for all of them.
    init(service: TCPVisitor.Service, counter: ConnectionCounter) {
        self.service = service
        self.counter = counter
    }

    /// Sets up a connection to `port`: to be called in the channel's initializer, on its loop.
    ///
    /// - Throws: `ConnectionCounter.Refusal` beyond a limit; what NIO throws when the channel is closed.
    func accept(_ channel: any Channel, port: Int) throws {
        guard let remote = channel.remoteAddress, let peer = PeerAddress(remote),
            let address = IPAddress(peer.ip)
        else { throw ChannelError.ioOnClosedChannel }
        let permit = try self.counter.admit(peer)
        channel.closeFuture.whenComplete { _ in permit.release() }
        self.connections.add(channel)
        let options = channel.syncOptions
        try options?.setOption(.allowRemoteHalfClosure, value: true)
        try options?.setOption(.writeBufferWaterMark, value: .init(low: 16 << 10, high: 64 << 10))
        try options?.setOption(.tcpOption(.tcp_nodelay), value: 1)
        try VisitorKeepAlive.set(on: channel)
        let visitor = VisitorInfo(connection: VisitorConnection(peer: address, scheme: "tcp"))
        try channel.pipeline.syncOperations.addHandler(
            TCPVisitor(self.service, visitor: visitor, port: port)
        )
    }

    /// Returns when all connections are gone, or at the deadline, when what is left is cut: nothing says
    /// over TCP that one should come to an end.
    func drain(deadline: NIODeadline) async { await self.connections.awaitEnd(deadline: deadline) }
}
