import HTTP2Wire
import NIOCore
import NIOHTTP2
import TunnelWire

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
            if data.data.readableBytes > 0 { self.receivedDataFrames += 1 }
            guard let stream = self.streams[frame.streamID] else { return }
            if self.touched.last !== stream { self.touched.append(stream) }
            stream.received(data)
        case .rstStream(let code): self.receivedReset(code, frame.streamID)
        case .settings(let settings):
            if case .settings(let settings) = settings { self.receivedSettings(settings) }
            self.receivedControlFrame()
        case .ping, .priority: self.receivedControlFrame()
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
        self.endFlood(of: "WINDOW_UPDATE")
    }

    /// PING, SETTINGS and PRIORITY must, too.
    private func receivedControlFrame() {
        let dataFrames = self.receivedDataFrames + self.writtenFrames
        guard !self.controlFrames.allows(dataFrames: dataFrames, now: .now()) else { return }
        self.endFlood(of: "PING, SETTINGS or PRIORITY")
    }

    private func endFlood(of frames: String) {
        self.failure = OriginFailure(.malformedMessage, "a flood of \(frames)")
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
