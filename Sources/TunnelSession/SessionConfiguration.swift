package import TunnelWire

/// Which end of a session this is; it decides the parity of stream ids.
package enum SessionRole: Sendable {
    /// Dials; the streams it opens are odd.
    case connector
    /// Accepts; the streams it opens are even.
    case edge
}

/// The limits and times of one end of a session.
package struct SessionConfiguration: Sendable {
    /// What this end lets the peer do; sent at login. Defaults: 16,384 streams, 64 KiB a stream, 32 MiB
    /// a session.
    package var limits = SessionLimits(
        streams: 16_384,
        streamWindowBytes: 64 << 10,
        sessionWindowBytes: 32 << 20
    )
    /// A stream's receive window never grows beyond this. Default 4 MiB.
    package var maximumStreamWindowBytes = 4 << 20
    /// DATA kept until the peer acknowledges it: the peer's session window, but never more than this,
    /// whatever window the peer claims; then the session waits. Default 32 MiB.
    package var maximumUnacknowledgedBytes = 32 << 20
    /// While over three quarters of the session's receive window wait for their readers, streams whose
    /// reader has taken nothing for so long are reset, `over-limit`, until half of it is free.
    /// Default 5 s.
    package var stallTimeout = Interval.seconds(5)
    /// The edge's next PING goes out this long after the last one; a connector's, half as long again
    /// after it last heard anything. Default 5 s.
    package var pingInterval = Interval.seconds(5)
    /// A link on which nothing arrived for so long is dead. Default 15 s.
    package var livenessTimeout = Interval.seconds(15)
    /// How long the session waits for a new link. Default 30 s.
    package var resumeWindow = Interval.seconds(30)
    /// The longest an acknowledgement waits for company. Default 25 ms.
    package var acknowledgementDelay = Interval.milliseconds(25)

    /// The defaults.
    package init() {}

    /// The defaults, but for how many streams the peer may have open.
    package init(maximumStreams: Int) { self.limits.streams = UInt32(clamping: maximumStreams) }
}
