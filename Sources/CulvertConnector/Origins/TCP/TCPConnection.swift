import Glibc
import NIOCore

/// The origin's side of a carried connection: the only handler of its channel.
///
/// Reads nothing until it has an exchange and while that asks for it; but NIO reads on by itself to the
/// end of an input that has ended, so that is held (the kernel's buffer bounds it). Confined to its
/// channel's event loop.
final class TCPConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var exchange: TCPExchange?
    private var isPaused = true
    private var isReadHeld = false
    /// What was read while paused, and not handed over yet.
    private var held: [ByteBuffer] = []
    private var holdsInputEnd = false
    private var holdsLoss = false
    private var sawInputEnd = false
    private var closedOutput = false
    private var failure: (any Error)?

    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    /// What was last wrong with it, in words, for a log.
    var failureDetail: String? { self.failure.map { "\($0)" } }

    /// Takes on the exchange; reading begins with ``resumeReading()``.
    ///
    /// - Returns: false when it has been closed in the meantime.
    func join(_ exchange: TCPExchange) -> Bool {
        guard let context, context.channel.isActive, self.failure == nil else { return false }
        self.exchange = exchange
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
            self.exchange?.received(self.held.removeFirst())
        }
        self.exchange?.endedRead()
        guard !self.isPaused, self.held.isEmpty else { return }
        if self.holdsInputEnd {
            self.holdsInputEnd = false
            self.exchange?.originEnded()
        }
        if self.holdsLoss { self.lose() }
    }

    private func lose() {
        guard let exchange else { return }
        self.exchange = nil
        exchange.lostConnection()
    }

    /// FIN, once what was written has gone.
    func closeOutput() {
        guard !self.closedOutput else { return }
        self.closedOutput = true
        self.context?.close(mode: .output, promise: nil)
    }

    /// Closes once what was written has gone: its exchange is done with it.
    func close() {
        self.exchange = nil
        guard let context else { return }
        let channel = context.channel
        // An origin that reads no more is not waited for.
        let timer = channel.eventLoop.scheduleTask(in: .seconds(Int64(TCPLimits.restTime))) {
            channel.close(promise: nil)
        }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            timer.cancel()
            channel.close(promise: nil)
        }
    }

    /// Closes at once and with a reset: the exchange was given up, and what the origin has is not the
    /// whole.
    func abandon() {
        self.exchange = nil
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

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

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
            self.exchange?.received(bytes)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.exchange?.endedRead() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.exchange?.connectionBecameWritable() }
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
            self.exchange?.originEnded()
        }
    }
}
