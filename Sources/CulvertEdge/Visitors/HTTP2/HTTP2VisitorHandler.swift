import HTTP2Wire
import HTTPSemantics
import NIOCore
import NIOHPACK
import NIOHTTP2
import TunnelWire

/// A visitor's HTTP/2 connection above NIOHTTP2's framing: all its streams in one handler.
///
/// NIOHTTP2 runs without its multiplexer: a channel and a pipeline per request would cost more than
/// the request. It checks frames, states and flow control; windows are granted here, as the tunnel
/// takes what came. Errors of the connection end it after NIOHTTP2 has sent its GOAWAY.
final class HTTP2VisitorHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    let server: VisitorServer
    let written: HTTP2WrittenFrames
    var admission: RequestAdmission
    var context: ChannelHandlerContext?
    var streams: [HTTP2StreamID: HTTP2VisitorStream] = [:]
    var lastStreamID = HTTP2StreamID.rootStream
    /// Body bytes of all streams that the tunnel has not taken.
    var undemandedBytes = 0
    /// What is left of the connection's window, as NIOHTTP2 counts it.
    var inboundWindow = 65535
    /// Streams touched since the last flush.
    var touched: [HTTP2VisitorStream] = []
    /// Streams whose answer breaks off, to be reset once the visitor has what there is of it.
    var breakingOff: [HTTP2VisitorStream] = []
    var isReading = false
    var isFlushScheduled = false
    var isFlushing = false
    var windowUpdates = 0
    var controlFrames: ControlFrameRate
    /// DATA frames of the visitor that had bytes.
    var receivedDataFrames = 0
    /// The connection ends because it asked too much.
    var hasCalmedDown = false
    var refusedStreams = 0
    var goingAway: GoingAway?
    /// The server is stopping: the connection ends after one more request, or when none comes.
    var drainsAfterRequest = false
    var hasPreface = false
    let acceptedAt: NIODeadline
    var timer: DeadlineTimer?
    var bufferedAtLastCheck: Int?
    /// When a PING asked whether the visitor is still there; nil once any frame has come since.
    var askedAt: NIODeadline?
    /// How often it was asked.
    var questions: UInt64 = 0

    /// How far the end of the connection has come (RFC 9113 §6.8).
    enum GoingAway {
        /// Streams on their way may still arrive; a PING tells when no more do.
        case announced
        /// None do: the connection ends with its last stream.
        case final
    }

    init(
        server: VisitorServer,
        visitor: VisitorInfo,
        written: HTTP2WrittenFrames,
        acceptedAt: NIODeadline
    ) {
        self.server = server
        self.written = written
        self.admission = server.makeAdmission(visitor)
        self.acceptedAt = acceptedAt
        let limits = server.configuration.limits
        self.controlFrames = ControlFrameRate(perSecond: limits.http2ControlFramesPerSecond)
    }

    var limits: VisitorLimits { self.server.configuration.limits }
    var timeouts: VisitorTimeouts { self.server.configuration.timeouts }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let timer = DeadlineTimer(eventLoop: context.eventLoop) { [weak self] in
            self?.deadlinePassed()
        }
        timer.set(self.acceptedAt + self.timeouts.header)
        self.timer = timer
        let increment = self.limits.http2ConnectionWindowBytes - self.inboundWindow
        if increment > 0 {
            self.inboundWindow += increment
            self.writeConnection(.windowUpdate(windowSizeIncrement: increment))
        }
        context.flush()
        if self.server.isDraining { self.drain() }
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
        self.isReading = true
        self.askedAt = nil
        let frame = self.unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let headers): self.headersReceived(headers, frame.streamID)
        case .data(let data):
            guard let stream = self.streams[frame.streamID] else { return }
            self.dataReceived(data, stream)
        case .windowUpdate: self.windowUpdateReceived(context)
        case .settings:
            self.prefaceReceived()
            self.controlFrameReceived(context)
        case .ping(let data, let ack):
            if ack, data == Self.drainPing, self.goingAway == .announced { self.goAway() }
            self.controlFrameReceived(context)
        case .priority: self.controlFrameReceived(context)
        case .goAway: self.peerGoesAway()
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        self.flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.bufferedAtLastCheck = nil
            self.flushSoon()
        } else {
            self.bufferedAtLastCheck = try? context.channel.syncOptions?.getOption(
                .bufferedWritableBytes
            )
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as NIOHTTP2WindowUpdatedEvent: self.windowChanged(event)
        case let event as StreamClosedEvent: self.streamClosed(event)
        case let event as NIOHTTP2StreamCreatedEvent:
            self.lastStreamID = max(self.lastStreamID, event.streamID)
        case is VisitorDrainEvent: self.drain()
        case ChannelEvent.inputClosed: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    /// Errors of one stream end that stream, all others the connection.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? NIOHTTP2Errors.StreamError {
            // What an origin sent cannot be written in HTTP/2, or not as its head promised.
            guard let stream = self.streams[error.streamID] else { return }
            self.reset(stream, .internalError)
            stream.exchange?.visitorLeft(.malformedMessage, errorCode: "origin-malformed")
        } else if !(error is any NIOHTTP2Error) || self.written.hasFailed {
            context.close(promise: nil)
        }
    }

    private func visitorIsGone() {
        self.timer?.cancel()
        self.timer = nil
        let streams = self.streams
        self.streams = [:]
        self.touched = []
        self.breakingOff = []
        for stream in streams.values {
            let exchange = stream.exchange
            stream.exchange = nil
            exchange?.visitorLeft()
        }
    }
}

@available(*, unavailable)
extension HTTP2VisitorHandler: Sendable {}
