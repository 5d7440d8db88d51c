internal import HTTPSemantics
internal import NIOCore

// The limits of edge.yml as the parts of the edge take them.

extension VisitorConfiguration {
    init(_ configuration: EdgeConfiguration) {
        self.init()
        let limits = configuration.limits
        self.limits.headerBytes = limits.headerBytes
        self.limits.headerFields = limits.headerFields
        self.limits.targetBytes = limits.targetBytes
        self.limits.bodyBytes = limits.bodyBytes.map { UInt64(clamping: $0) }
        self.limits.keptBytes = limits.bufferedBytes
        self.limits.requests = limits.streams
        self.limits.requestsPerAddress = limits.streamsPerAddress
        self.limits.http2Streams = limits.http2Streams
        self.limits.http2StreamWindowBytes = limits.http2StreamWindowBytes
        self.limits.http2ConnectionWindowBytes = limits.http2ConnectionWindowBytes
        self.limits.http2ResetsPer30Seconds = limits.http2Resets
        self.limits.http2Continuations = limits.http2ContinuationFrames
        self.limits.http2ControlFramesPerSecond = limits.http2ControlFrames
        self.limits.http2EmptyDataFrames = limits.http2EmptyDataFrames
        self.passes = PassCount(name: configuration.connect.name)
        self.timeouts.header = TimeAmount(limits.headerTimeout)
        self.timeouts.bodyIdle = TimeAmount(limits.bodyIdleTimeout)
        self.timeouts.keepAlive = TimeAmount(limits.keepAlive)
        self.timeouts.route = TimeAmount(configuration.resumeWindow)
    }
}

extension ConnectionCounter.Limits {
    init(_ limits: EdgeLimits) {
        self.init()
        self.total = limits.connections
        self.perAddress = limits.connectionsPerAddress
    }
}
