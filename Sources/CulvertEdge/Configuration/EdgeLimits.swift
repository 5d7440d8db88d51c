import ConfigurationFile
import TunnelLink

/// What visitors and connectors may use; at each limit it says what happens.
package struct EdgeLimits: Sendable, Equatable {
    /// From a request's first byte to the end of its header; 10 s, then 408.
    package var headerTimeout: Duration = .seconds(10)
    /// Without progress in a body; 60 s, then the exchange is broken off. A gRPC call may be silent for longer,
    /// as long as its visitor answers a PING within this time.
    package var bodyIdleTimeout: Duration = .seconds(60)
    /// Between requests; 75 s, then the connection is closed.
    package var keepAlive: Duration = .seconds(75)
    /// A request's line and fields, in bytes; 32 KiB, at most 44 KiB, beyond it 431.
    package var headerBytes = 32 << 10
    /// A request's fields; 100, at most 1,000, beyond it 431.
    package var headerFields = 100
    /// A request's target, in bytes; 16 KiB, which is the most, beyond it 414.
    package var targetBytes = 16 << 10
    /// A request's body, in bytes; nil (`none`) is without limit, beyond it 413.
    package var bodyBytes: Int?
    /// Kept of a request's body while it waits for a connector or may have to be sent again, in bytes;
    /// 64 KiB, at it reading stops, or the request can no longer be sent again.
    package var bufferedBytes = 64 << 10
    /// Connections in all; 65,536, beyond it new ones are closed.
    package var connections = 65_536
    /// Connections of one IPv4 address or IPv6 /64; 1,024, beyond it new ones are closed.
    package var connectionsPerAddress = 1_024
    /// Connections of connectors that have logged in; 10,000, beyond it new ones are closed. No setting.
    package private(set) var tunnelConnections = EdgeEndpoint.maximumSessions
    /// Requests in progress in all; 65,536, beyond it 503.
    package var streams = 65_536
    /// Requests in progress of one IPv4 address or IPv6 /64, which is no trusted proxy; 3,072, beyond it
    /// 429. Less than a session takes, so that no address alone fills one.
    package var streamsPerAddress = 3_072
    /// Requests in progress of one connector's session; 4,096, beyond it another is chosen, or 503.
    package var streamsPerSession = 4_096
    /// Requests that wait for a tunnel's connector to come back; 1,000, beyond it 503.
    package var waitingRequests = 1_000
    /// HTTP/2 streams open at once per connection; 100, beyond it they are refused.
    package var http2Streams = 100
    /// HTTP/2 window per stream, in bytes; 64 KiB.
    package var http2StreamWindowBytes = 64 << 10
    /// HTTP/2 window per connection, in bytes; 1 MiB.
    package var http2ConnectionWindowBytes = 1 << 20
    /// HTTP/2 streams reset in 30 s; 200, beyond it the connection ends.
    package var http2Resets = 200
    /// CONTINUATION frames of one header; 5, beyond it the connection ends.
    package var http2ContinuationFrames = 5
    /// SETTINGS, PING and PRIORITY frames in one second, and one more for each DATA frame either way; 200,
    /// beyond it the connection ends.
    package var http2ControlFrames = 200
    /// Empty DATA frames in a row; 10, beyond it the connection ends.
    package var http2EmptyDataFrames = 10

    /// Every limit at its default.
    package init() {}

    /// Lowers ``connections`` and ``tunnelConnections`` to what a process with so many file descriptors can have: a
    /// quarter is for tunnels, and 128 are for its own files and listeners.
    ///
    /// - Returns: what to tell whoever runs it; nil when nothing was lowered.
    package mutating func fit(openFiles: Int) -> String? {
        let most = max(8, (openFiles - 128) * 3 / 4)
        self.tunnelConnections = min(self.tunnelConnections, max(4, most / 3))
        guard self.connections > most else { return nil }
        let asked = self.connections
        self.connections = most
        return "limits.connections is \(asked), but this process may have \(openFiles) files open: "
            + "\(most) connections are let in at once. `ulimit -n`, or LimitNOFILE= of its unit, allows more"
    }
}

extension EdgeLimits {
    private static let times: ClosedRange<Duration> = .milliseconds(100)...maximumDuration
    private static let counts = 1...10_000_000

    /// Replaces, key by key, what `mapping` has.
    mutating func read(_ mapping: ConfigurationMapping) {
        mapping.read("header-timeout", into: &self.headerTimeout) { $0.duration(Self.times) }
        mapping.read("body-idle-timeout", into: &self.bodyIdleTimeout) { $0.duration(Self.times) }
        mapping.read("keep-alive", into: &self.keepAlive) { $0.duration(Self.times) }
        // A head crosses the tunnel in 64 KiB and 1,024 fields, the edge's own among them.
        mapping.read("header-size", into: &self.headerBytes) { $0.byteSize(1024...44 << 10) }
        mapping.read("header-fields", into: &self.headerFields) { $0.int(10...1_000) }
        mapping.read("target-size", into: &self.targetBytes) { $0.byteSize(256...16 << 10) }
        if let value = mapping.take("body-size"), !value.isWord("none") {
            self.bodyBytes = value.byteSize(0...1 << 62) ?? self.bodyBytes
        }
        mapping.read("buffered", into: &self.bufferedBytes) { $0.byteSize(4096...64 << 20) }
        mapping.read("connections", into: &self.connections) { $0.int(Self.counts) }
        mapping.read("connections-per-address", into: &self.connectionsPerAddress) {
            $0.int(Self.counts)
        }
        mapping.read("streams", into: &self.streams) { $0.int(Self.counts) }
        mapping.read("streams-per-address", into: &self.streamsPerAddress) { $0.int(Self.counts) }
        mapping.read("streams-per-session", into: &self.streamsPerSession) { $0.int(Self.counts) }
        mapping.read("waiting-requests", into: &self.waitingRequests) { $0.int(0...10_000_000) }
        self.readHTTP2(mapping)
        mapping.finish()
    }

    private mutating func readHTTP2(_ mapping: ConfigurationMapping) {
        // RFC 9113 §6.9.1: a window is at most 2^31-1 bytes, and RFC 9113 §6.9.2: a connection's
        // begins at 65,535 whatever is configured, so less cannot be had.
        let window = 65_535...2_147_483_647
        mapping.read("http2-streams", into: &self.http2Streams) { $0.int(1...100_000) }
        mapping.read("http2-stream-window", into: &self.http2StreamWindowBytes) {
            $0.byteSize(1024...2_147_483_647)
        }
        mapping.read("http2-connection-window", into: &self.http2ConnectionWindowBytes) {
            $0.byteSize(window)
        }
        mapping.read("http2-resets", into: &self.http2Resets) { $0.int(Self.counts) }
        mapping.read("http2-continuation-frames", into: &self.http2ContinuationFrames) {
            $0.int(0...1_000)
        }
        mapping.read("http2-control-frames", into: &self.http2ControlFrames) {
            $0.int(10...10_000_000)
        }
        mapping.read("http2-empty-data-frames", into: &self.http2EmptyDataFrames) {
            $0.int(Self.counts)
        }
    }
}
