internal import Synchronization

/// How often durations of requests fell into each of fixed ranges. Any thread, without a lock.
package final class DurationHistogram: Sendable {
    /// Upper bounds, inclusive, in nanoseconds; the last range, without one, is `+Inf`.
    static let boundsNanoseconds: [UInt64] = [
        1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
        250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
        30_000_000_000, 60_000_000_000,
    ]
    /// The same as Prometheus writes them, in seconds.
    static let boundTexts = [
        "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5",
        "5", "10", "30", "60", "+Inf",
    ]

    /// What has been counted at one moment.
    struct Snapshot: Equatable {
        /// For each bound, how many durations were not above it; the last is all of them.
        var cumulative: [UInt64]
        var sumNanoseconds: UInt64
    }

    private let counts: InlineArray<16, Atomic<UInt64>>
    private let sum = Atomic<UInt64>(0)

    init() { self.counts = InlineArray { _ in Atomic(0) } }

    /// Counts one duration; a negative one, from a clock that went back, counts as zero.
    package func observe(nanoseconds: Int64) {
        let duration = UInt64(max(0, nanoseconds))
        var range = 0
        while range < Self.boundsNanoseconds.count, duration > Self.boundsNanoseconds[range] {
            range += 1
        }
        self.counts[range].wrappingAdd(1, ordering: .relaxed)
        self.sum.wrappingAdd(duration, ordering: .relaxed)
    }

    /// The total is taken from the ranges, so that the two always agree; the sum may be ahead of them
    /// by what is counted meanwhile.
    var snapshot: Snapshot {
        var total: UInt64 = 0
        var cumulative: [UInt64] = []
        cumulative.reserveCapacity(self.counts.count)
        for range in self.counts.indices {
            total &+= self.counts[range].load(ordering: .relaxed)
            cumulative.append(total)
        }
        return Snapshot(
            cumulative: cumulative,
            sumNanoseconds: self.sum.load(ordering: .relaxed)
        )
    }
}
