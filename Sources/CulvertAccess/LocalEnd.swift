import Glibc
import NIOCore

/// The local end of a carried connection: the only handler of an accepted socket's channel, or of
/// standard input and output's.
///
/// Reads nothing until its WebSocket is there, and while that takes no more; but NIO reads on by itself
/// to the end of an input that has ended, so that is held (the kernel's buffer bounds it). Confined to
/// its channel's event loop.
final class LocalEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long a peer may take to read the last bytes when nobody takes its own any more.
    private static let lingerTime = TimeAmount.seconds(5)

    /// Called once the channel is active.
    private let opened: (LocalEnd) -> Void
    /// Called once the channel's output has ended, while its input may go on.
    private let outputEnded: () -> Void
    private var context: ChannelHandlerContext?
    private var remote: RemoteEnd?
    private var isReadHeld = false
    /// What was read and not handed over yet.
    private var held: [ByteBuffer] = []
    private var sawInputEnd = false
    /// The other side's end has been passed on.
    private var endedOutput = false
    private var hasFailed = false
    /// Nobody takes what is read: it is dropped.
    private var isLeft = false
    private var hasDropped = false
    private var lingerTimer: Scheduled<Void>?

    /// `opened` is to dial: not before, since a WebSocket that were there first would find nobody.
    init(opened: @escaping (LocalEnd) -> Void, outputEnded: @escaping () -> Void = {}) {
        self.opened = opened
        self.outputEnded = outputEnded
    }

    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    /// Whether some of what was read has not been handed over.
    var holdsBytes: Bool { !self.held.isEmpty }

    /// The WebSocket is there.
    func attach(_ remote: RemoteEnd) {
        guard let context, context.channel.isActive else {
            self.context?.close(promise: nil)
            return remote.localGone(leavingBytes: self.holdsBytes)
        }
        self.remote = remote
        self.resumeReading()
    }

    func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        context.write(self.wrapOutboundOut(bytes), promise: nil)
    }

    func flush() { self.context?.flush() }

    /// The WebSocket takes bytes again.
    func resumeReading() {
        self.handOver()
        guard self.isReadHeld, self.mayRead, let context else { return }
        self.isReadHeld = false
        context.read()
    }

    private var mayRead: Bool { self.isLeft || self.remote?.isWritable == true }

    private func handOver() {
        guard let remote, !self.held.isEmpty || self.sawInputEnd else { return }
        while remote.isWritable, !self.held.isEmpty { remote.send(self.held.removeFirst()) }
        remote.flush()
        if self.held.isEmpty, self.sawInputEnd { remote.localEnded() }
    }

    /// The other side has ended: ends the output once everything is written. What is read still goes to
    /// the WebSocket.
    func finish(_ written: @escaping () -> Void) {
        guard let context else { return written() }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete {
            _ in
            self.endOutput()
            written()
        }
    }

    /// The WebSocket is over, and the input has not ended: closes when it does, and before long. A
    /// close at once could take the last bytes from a peer that still sends.
    func leave() {
        self.remote = nil
        self.isLeft = true
        guard let context else { return }
        let end = NIOLoopBound(self, eventLoop: context.eventLoop)
        self.lingerTimer = context.eventLoop.scheduleTask(in: Self.lingerTime) {
            end.value.closeLeft()
        }
        self.resumeReading()
    }

    private func closeLeft() {
        if self.hasDropped { return self.abort() }
        self.context?.close(promise: nil)
    }

    /// Closes with a reset where there is one: what the peer has, or has sent, is not the whole.
    func abort() {
        self.remote = nil
        self.isLeft = true
        guard let context else { return }
        context.flush()
        let socket = context.channel as? any SocketOptionProvider
        _ = socket?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        context.close(promise: nil)
    }

    private func endOutput() {
        guard let context, !self.endedOutput else { return }
        self.endedOutput = true
        context.close(mode: .output, promise: nil)
        self.outputEnded()
    }
}

@available(*, unavailable)
extension LocalEnd: Sendable {}

// MARK: - ChannelHandler

extension LocalEnd {
    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) { self.opened(self) }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.lingerTimer?.cancel()
    }

    func read(context: ChannelHandlerContext) {
        if self.mayRead {
            context.read()
        } else {
            self.isReadHeld = true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        if let remote, remote.isWritable, self.held.isEmpty {
            remote.send(bytes)
        } else if self.isLeft {
            self.hasDropped = true
        } else {
            self.held.append(bytes)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.remote?.flush() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.remote?.resumeReading() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return }
        self.sawInputEnd = true
        self.handOver()
        if self.isLeft { self.closeLeft() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.hasFailed = true
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if self.endedOutput, !self.hasFailed {
            // With our side closed before, the peer's orderly end is told by this event alone.
            self.sawInputEnd = true
            return self.handOver()
        }
        let remote = self.remote
        self.remote = nil
        remote?.localGone(leavingBytes: self.holdsBytes)
    }
}
