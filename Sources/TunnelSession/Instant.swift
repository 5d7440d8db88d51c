/// A point on a monotonic clock, in nanoseconds; the clock is the caller's.
package struct Instant: Hashable, Comparable, Sendable {
    /// Since whatever moment the caller's clock counts from.
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant that much later; the largest there is where the sum would overflow.
    package static func + (left: Instant, right: Interval) -> Instant {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    /// The time since `earlier`; zero when `earlier` is later.
    package static func - (left: Instant, earlier: Instant) -> Interval {
        Interval(nanoseconds: left < earlier ? 0 : left.nanoseconds - earlier.nanoseconds)
    }
}

/// A length of time, in nanoseconds; never negative.
package struct Interval: Hashable, Comparable, Sendable {
    /// Up to some 584 years.
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// So many milliseconds; traps beyond what ``nanoseconds`` holds.
    package static func milliseconds(_ count: UInt64) -> Interval {
        Interval(nanoseconds: count * 1_000_000)
    }

    /// So many seconds; traps beyond what ``nanoseconds`` holds.
    package static func seconds(_ count: UInt64) -> Interval {
        Interval(nanoseconds: count * 1_000_000_000)
    }

    package static func < (left: Interval, right: Interval) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}
