package import HTTPSemantics
package import NIOCore

/// What visitors may do, and for how long.
package struct VisitorConfiguration: Sendable {
    /// Sizes and counts, each with its own default.
    package var limits = VisitorLimits()
    /// Times, each with its own default.
    package var timeouts = VisitorTimeouts()
    /// Counts how often a request comes by, which is refused with 508 when it is a loop. Default nil: nothing
    /// is counted, and no field added.
    package var passes: PassCount?

    /// Everything at its default.
    package init() {}
}

/// What connections without TLS get.
package enum PlainPolicy: Sendable, Equatable {
    /// 308 to the same host and path over https; the port is named in the URL unless it is 443.
    case redirect(httpsPort: Int)
    /// They are served like the others, with scheme `http`.
    case serve
}

/// Sizes and counts; at each the request or the connection is refused, never a buffer grown.
package struct VisitorLimits: Sendable {
    /// Bytes of a request's line and fields, and of its trailers. Default 32 KiB; beyond it 431.
    package var headerBytes = 32 * 1024
    /// Fields of a request's head, and of its trailers. Default 100; beyond it 431.
    package var headerFields = 100
    /// Bytes of a request target. Default 16 KiB; beyond it 414.
    package var targetBytes = 16 * 1024
    /// Bytes of a request's body. Default none; beyond it 413, or a broken exchange when chunked.
    package var bodyBytes: UInt64?
    /// Body bytes kept per exchange while it waits for a connector, or might be sent again.
    /// Default 64 KiB; at it reading stops, or the request can no longer be sent again.
    package var keptBytes = 64 * 1024
    /// Bytes of an unread body that are read and thrown away to keep a connection. Default 64 KiB.
    package var drainedBytes = 64 * 1024
    /// Bytes read ahead of the request in progress on an HTTP/1.1 connection. Default 16 KiB; at
    /// it reading stops.
    package var pipelinedBytes = 16 * 1024
    /// Requests in progress, of all connections together. Default 65,536; beyond it 503.
    package var requests = 65_536
    /// Requests in progress of one address that is no trusted proxy. Default 3,072; beyond it 429.
    package var requestsPerAddress = 3_072
    /// How often one request is given to a connector. Default 3.
    package var attempts = 3
    /// HTTP/2 streams open at once per connection. Default 100; beyond it REFUSED_STREAM.
    package var http2Streams = 100
    /// Streams refused on a connection. Default 1,000; beyond it ENHANCE_YOUR_CALM and the end.
    package var http2RefusedStreams = 1_000
    /// HTTP/2 window per stream, for request bodies. Default 64 KiB.
    package var http2StreamWindowBytes = 64 * 1024
    /// HTTP/2 window per connection. Default 1 MiB.
    package var http2ConnectionWindowBytes = 1024 * 1024
    /// RST_STREAM frames in 30 s. Default 200; beyond it ENHANCE_YOUR_CALM and the end.
    package var http2ResetsPer30Seconds = 200
    /// CONTINUATION frames of one header block. Default 5; beyond it ENHANCE_YOUR_CALM.
    package var http2Continuations = 5
    /// SETTINGS, PING and PRIORITY frames in one second, and one more for each DATA frame either way: gRPC's
    /// clients measure their path with a PING in every round trip while messages flow. Default 200; beyond
    /// it ENHANCE_YOUR_CALM.
    package var http2ControlFramesPerSecond = 200
    /// Empty DATA frames in a row. Default 10; beyond it ENHANCE_YOUR_CALM.
    package var http2EmptyDataFrames = 10
    /// WINDOW_UPDATE frames beyond four per DATA frame sent. Default 1,000; beyond it
    /// ENHANCE_YOUR_CALM.
    package var http2WindowUpdates = 1000
    /// Answers waiting to be written because the visitor does not read: control frames. Default
    /// 1,000; beyond it the end.
    package var http2BufferedControlFrames = 1000

    /// Every limit at its default.
    package init() {}
}

/// How long a visitor may take.
package struct VisitorTimeouts: Sendable {
    /// From the first byte of a request to the end of its head; for the first request, and the
    /// TLS handshake, from accept. Default 10 s; then 408, or nothing when not a byte came.
    package var header = TimeAmount.seconds(10)
    /// Without progress where the visitor is the one waited for: it sends none of the body it
    /// owes, or takes none of the answer. An origin's silence does not count. Default 60 s. A call of
    /// gRPC that a connector has taken may be silent for as long as its visitor answers a PING within
    /// this time: it owes nothing, and many servers do not begin their answer before its first message.
    package var bodyIdle = TimeAmount.seconds(60)
    /// From the moment a visitor without TLS has closed its half, or took something of its answer
    /// after that, to where it counts as gone: whether it still listens only writing would tell.
    /// Default 2 s. One with TLS counts as gone at once.
    package var halfClosed = TimeAmount.seconds(2)
    /// Before a connection without a request is closed once the server stops: a request that is on its
    /// way by then is answered. Default 1 s.
    package var lastRequest = TimeAmount.seconds(1)
    /// Between requests. Default 75 s; then the connection is closed.
    package var keepAlive = TimeAmount.seconds(75)
    /// To throw an unread body away. Default 5 s; then the connection is closed.
    package var drain = TimeAmount.seconds(5)
    /// Between the last answer of a connection and its end, for the visitor to read it. Default 2 s.
    package var lingering = TimeAmount.seconds(2)
    /// For a request to find a connector, all attempts together. Default 30 s; the router keeps it.
    package var route = TimeAmount.seconds(30)

    /// Every timeout at its default.
    package init() {}
}
