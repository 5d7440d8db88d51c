package import Foundation

/// Times as people read them: `2026-11-27 20:53`, where they are.
package struct LocalTime: Sendable {
    private let calendar: Calendar

    /// Of a time zone, by default the machine's.
    package init(zone: TimeZone = .current) {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        self.calendar = calendar
    }

    /// To the minute.
    package func minute(_ date: Date) -> String {
        let parts = self.calendar.dateComponents([.hour, .minute], from: date)
        return "\(self.day(date)) \(Self.digits(parts.hour, 2)):\(Self.digits(parts.minute, 2))"
    }

    /// To the second.
    package func second(_ date: Date) -> String {
        let second = self.calendar.dateComponents([.second], from: date).second
        return "\(self.minute(date)):\(Self.digits(second, 2))"
    }

    /// The day alone.
    package func day(_ date: Date) -> String {
        let parts = self.calendar.dateComponents([.year, .month, .day], from: date)
        return
            "\(Self.digits(parts.year, 4))-\(Self.digits(parts.month, 2))-\(Self.digits(parts.day, 2))"
    }

    private static func digits(_ number: Int?, _ width: Int) -> String {
        let text = "\(number ?? 0)"
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
