import NIOCore
import NIOHPACK
import NIOHTTP2
import TunnelWire

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

    private var context: ChannelHandlerContext?
    private var machine = HTTP2ConnectionMachine(limit: OriginLimits.http2Streams)
    private weak var owner: HTTP2OriginPool?
    private var streams: [HTTP2StreamID: HTTP2OriginStream] = [:]
    private var settings: EventLoopPromise<Void>?
    private var failure: (any Error)?
    /// A GOAWAY with an error has been written: NIOHTTP2 has found the connection faulty.
    private var hasFailed = false
    /// What is left of the connection's window, as NIOHTTP2 counts it (RFC 9113 §6.9.2).
    private var inboundWindow = 65_535
    private var isReading = false
    private var isFlushScheduled = false
    /// Streams with something for the tunnel since the last read's end.
    private var touched: [HTTP2OriginStream] = []
    /// Streams of which frames were written since the last flush.
    private var written: [HTTP2OriginStream] = []
    private var writtenFrames = 0
    private var windowUpdates = 0
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

    private func endSettings() {
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
    private func forget(_ stream: HTTP2OriginStream, isRefused: Bool = false) -> Bool {
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

    private func flush() {
        self.isFlushScheduled = false
        guard let context else { return }
        self.grantWindow()
        context.flush()
        self.reportWritten()
    }

    private func reportWritten() {
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

// MARK: - ChannelHandler

extension HTTP2OriginConnection {
    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.isGone()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.isReading = true
        let frame = self.unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let headers):
            guard let stream = self.streams[frame.streamID] else { return }
            self.touched.append(stream)
            stream.received(headers)
        case .data(let data):
            guard let stream = self.streams[frame.streamID] else { return }
            if self.touched.last !== stream { self.touched.append(stream) }
            stream.received(data)
        case .rstStream(let code): self.receivedReset(code, frame.streamID)
        case .settings(.settings(let settings)): self.receivedSettings(settings)
        case .goAway(let last, let code, _): self.receivedGoAway(last, code)
        case .windowUpdate: self.receivedWindowUpdate()
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        let streams = self.touched
        self.touched.removeAll(keepingCapacity: true)
        for stream in streams { stream.endedRead() }
        self.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.reportWritten() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as NIOHTTP2WindowUpdatedEvent where event.streamID == .rootStream:
            self.inboundWindow = event.inboundWindowSize ?? self.inboundWindow
        case let event as StreamClosedEvent:
            // Nothing to be done but for an error that NIOHTTP2 has found in the stream.
            guard let stream = self.streams[event.streamID] else { return }
            self.forget(stream)
            stream.wasClosed()
        case ChannelEvent.inputClosed:
            self.isGone()
            context.close(promise: nil)
        default: break
        }
    }

    /// Errors of one stream have ended that stream, all others end the connection.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? NIOHTTP2Errors.StreamError {
            // What cannot be written in HTTP/2, or not as its head promised.
            guard let stream = self.streams[error.streamID] else { return }
            self.drop(stream, .internalError)
            return stream.wasClosed()
        }
        self.failure = error
        if !(error is any NIOHTTP2Error) || self.hasFailed {
            self.isGone()
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { self.isGone() }

    /// The connection carries nothing any more; what it carried is told so.
    private func isGone() {
        self.machine.closed()
        self.endSettings()
        let streams = self.streams
        self.streams.removeAll()
        self.touched.removeAll()
        self.written.removeAll()
        let owner = self.owner
        self.owner = nil
        let detail = self.failure.map { "\($0)" }
        for stream in streams.values { stream.wasLost(isUnprocessed: !stream.isSent, detail) }
        owner?.closed(self)
    }
}

// MARK: - Frames

extension HTTP2OriginConnection {
    private func receivedSettings(_ settings: HTTP2Settings) {
        let limit = settings.last { $0.parameter == .maxConcurrentStreams }?.value
        switch self.machine.receivedSettings(maximumStreams: limit) {
        case .ready:
            self.settings?.succeed(())
            self.settings = nil
        case .changed: self.owner?.hasRoom(self)
        case .useless:
            self.failure = OriginFailure(.overLimit, "its SETTINGS allow no stream")
            self.endSettings()
            self.close()
        case .nothing: break
        }
    }

    private func receivedReset(_ code: HTTP2ErrorCode, _ id: HTTP2StreamID) {
        guard let stream = self.streams[id] else { return }
        self.forget(stream, isRefused: code == .refusedStream)
        stream.wasReset(code)
    }

    private func receivedGoAway(_ last: HTTP2StreamID, _ code: HTTP2ErrorCode) {
        guard self.machine.receivedGoAway() == .leave else { return }
        self.owner?.leaves(self)
        let detail = code == .noError ? nil : "GOAWAY \(code)"
        let lost = self.streams.values.filter { $0.id > last || !$0.isSent }
        for stream in lost.sorted(by: { $0.id < $1.id }) {
            // One that waits to be sent is taken back; NIOHTTP2 ends the others itself.
            if stream.isSent { self.forget(stream) } else { self.drop(stream, .cancel) }
            stream.wasLost(isUnprocessed: true, detail)
        }
        if self.streams.isEmpty { self.close() }
    }

    /// They must stay in proportion to what was sent; NIOHTTP2 does not look.
    private func receivedWindowUpdate() {
        self.windowUpdates += 1
        guard self.windowUpdates > OriginLimits.http2WindowUpdates + 4 * self.writtenFrames
        else { return }
        self.failure = OriginFailure(.malformedMessage, "a flood of WINDOW_UPDATE")
        let context = self.context
        self.isGone()
        context?.close(promise: nil)
    }
}

extension HTTP2OriginConnection: NIOHTTP2FrameDelegate {
    /// Comes in the middle of NIOHTTP2's own work, so nothing is done but noted.
    func wroteFrame(_ frame: HTTP2Frame) {
        switch frame.payload {
        case .headers:
            self.writtenFrames += 1
            self.streams[frame.streamID]?.wroteHead()
        case .data(let data):
            self.writtenFrames += 1
            guard let stream = self.streams[frame.streamID] else { return }
            stream.wroteData(data.data.readableBytes)
            if self.written.last !== stream { self.written.append(stream) }
        case .goAway(_, let code, _):
            if code != .noError { self.hasFailed = true }
        default: break
        }
    }
}
