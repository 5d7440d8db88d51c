internal import TunnelSession
internal import TunnelWire

/// Lets a connector say how it stands as often as it has a reason to, and no more: of one that says
/// something new all the time the edge looks at one report a second, the last.
///
/// Pure: the time comes in as an argument.
struct ReportPace {
    /// So many in a row are passed on at once, and then one each ``interval``. A connector with many rules
    /// whose origins fail one after the other stays within.
    static let burst: UInt64 = 10
    static let interval = Interval.seconds(1)

    enum Result: Equatable {
        /// Pass it on.
        case passOn
        /// It is kept: ask for it then, with ``takeLate()``.
        case keep(until: Instant)
        /// It takes the place of one that is kept.
        case replace
    }

    /// When the next one would be on time if all had come at their proper times.
    private var due: Instant?
    private var kept: ConnectorReport?

    mutating func received(_ report: ConnectorReport, now: Instant) -> Result {
        guard self.kept == nil else {
            self.kept = report
            return .replace
        }
        let due = max(self.due ?? now, now)
        self.due = due + Self.interval
        // How far the connector is ahead of its time.
        let allowance = Interval(nanoseconds: Self.interval.nanoseconds * (Self.burst - 1))
        guard due > now + allowance else { return .passOn }
        self.kept = report
        return .keep(until: Instant(nanoseconds: due.nanoseconds - allowance.nanoseconds))
    }

    /// The report that was kept, at the time that was named.
    mutating func takeLate() -> ConnectorReport? {
        defer { self.kept = nil }
        return self.kept
    }
}
