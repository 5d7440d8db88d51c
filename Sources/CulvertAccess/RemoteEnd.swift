import NIOCore
import WebSocketWire

/// The WebSocket's end of a carried connection: its channel's last handler once the upgrade is done.
///
/// What the local end sends goes out as binary messages; the payload of the other side's goes to the
/// local end. The two directions end independently, as TCP's do: the end of the local input is said as
/// Close 1000, after which the other side's bytes still come until its own Close; and after the other
/// side's Close, which may come first, the local input is still sent until it ends (our Close waits for
/// that, as RFC 6455 §5.5.1 allows).
///
/// All is over when, after both, the server has ended the connection (§7.1.1). A connector does that
/// once everything sent was taken, and breaks the connection off when it was not.
///
/// Confined to its channel's event loop, the local end's, too.
final class RemoteEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Middleboxes forget connections that are silent for a minute.
    private static let pingInterval = TimeAmount.seconds(30)
    /// For the other side's Close, once nothing is wanted from it any more.
    private static let closeTime = TimeAmount.seconds(5)

    /// Nil once it is over.
    private var local: LocalEnd?
    private let ended: EventLoopPromise<Void>
    private var context: ChannelHandlerContext?
    private var reader = WebSocketFrameReader(expectsMask: false)
    private var pings: RepeatedTask?
    private var isReadHeld = false
    private var saidClose = false
    private var heardClose = false
    /// Whether anything was sent behind the other side's Close.
    private var hasSentLate = false
    /// Whether everything heard was written locally.
    private var isWritten = false
    /// Whether the connection has ended in order.
    private var isOver = false
    /// The latest ping, while the channel takes no more.
    private var unansweredPing: ByteBuffer?

    /// `ended` is for `AccessDialer.carry`'s caller.
    init(local: LocalEnd, ended: EventLoopPromise<Void>) {
        self.local = local
        self.ended = ended
    }

    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    private static var mask: WebSocketMask { WebSocketMask(bits: .random(in: .min ... .max)) }

    /// Nothing but TLS is left between it and the network: the local end may send.
    func begin() { self.local?.attach(self) }

    /// Leaves both ends at once.
    func fail(_ error: AccessError) {
        guard let local else { return }
        self.local = nil
        self.context?.close(promise: nil)
        local.abort()
        self.ended.fail(error)
    }
}

@available(*, unavailable)
extension RemoteEnd: Sendable {}

// MARK: - For the local end

extension RemoteEnd {
    func send(_ bytes: ByteBuffer) {
        guard let context, !self.saidClose else { return }
        if self.heardClose { self.hasSentLate = true }
        let frame = WebSocketFrame.binary(bytes, mask: Self.mask)
        context.write(self.wrapOutboundOut(frame), promise: nil)
    }

    func flush() { self.context?.flush() }

    /// The local input has ended: the other side's bytes are still wanted.
    func localEnded() { self.sayClose() }

    /// The local end is gone, and nothing is wanted any more. Its last bytes are on their way, and a
    /// close at once could overtake them, so the other side's Close is awaited.
    ///
    /// - Parameter leavingBytes: Whether some of what it had read could not be sent.
    func localGone(leavingBytes: Bool) {
        guard self.local != nil else { return }
        self.local = nil
        self.sayClose()
        if leavingBytes {
            self.ended.fail(AccessError.brokeOff("the local end left before its bytes were sent"))
        } else {
            self.ended.succeed(())
        }
        guard let channel = self.context?.channel else { return }
        channel.eventLoop.scheduleTask(in: Self.closeTime) { channel.close(promise: nil) }
        self.resumeReading()
    }

    /// The local end takes bytes again.
    func resumeReading() {
        guard self.isReadHeld, let context else { return }
        self.isReadHeld = false
        context.read()
    }

    private func sayClose() {
        guard let context, !self.saidClose else { return }
        self.saidClose = true
        let frame = WebSocketFrame.close(WebSocketCloseCode.normal, mask: Self.mask)
        context.writeAndFlush(self.wrapOutboundOut(frame), promise: nil)
    }
}

// MARK: - ChannelHandler

extension RemoteEnd {
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let end = NIOLoopBound(self, eventLoop: context.eventLoop)
        self.pings = context.eventLoop.scheduleRepeatedTask(
            initialDelay: Self.pingInterval,
            delay: Self.pingInterval
        ) { _ in end.value.ping() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.pings?.cancel()
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        if !self.heardClose, self.local?.isWritable == false {
            self.isReadHeld = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.reader.append(self.unwrapInboundIn(data))
        do {
            while let event = try self.reader.next() {
                switch event {
                case .bytes(let bytes): self.local?.write(bytes)
                case .ping(let payload): self.answerPing(payload)
                case .pong: break
                case .close(let code, let reason): self.receivedClose(code, reason)
                }
            }
        } catch {
            self.fail(.brokeOff("the other side broke the WebSocket protocol: \(error.reason)"))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.local?.flush() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        if let payload = self.unansweredPing {
            self.unansweredPing = nil
            self.answerPing(payload)
        }
        self.local?.resumeReading()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !self.heardClose else { return self.fail(Self.notTaken) }
        self.fail(.brokeOff("towards the edge: \(AccessError.words(for: error))"))
    }

    func channelInactive(context: ChannelHandlerContext) {
        guard self.heardClose else {
            return self.fail(.brokeOff("the edge closed the connection in the middle"))
        }
        guard let local else { return }
        if !self.saidClose {
            // A server that is no connector may not wait for our Close.
            guard !self.hasSentLate, !local.holdsBytes else { return self.fail(Self.notTaken) }
            local.leave()
        }
        self.isOver = true
        self.settle()
    }

    private static let notTaken = AccessError.brokeOff(
        "the service had ended, and did not take all that was sent"
    )

    private func settle() {
        guard self.isOver, self.isWritten, self.local != nil else { return }
        self.local = nil
        self.ended.succeed(())
    }

    /// Goes on after our Close, behind which only data may not come (RFC 6455 §5.5.1): the answer may
    /// take long, and so may a server's wait for our Close, which gives up one that is silent.
    private func ping() {
        guard let context, self.isWritable else { return }
        let frame = WebSocketFrame.ping(mask: Self.mask)
        context.writeAndFlush(self.wrapOutboundOut(frame), promise: nil)
    }

    private func answerPing(_ payload: ByteBuffer) {
        guard let context, !self.saidClose else { return }
        guard self.isWritable else { return self.unansweredPing = payload }
        let frame = WebSocketFrame.pong(payload, mask: Self.mask)
        context.writeAndFlush(self.wrapOutboundOut(frame), promise: nil)
    }

    /// The other side has sent everything, or broke off and says so.
    private func receivedClose(_ code: UInt16?, _ reason: String) {
        let isNormal = code == nil || code == WebSocketCloseCode.normal
        guard let local else {
            self.context?.close(promise: nil)
            return
        }
        guard isNormal else {
            self.sayClose()
            let words = reason.isEmpty ? "code \(code ?? 0)" : reason
            return self.fail(.brokeOff(words))
        }
        self.heardClose = true
        local.finish {
            self.isWritten = true
            self.settle()
        }
        self.resumeReading()
    }
}
