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

    /// How long a peer may go on sending after the other side has ended.
    private static let lingerTime = TimeAmount.seconds(5)

    private var context: ChannelHandlerContext?
    private var remote: RemoteEnd?
    private var isReadHeld = false
    /// What was read and not handed over yet.
    private var held: [ByteBuffer] = []
    private var sawInputEnd = false
    /// The other side has ended: what is still read is dropped.
    private var isFinishing = false
    private var lingerTimer: Scheduled<Void>?

    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    /// The WebSocket is there.
    func attach(_ remote: RemoteEnd) {
        guard let context, context.channel.isActive else { return remote.localGone() }
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

    private var mayRead: Bool { self.isFinishing || self.remote?.isWritable == true }

    private func handOver() {
        guard let remote, !self.held.isEmpty || self.sawInputEnd else { return }
        while remote.isWritable, !self.held.isEmpty { remote.send(self.held.removeFirst()) }
        remote.flush()
        if self.held.isEmpty, self.sawInputEnd { remote.localEnded() }
    }

    /// The other side has ended: once everything is written, ends the output, and closes when the
    /// peer has ended, too. A close at once could take the last bytes from a peer that still sends.
    func finish(_ written: @escaping () -> Void) {
        self.remote = nil
        self.isFinishing = true
        self.held.removeAll()
        guard let context else { return written() }
        let bound = NIOLoopBound((self, written), eventLoop: context.eventLoop)
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            let (end, written) = bound.value
            end.endOutput()
            written()
        }
        self.resumeReading()
    }

    /// Closes with a reset where there is one: what the peer has is not the whole.
    func abort() {
        self.remote = nil
        self.isFinishing = true
        guard let context else { return }
        context.flush()
        let socket = context.channel as? any SocketOptionProvider
        _ = socket?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        context.close(promise: nil)
    }

    private func endOutput() {
        guard let context else { return }
        guard !self.sawInputEnd else { return context.close(promise: nil) }
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        self.lingerTimer = context.eventLoop.scheduleTask(in: Self.lingerTime) {
            channel.close(promise: nil)
        }
    }
}

@available(*, unavailable)
extension LocalEnd: Sendable {}

// MARK: - ChannelHandler

extension LocalEnd {
    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

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
        } else if !self.isFinishing {
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
        if self.isFinishing { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let remote = self.remote
        self.remote = nil
        remote?.localGone()
    }
}
