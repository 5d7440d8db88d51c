import HTTP2Wire
import NIOCore
import NIOHTTP2

extension ChannelPipeline.SynchronousOperations {
    /// Adds NIOHTTP2 with the edge's limits, and the handler of its frames.
    func addHTTP2Visitor(
        _ server: VisitorServer,
        _ visitor: VisitorInfo,
        _ channel: any Channel
    ) throws {
        let written = HTTP2WrittenFrames(eventLoop: channel.eventLoop)
        let handler = HTTP2VisitorHandler(
            server: server,
            visitor: visitor,
            written: written,
            acceptedAt: .now()
        )
        written.handler = handler
        let framing = NIOHTTP2Handler(
            mode: .server,
            frameDelegate: written,
            connectionConfiguration: .init(server.configuration.limits),
            streamConfiguration: .init(server.configuration.limits)
        )
        let limits = server.configuration.limits
        try self.addHandlers(
            HeaderBlockHandler(timeout: server.configuration.timeouts.header),
            OutboundFramesHandler(concurrentStreams: limits.http2Streams) { [weak handler] in
                Int(handler?.lastStreamID ?? .maxID)
            },
            EarlySettingsHandler(
                acknowledges: EarlySettingsHandler.isHarmless(
                    streamWindowBytes: limits.http2StreamWindowBytes
                )
            ),
            framing,
            handler
        )
    }
}

extension NIOHTTP2Handler.ConnectionConfiguration {
    init(_ limits: VisitorLimits) {
        self.init()
        self.initialSettings = [
            // More than the visitor is told, see `OutboundFramesHandler`.
            HTTP2Setting(
                parameter: .maxConcurrentStreams,
                value: limits.http2Streams + limits.http2RefusedStreams
            ),
            HTTP2Setting(parameter: .initialWindowSize, value: limits.http2StreamWindowBytes),
            // NIOHTTP2 ends the connection at this size; up to it, a 431 can be answered.
            HTTP2Setting(parameter: .maxHeaderListSize, value: 2 * limits.headerBytes),
        ]
        // `HTTP2VisitorStream` does; this would take a length that has many digits for a malformed one.
        self.contentLengthValidation = .disabled
        self.maximumSequentialContinuationFrames = limits.http2Continuations
        self.maximumSequentialEmptyDataFrames = limits.http2EmptyDataFrames
        self.maximumBufferedControlFrames = limits.http2BufferedControlFrames
        // `HTTP2VisitorHandler` does, with regard to what flows: for NIOHTTP2 each is the first of its time.
        self.controlFrameRateLimit.maximumCount = 1
        self.controlFrameRateLimit.windowLength = .nanoseconds(-1)
    }
}

extension NIOHTTP2Handler.StreamConfiguration {
    init(_ limits: VisitorLimits) {
        self.init()
        self.streamResetFrameRateLimit.maximumCount = limits.http2ResetsPer30Seconds
        self.streamResetFrameRateLimit.windowLength = .seconds(30)
        self.streamErrorRateLimit.maximumCount = limits.http2ResetsPer30Seconds
        self.streamErrorRateLimit.windowLength = .seconds(30)
    }
}
