import HTTPSemantics
import NIOCore
import NIOSSL

/// A visitor's HTTP/1 connection: reads requests one after the other, and writes their answers.
///
/// The only handler after TLS: it parses, applies back-pressure by not reading, and after a 101 goes
/// on as a relay of bytes, so that nothing is added to or removed from the pipeline for a request.
/// A request is not looked at before the one ahead of it is over, which keeps pipelined answers in
/// order. Needs the channel's `allowRemoteHalfClosure`.
final class HTTP1VisitorHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase: Equatable {
        case http
        /// After a 101: bytes both ways.
        case opaque
        /// The last answer is written; what still comes is thrown away until the visitor has read it.
        case lingering
        /// The answer breaks off: what there is of it is written, then the connection is cut.
        case breakingOff
        case closed
    }

    let server: VisitorServer
    let eventLoop: any EventLoop
    let redirectPort: Int?
    var parser: HTTP1RequestParser
    var admission: RequestAdmission
    var phase = Phase.http
    var context: ChannelHandlerContext?
    /// Bytes read and not parsed.
    var inbox = ByteBuffer()
    /// Bytes of answers not given to the channel yet.
    var outbox = ByteBuffer()
    /// Body bytes given to the channel that the tunnel has not been given credit for.
    var undeliveredBytes = 0
    var hasUnflushedAnswer = false
    var exchange: VisitorExchange?
    /// The parser is inside the request of `exchange`.
    var isReceiving = false
    /// The answer of `exchange` is written whole.
    var isAnswered = false
    var bodyStyle = HTTP1BodyStyle.none
    var isHTTP10 = false
    /// The request asked for the connection to end, or to stay (HTTP/1.0).
    var closesAfterAnswer = false
    var isDraining: Bool
    var isInputClosed = false
    var drainedBytes = 0
    var drainBegan: NIODeadline?
    var isProcessing = false
    var isReadPending = false
    let acceptedAt: NIODeadline
    var requestCount = 0
    var headBegan: NIODeadline?
    var lastProgress: NIODeadline
    /// Bytes given to the channel, and how many of them had left it at the last look.
    var givenBytes = 0
    var sentAtLastCheck: Int?
    var timer: DeadlineTimer?

    /// - Parameters:
    ///   - server: Limits, router and log.
    ///   - visitor: Who it is.
    ///   - eventLoop: The channel's.
    ///   - redirectPort: When set, every request is answered with 308 to https at this port.
    ///   - acceptedAt: When the connection was accepted: the first head is due from then.
    ///   - isDraining: The server is stopping: one request is served.
    init(
        server: VisitorServer,
        visitor: VisitorInfo,
        eventLoop: any EventLoop,
        redirectPort: Int?,
        acceptedAt: NIODeadline,
        isDraining: Bool
    ) {
        self.server = server
        self.eventLoop = eventLoop
        self.redirectPort = redirectPort
        self.parser = HTTP1RequestParser(limits: server.configuration.limits)
        self.admission = server.makeAdmission(visitor)
        self.acceptedAt = acceptedAt
        self.lastProgress = acceptedAt
        self.isDraining = isDraining
    }

    var limits: VisitorLimits { self.server.configuration.limits }
    var timeouts: VisitorTimeouts { self.server.configuration.timeouts }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.outbox = context.channel.allocator.buffer(capacity: 1024)
        self.timer = DeadlineTimer(eventLoop: context.eventLoop) { [weak self] in
            self?.deadlinePassed()
        }
        self.updateDeadline()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.visitorIsGone()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.visitorIsGone()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        switch self.phase {
        case .http, .opaque:
            if self.isReceiving || self.phase == .opaque { self.noteProgress() }
            if self.inbox.readableBytes == 0 {
                self.inbox = bytes
                bytes = ByteBuffer()
            } else {
                // Or the buffer would grow by all that a visitor sends whose pieces end within lines.
                self.inbox.discardReadBytes()
                self.inbox.writeBuffer(&bytes)
            }
            self.process()
        case .lingering:
            self.drainedBytes += bytes.readableBytes
            if self.drainedBytes > self.limits.drainedBytes { context.close(promise: nil) }
        case .breakingOff, .closed: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.exchange?.flushRequest()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if self.wantsInput {
            context.read()
        } else {
            self.isReadPending = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.noteProgress()
            self.reportDelivered()
            self.process()
        } else {
            self.updateDeadline()
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            self.isInputClosed = true
            if self.phase == .lingering || self.hasLeft {
                context.close(promise: nil)
            } else {
                self.noteProgress()
                self.process()
            }
        case is VisitorDrainEvent:
            self.isDraining = true
            self.process()
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// TLS that ends without its close, a reset, anything else that the socket reports: over.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.visitorIsGone()
        context.close(promise: nil)
    }

    /// Whether a visitor that closed its half in the middle of an exchange is gone. With TLS it is:
    /// nobody closes half of that, and what was asked for should not go on for nobody.
    private var hasLeft: Bool {
        self.phase == .http && self.exchange != nil && !self.isAnswered
            && self.admission.visitor.connection.scheme == "https"
    }

    private func visitorIsGone() {
        self.phase = .closed
        self.timer?.cancel()
        self.timer = nil
        let exchange = self.exchange
        self.exchange = nil
        exchange?.visitorLeft()
        self.inbox = ByteBuffer()
    }
}

@available(*, unavailable)
extension HTTP1VisitorHandler: Sendable {}
