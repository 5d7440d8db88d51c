internal import TunnelSession

/// Decides which of the things that a session's connector says of itself are logged: so many lines a
/// minute, and how many there would have been besides.
///
/// Pure: the time comes in as an argument.
struct ReportLog {
    /// Lines of one session in a minute; those beyond are counted.
    static let linesPerMinute = 10
    private static let minute = Interval.seconds(60)

    enum Result: Equatable {
        /// Log it; before it, if there are any, how many were left out.
        case log(omitted: Int)
        case omit
    }

    private var minuteEnds: Instant?
    private var lines = 0
    /// Left out since the last that were told of.
    private(set) var omitted = 0

    /// There is something to be logged.
    mutating func next(now: Instant) -> Result {
        if self.minuteEnds.map({ $0 <= now }) ?? true {
            self.minuteEnds = now + Self.minute
            self.lines = 0
        }
        guard self.lines < Self.linesPerMinute else {
            self.omitted += 1
            return .omit
        }
        self.lines += 1
        defer { self.omitted = 0 }
        return .log(omitted: self.omitted)
    }
}
