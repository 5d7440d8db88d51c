/// How much may stand between the scheduler and the wire, by what the path delivers.
///
/// Whatever a link has taken can no longer be overtaken: on a 2 Mbit/s uplink the 128 KiB that a fast
/// one likes would be half a second ahead of every small answer. So both the message and what the
/// kernel holds unsent (`TCP_NOTSENT_LOWAT`) shrink to what the path carries in about 10 ms. On a fast
/// path neither limits: unsent bytes leave at once while the congestion window is open.
package struct LinkPace: Equatable, Sendable {
    /// The path is looked at no more often than this.
    package static let interval = Interval.milliseconds(20)

    private static let messageRange = 1_400...16_000
    private static let unsentRange = 4_096...131_072

    /// For `nextMessage`'s target.
    package private(set) var messageBytes = messageRange.upperBound
    /// For the socket.
    package private(set) var unsentBytes = unsentRange.upperBound
    private var lookedAt: Instant?

    /// As for a fast path, 16,000 and 131,072 bytes, until one has been looked at.
    package init() {}

    /// Whether it is time for ``look(deliveredBytesPerSecond:now:)``.
    package func isDue(now: Instant) -> Bool {
        guard let lookedAt else { return true }
        return now - lookedAt >= Self.interval
    }

    /// Takes the kernel's estimate of what the path delivers; 0 when it has none yet.
    ///
    /// - Returns: whether ``unsentBytes`` changed enough to tell the socket.
    package mutating func look(deliveredBytesPerSecond rate: Int, now: Instant) -> Bool {
        self.lookedAt = now
        guard rate > 0 else { return false }
        self.messageBytes = Self.clamp(rate / 125, Self.messageRange)
        let unsent = Self.clamp(rate / 50, Self.unsentRange)
        let isNear = unsent > self.unsentBytes * 3 / 4 && unsent < self.unsentBytes * 4 / 3
        guard !isNear else { return false }
        self.unsentBytes = unsent
        return true
    }

    private static func clamp(_ value: Int, _ range: ClosedRange<Int>) -> Int {
        min(max(value, range.lowerBound), range.upperBound)
    }
}
