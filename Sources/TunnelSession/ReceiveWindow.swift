/// The receiving side of credit: what the peer may send, and when to let it send more.
///
/// The window doubles, up to its maximum, whenever half of it was consumed within two round trips:
/// then the window, not the path, was the limit (the rule of Chromium's QUIC).
struct ReceiveWindow {
    /// What a round trip counts as at least: on a short path most of it is not the path's but goes by
    /// until each end's threads have passed the bytes, and the credit, on.
    static let leastRoundTrip = Interval.milliseconds(2)

    /// DATA bytes received so far.
    private(set) var received: UInt64 = 0
    /// DATA bytes that the reader is done with.
    private(set) var consumed: UInt64 = 0
    /// The highest limit the peer was told.
    private(set) var limit: UInt64
    private(set) var windowBytes: UInt64
    private let initialBytes: UInt64
    private let maximumBytes: UInt64
    private var lastGrant: Instant

    init(windowBytes: Int, maximumBytes: Int, now: Instant) {
        self.windowBytes = UInt64(windowBytes)
        self.initialBytes = UInt64(windowBytes)
        self.maximumBytes = UInt64(max(windowBytes, maximumBytes))
        self.limit = UInt64(windowBytes)
        self.lastGrant = now
    }

    /// What the window has grown by.
    var grownBytes: UInt64 { self.windowBytes - self.initialBytes }

    /// Bytes received that the reader still has.
    var buffered: Int { Int(self.received - self.consumed) }

    /// Counts bytes that arrived; false when they pass the limit.
    mutating func receive(_ bytes: Int) -> Bool {
        self.received += UInt64(bytes)
        return self.received <= self.limit
    }

    /// Counts bytes that the reader is done with, at most those it has.
    ///
    /// - Returns: the new limit to tell the peer, when half the window has been consumed since the last.
    mutating func consume(
        _ bytes: Int,
        roundTrip: Interval?,
        mayGrow: Bool,
        now: Instant
    ) -> UInt64? {
        self.consumed += UInt64(min(max(bytes, 0), self.buffered))
        guard self.consumed + self.windowBytes >= self.limit + self.windowBytes / 2 else {
            return nil
        }
        let trip = max(roundTrip ?? Self.leastRoundTrip, Self.leastRoundTrip)
        if mayGrow, now - self.lastGrant < trip + trip {
            self.windowBytes = min(self.windowBytes * 2, self.maximumBytes)
        }
        return self.grant(now: now)
    }

    /// Whether the peer may soon send nothing more, though some of the window is free.
    ///
    /// Grants come when half a window was consumed. While some readers stall and others do not, the
    /// peer can use up what it was granted before that.
    var isScarce: Bool {
        self.limit < self.received + self.windowBytes / 4
            && self.limit + self.windowBytes / 16 <= self.consumed + self.windowBytes
    }

    /// The limit that lets the peer use all that is free.
    mutating func grant(now: Instant) -> UInt64 {
        self.lastGrant = now
        self.limit = self.consumed + self.windowBytes
        return self.limit
    }
}

extension Interval {
    static func + (left: Interval, right: Interval) -> Interval {
        Interval(nanoseconds: left.nanoseconds + right.nanoseconds)
    }
}
