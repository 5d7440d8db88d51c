import HTTP2Wire
import NIOCore
import NIOHPACK
import NIOHTTP2

/// An HTTP/2 connection to an origin above NIOHTTP2's framing: all its streams in one handler.
///
/// NIOHTTP2 runs without its multiplexer, as it does for visitors. It checks frames, states and flow
/// control, answers PING and SETTINGS, and counts floods; windows are granted here: a stream's as the
/// tunnel takes what came, the connection's as it is read, so that a stream that stalls holds up no
/// other. It is the delegate that NIOHTTP2 tells of written frames, too. Confined to its channel's event
/// loop.
final class HTTP2OriginConnection: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    var context: ChannelHandlerContext?
    var machine = HTTP2ConnectionMachine(limit: OriginLimits.http2Streams)
    weak var owner: HTTP2OriginPool?
    var streams: [HTTP2StreamID: HTTP2OriginStream] = [:]
    var settings: EventLoopPromise<Void>?
    var failure: (any Error)?
    /// A GOAWAY with an error has been written: NIOHTTP2 has found the connection faulty.
    var hasFailed = false
    /// What is left of the connection's window, as NIOHTTP2 counts it (RFC 9113 §6.9.2).
    var inboundWindow = 65_535
    var isReading = false
    private var isFlushScheduled = false
    /// Streams with something for the tunnel since the last read's end.
    var touched: [HTTP2OriginStream] = []
    /// Streams of which frames were written since the last flush.
    var written: [HTTP2OriginStream] = []
    var writtenFrames = 0
    var windowUpdates = 0
    var controlFrames = ControlFrameRate(perSecond: OriginLimits.http2FramesPerSecond)
    /// DATA frames of the origin that had bytes.
    var receivedDataFrames = 0
    /// When it is no longer to be used, unless it is used before.
    private var expires = NIODeadline.distantFuture
    private var isExpiryArmed = false
    private var isClosing = false

    var hasRoom: Bool { self.context?.channel.isActive == true && self.machine.hasRoom }
    var isUsed: Bool { self.machine.isUsed }
    var isIdle: Bool { self.streams.isEmpty && self.machine.hasRoom }
}

@available(*, unavailable)
extension HTTP2OriginConnection: Sendable {}

// MARK: - For the dial and the pool

extension HTTP2OriginConnection {
    /// Fulfils `promise` once the origin's SETTINGS are there, or fails it with the reason why not.
    func awaitSettings(_ promise: EventLoopPromise<Void>) {
        if self.machine.isReady { return promise.succeed(()) }
        self.settings = promise
        if self.context?.channel.isActive != true { self.endSettings() }
    }

    /// Becomes one of the pool's.
    ///
    /// - Returns: false when it has been closed in the meantime.
    func join(_ owner: HTTP2OriginPool) -> Bool {
        guard self.hasRoom else { return false }
        self.owner = owner
        return true
    }

    /// A new stream; there has to be room.
    func openStream() -> HTTP2OriginStream {
        let id = HTTP2StreamID(self.machine.openStream())
        let stream = HTTP2OriginStream(id: id, connection: self)
        self.streams[id] = stream
        return stream
    }

    /// Closes it after `time` without a stream.
    func expire(after time: TimeAmount) {
        self.expires = .now() + time
        guard !self.isExpiryArmed, let context else { return }
        self.isExpiryArmed = true
        context.eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            guard let self else { return }
            self.isExpiryArmed = false
            guard self.isIdle else { return }
            let left = self.expires - .now()
            if left > .zero { self.expire(after: left) } else { self.close() }
        }
    }

    /// GOAWAY, then the end in order, with `close_notify` where TLS is spoken.
    func close() {
        self.machine.closed()
        guard !self.isClosing, let context else { return }
        self.isClosing = true
        // Not from within NIOHTTP2's own work, which this may be called from.
        context.eventLoop.assumeIsolated().execute { [weak self] in
            guard let self, let context = self.context else { return }
            if !self.hasFailed, context.channel.isActive {
                self.writeConnection(
                    .goAway(lastStreamID: .rootStream, errorCode: .noError, opaqueData: nil)
                )
                context.flush()
            }
            context.close(promise: nil)
        }
    }

    func endSettings() {
        guard let settings else { return }
        self.settings = nil
        settings.fail(self.failure ?? ChannelError.eof)
    }
}

