import NIOCore
import NIOHTTP2

extension HTTP2VisitorHandler {
    var eventLoop: any EventLoop { self.context?.eventLoop ?? self.written.eventLoop }

    /// Hands a frame to NIOHTTP2; it goes out with the next flush.
    func write(_ payload: HTTP2Frame.FramePayload, on stream: HTTP2VisitorStream) {
        guard let context, self.streams[stream.id] === stream else { return }
        let frame = HTTP2Frame(streamID: stream.id, payload: payload)
        context.write(self.wrapOutboundOut(frame), promise: nil)
    }

    func writeConnection(_ payload: HTTP2Frame.FramePayload) {
        guard let context else { return }
        let frame = HTTP2Frame(streamID: .rootStream, payload: payload)
        context.write(self.wrapOutboundOut(frame), promise: nil)
    }

    /// Gives a stream up; NIOHTTP2 reports it closed.
    func reset(_ stream: HTTP2VisitorStream, _ code: HTTP2ErrorCode) {
        self.write(.rstStream(code), on: stream)
        self.flushSoon()
    }

    /// Resets a stream behind what has been written to it: NIOHTTP2 would throw that away.
    func resetWhenWritten(_ stream: HTTP2VisitorStream) {
        self.breakingOff.append(stream)
        self.flushSoon()
    }

    /// Notes that a stream has something to do at the next flush.
    func touch(_ stream: HTTP2VisitorStream) {
        self.touched.append(stream)
    }

    func advanced(_ stream: HTTP2VisitorStream) {
        self.touch(stream)
        self.flushSoon()
    }

    /// Flushes once for all streams that ask for it in this turn of the loop.
    func flushSoon() {
        guard !self.isReading, !self.isFlushing, !self.isFlushScheduled, let context else { return }
        self.isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute { [weak self] in
            guard let self, self.isFlushScheduled else { return }
            self.flush()
        }
    }

    func flush() {
        guard !self.isFlushing, let context else { return }
        self.isFlushScheduled = false
        self.isFlushing = true
        self.flushTouched()
        self.grantConnectionWindow()
        context.flush()
        self.isFlushing = false
        self.afterFlush(context)
        if !self.touched.isEmpty { self.flushSoon() }
    }

    private func flushTouched() {
        while let stream = self.touched.popLast() {
            stream.exchange?.flushRequest()
            self.grantWindows(stream)
            self.resetIfUnneeded(stream)
        }
    }

    /// RFC 9113 §8.1: the answer is complete, and nobody takes the rest of the request.
    private func resetIfUnneeded(_ stream: HTTP2VisitorStream) {
        guard stream.isAnswerWritten, !stream.isRequestEnded,
            self.streams[stream.id] === stream, stream.exchange?.machine.tunnel != .attached
        else { return }
        self.write(.rstStream(.noError), on: stream)
    }

    /// What became known by writing: whose credit to return, which requests nobody needs the rest of.
    private func afterFlush(_ context: ChannelHandlerContext) {
        let written = self.written.take()
        for id in written {
            guard let stream = self.streams[id] else { continue }
            stream.reportDelivered()
            self.resetIfUnneeded(stream)
        }
        let hasReset = self.resetBreakingOff()
        if hasReset || !written.isEmpty { context.flush() }
    }

    /// Resets the streams that break off and have nothing left to be written; false if there are none.
    private func resetBreakingOff() -> Bool {
        guard !self.breakingOff.isEmpty else { return false }
        let ready = self.breakingOff.filter { $0.queuedBytes == 0 }
        self.breakingOff.removeAll { $0.queuedBytes == 0 || self.streams[$0.id] !== $0 }
        for stream in ready { self.write(.rstStream(.internalError), on: stream) }
        return !ready.isEmpty
    }
}

/// What NIOHTTP2 has written: it tells through this delegate, in the middle of its own work, so
/// nothing is done here but noted. Confined to the connection's loop.
final class HTTP2WrittenFrames: NIOHTTP2FrameDelegate {
    let eventLoop: any EventLoop
    weak var handler: HTTP2VisitorHandler?
    /// DATA frames so far.
    private(set) var dataFrames = 0
    /// A GOAWAY with an error has been written: NIOHTTP2 has found the connection faulty.
    private(set) var hasFailed = false
    private var streams: [HTTP2StreamID] = []

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func wroteFrame(_ frame: HTTP2Frame) {
        switch frame.payload {
        case .data(let data):
            self.dataFrames += 1
            self.note(frame.streamID, bytes: data.data.readableBytes, endStream: data.endStream)
        case .headers(let headers) where headers.endStream:
            self.note(frame.streamID, bytes: 0, endStream: true)
        case .goAway(_, let code, _):
            if code != .noError { self.hasFailed = true }
        default: break
        }
    }

    /// The streams written to since the last call.
    func take() -> [HTTP2StreamID] {
        guard !self.streams.isEmpty else { return [] }
        defer { self.streams.removeAll(keepingCapacity: true) }
        return self.streams
    }

    private func note(_ id: HTTP2StreamID, bytes: Int, endStream: Bool) {
        guard let stream = self.handler?.streams[id] else { return }
        stream.wrote(bytes: bytes, endStream: endStream, now: .now())
        if self.streams.last != id { self.streams.append(id) }
    }
}

@available(*, unavailable)
extension HTTP2WrittenFrames: Sendable {}
