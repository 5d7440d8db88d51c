import HTTP2Wire
import NIOCore
import NIOHTTP2

extension ChannelPipeline.SynchronousOperations {
    /// Adds NIOHTTP2 with the limits for origins, and the handler of its frames.
    func addHTTP2Origin() throws {
        let connection = HTTP2OriginConnection()
        try self.addHandlers(
            OutboundFramesHandler(concurrentStreams: nil),
            EarlySettingsHandler.client(),
            NIOHTTP2Handler(
                mode: .client,
                frameDelegate: connection,
                connectionConfiguration: .origin,
                streamConfiguration: .origin
            ),
            connection
        )
    }
}

extension NIOHTTP2Handler.ConnectionConfiguration {
    fileprivate static var origin: Self {
        var configuration = Self()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .enablePush, value: 0),
            HTTP2Setting(
                parameter: .initialWindowSize,
                value: OriginLimits.http2StreamWindowBytes
            ),
            // NIOHTTP2 ends the connection at this size; up to it, one answer is malformed.
            HTTP2Setting(parameter: .maxHeaderListSize, value: 2 * OriginLimits.headBytes),
        ]
        // A block of that size in frames of 16 KiB, and some that are not full.
        configuration.maximumSequentialContinuationFrames = 20
        // They do no harm in themselves, but NIOHTTP2 counts them up to an answer's end.
        configuration.maximumSequentialEmptyDataFrames = 1_000
        configuration.maximumBufferedControlFrames = 1_000
        // What was on its way to streams that were left.
        configuration.maximumRecentlyResetStreams = 10 * OriginLimits.http2Streams
        // `HTTP2OriginConnection` does, with regard to what flows: for NIOHTTP2 each is the first of its time.
        configuration.controlFrameRateLimit.maximumCount = 1
        configuration.controlFrameRateLimit.windowLength = .nanoseconds(-1)
        return configuration
    }
}

extension NIOHTTP2Handler.StreamConfiguration {
    fileprivate static var origin: Self {
        var configuration = Self()
        configuration.streamResetFrameRateLimit.maximumCount = OriginLimits.http2FramesPerSecond
        configuration.streamResetFrameRateLimit.windowLength = .seconds(1)
        return configuration
    }
}