// MARK: - For streams

extension HTTP2OriginConnection {
    /// Begins a stream. Should NIOHTTP2 not get to write its head, the origin knows nothing of it.
    func writeHead(_ block: HPACKHeaders, endStream: Bool, on stream: HTTP2OriginStream) {
        guard let context, self.streams[stream.id] === stream else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenFailure { [weak self] error in
            guard let self, !stream.isSent, self.forget(stream) else { return }
            stream.wasLost(isUnprocessed: true, "\(error)")
        }
        let payload = HTTP2Frame.FramePayload.headers(.init(headers: block, endStream: endStream))
        context.write(
            self.wrapOutboundOut(HTTP2Frame(streamID: stream.id, payload: payload)),
            promise: promise
        )
    }

    /// Hands a frame to NIOHTTP2; it goes out with the next flush.
    func write(_ payload: HTTP2Frame.FramePayload, on stream: HTTP2OriginStream) {
        guard let context, self.streams[stream.id] === stream else { return }
        let frame = HTTP2Frame(streamID: stream.id, payload: payload)
        context.write(self.wrapOutboundOut(frame), promise: nil)
    }

    /// Leaves a stream for good, and lets the origin know if it may know of it.
    func drop(_ stream: HTTP2OriginStream, _ code: HTTP2ErrorCode) {
        guard self.streams.removeValue(forKey: stream.id) != nil else { return }
        // Before another stream takes its place.
        if stream.hasBegun, let context {
            let frame = HTTP2Frame(streamID: stream.id, payload: .rstStream(code))
            context.write(self.wrapOutboundOut(frame), promise: nil)
            self.flushSoon()
        }
        self.streamEnded()
    }

    /// Flushes once for all streams that ask for it in this turn of the loop.
    func flushSoon() {
        guard !self.isReading, !self.isFlushScheduled, let context else { return }
        self.isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute { [weak self] in self?.flush() }
    }

    /// - Returns: false when it was forgotten before.
    @discardableResult
    func forget(_ stream: HTTP2OriginStream, isRefused: Bool = false) -> Bool {
        guard self.streams.removeValue(forKey: stream.id) != nil else { return false }
        self.streamEnded(isRefused: isRefused)
        return true
    }

    private func streamEnded(isRefused: Bool = false) {
        switch self.machine.streamEnded(isRefused: isRefused) {
        case .offer: self.owner?.hasRoom(self)
        case .idle:
            self.owner?.hasRoom(self)
            if self.isIdle { self.owner?.becameIdle(self) }
        case .close: self.close()
        case .nothing: break
        }
    }

    func flush() {
        self.isFlushScheduled = false
        guard let context else { return }
        self.grantWindow()
        context.flush()
        self.reportWritten()
    }

    func reportWritten() {
        guard !self.written.isEmpty else { return }
        let streams = self.written
        self.written.removeAll(keepingCapacity: true)
        for stream in streams { stream.reportWritten() }
    }

    /// In steps of half a window what has been read of all streams.
    private func grantWindow() {
        let increment = OriginLimits.http2ConnectionWindowBytes - self.inboundWindow
        guard increment >= OriginLimits.http2ConnectionWindowBytes / 2, self.machine.isReady
        else { return }
        self.inboundWindow += increment
        self.writeConnection(.windowUpdate(windowSizeIncrement: increment))
    }

    private func writeConnection(_ payload: HTTP2Frame.FramePayload) {
        guard let context else { return }
        let frame = HTTP2Frame(streamID: .rootStream, payload: payload)
        context.write(self.wrapOutboundOut(frame), promise: nil)
    }
}
