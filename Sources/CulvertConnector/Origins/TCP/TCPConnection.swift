import Glibc
import NIOCore

/// What a connection to a TCP origin tells whoever carries it; on its channel's event loop.
protocol TCPConnectionUser: AnyObject {
    /// Bytes of the origin, in order.
    func received(_ bytes: ByteBuffer)
    /// What one read of the socket brought has been handed over: it shall not wait.
    func endedRead()
    /// The origin has sent FIN, behind its last byte.
    func originEnded()
    /// The connection is gone: after FIN from both sides, or broken off. The last call.
    func lostConnection()
    /// What was written has left this end's memory, or nearly.
    func connectionBecameWritable()
}

/// The origin's side of a carried connection: the only handler of its channel.
///
/// Reads nothing until it has a user and while that asks for it; but NIO reads on by itself to the
/// end of an input that has ended, so that is held (the kernel's buffer bounds it). Confined to its
/// channel's event loop.
final class TCPConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var user: (any TCPConnectionUser)?
    private var isPaused = true
    private var isReadHeld = false
    /// What was read while paused, and not handed over yet.
    private var held: [ByteBuffer] = []
    private var holdsInputEnd = false
    private var holdsLoss = false
    private var sawInputEnd = false
    /// FIN is on its way, behind what was written.
    private var closesOutput = false
    private var closedOutput = false
    private var isLeaving = false
    private var leaveTimer: Scheduled<Void>?
    private var failure: (any Error)?

    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    /// Whether FIN has gone both ways, each behind the last byte, as far as this end can tell.
    var endedInOrder: Bool { self.closedOutput && self.sawInputEnd && self.failure == nil }

    /// What was last wrong with it, in words, for a log.
    var failureDetail: String? { self.failure.map { "\($0)" } }

    /// Takes on its user; reading begins with ``resumeReading()``.
    ///
    /// - Returns: false when it has been closed in the meantime.
    func join(_ user: any TCPConnectionUser) -> Bool {
        guard let context, context.channel.isActive, self.failure == nil else { return false }
        self.user = user
        return true
    }

    func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        context.write(self.wrapOutboundOut(bytes), promise: nil)
    }

    func flush() { self.context?.flush() }

    /// Reads no more from the socket, and hands over nothing, until `resumeReading`.
    func pauseReading() { self.isPaused = true }

    func resumeReading() {
        guard self.isPaused else { return }
        self.isPaused = false
        self.handOver()
        guard self.isReadHeld, !self.isPaused, let context else { return }
        self.isReadHeld = false
        context.read()
    }

    private func handOver() {
        guard !self.held.isEmpty || self.holdsInputEnd || self.holdsLoss else { return }
        while !self.isPaused, !self.held.isEmpty {
            self.user?.received(self.held.removeFirst())
        }
        self.user?.endedRead()
        guard !self.isPaused, self.held.isEmpty else { return }
        if self.holdsInputEnd {
            self.holdsInputEnd = false
            self.user?.originEnded()
        }
        if self.holdsLoss { self.lose() }
    }

    private func lose() {
        guard let user else { return }
        self.user = nil
        user.lostConnection()
    }

    /// FIN, once what was written has gone.
    ///
    /// NIO closes all at once when the origin has sent FIN before, so nothing may wait to be written then.
    func closeOutput() {
        guard !self.closesOutput, let context else { return }
        self.closesOutput = true
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer())).assumeIsolated().whenSuccess {
            self.endOutput()
        }
    }

    private func endOutput() {
        guard let context else { return }
        // A reset that answered the last bytes is told by this alone once the origin has sent FIN.
        let code = try? context.channel.syncOptions?.getOption(.socketOption(.so_error))
        if let code, code != 0 {
            self.failure = IOError(errnoCode: CInt(truncatingIfNeeded: code), reason: "write")
            return context.close(promise: nil)
        }
        self.closedOutput = true
        let closed = context.eventLoop.makePromise(of: Void.self)
        closed.futureResult.assumeIsolated().whenFailure { error in
            self.failure = self.failure ?? error
            self.context?.close(promise: nil)
        }
        context.close(mode: .output, promise: closed)
        if self.isLeaving { self.context?.close(promise: nil) }
    }

    /// Closes once what was written has gone: its user is done with it.
    func close() {
        self.user = nil
        guard let context else { return }
        guard !self.closedOutput else { return context.close(promise: nil) }
        self.isLeaving = true
        // An origin that reads no more is not waited for.
        let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
        let time = TimeAmount.seconds(Int64(TCPLimits.restTime))
        self.leaveTimer = context.eventLoop.scheduleTask(in: time) { connection.value.abandon() }
        self.closeOutput()
    }

    /// Closes at once and with a reset: what it carried was given up, and what the origin has is not the
    /// whole.
    func abandon() {
        self.user = nil
        guard let context else { return }
        let socket = context.channel as? any SocketOptionProvider
        _ = socket?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension TCPConnection: Sendable {}

// MARK: - ChannelHandler

extension TCPConnection {
    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.leaveTimer?.cancel()
    }

    func read(context: ChannelHandlerContext) {
        if self.isPaused {
            self.isReadHeld = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        if self.isPaused || !self.held.isEmpty {
            self.held.append(bytes)
        } else {
            self.user?.received(bytes)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.user?.endedRead() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.user?.connectionBecameWritable() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { self.endedInput() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.failure = error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // With our side closed before, the origin's orderly end is told by this event alone.
        if self.closedOutput, self.failure == nil { self.endedInput() }
        if self.failure == nil, self.holdsInputEnd {
            self.holdsLoss = true
        } else {
            self.lose()
        }
    }

    private func endedInput() {
        guard !self.sawInputEnd else { return }
        self.sawInputEnd = true
        if self.isPaused || !self.held.isEmpty {
            self.holdsInputEnd = true
        } else {
            self.user?.originEnded()
        }
    }
}
