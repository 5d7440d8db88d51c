/// The longest time a configuration may name: a year of 365 days.
package let maximumDuration = Duration.seconds(365 * 24 * 3600)

extension Duration {
    /// A time as Go writes it (`1h30m`, `1.5s`, `300ms`, `2us`, `0`), or a bare number of seconds.
    ///
    /// Nil for anything else, for a sign, and for more than 100 years.
    package init?(written text: String) {
        var rest = Substring(text)
        guard !rest.isEmpty, rest.utf8.count <= 64 else { return nil }
        var total: Int128 = 0
        var isFirst = true
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest.removeFirst(number.count)
            let unit = rest.prefix { !($0.isNumber || $0 == ".") }
            rest.removeFirst(unit.count)
            let isBareNumber = unit.isEmpty && isFirst && rest.isEmpty
            guard let scale = isBareNumber ? 1_000_000_000 : unitNanoseconds(unit),
                let count = product(number, scale)
            else { return nil }
            total += count
            isFirst = false
        }
        guard total <= 100 * 365 * 24 * 3600 * 1_000_000_000 else { return nil }
        self = .nanoseconds(Int64(total))
    }

    /// The time as ``init(written:)`` reads it, in the largest units that leave no fraction: `1m30s`.
    package var written: String {
        let parts = self.components
        let fraction = parts.attoseconds / 1_000_000_000
        if fraction != 0 {
            let total = Int128(parts.seconds) * 1_000_000_000 + Int128(fraction)
            return total % 1_000_000 == 0 ? "\(total / 1_000_000)ms" : "\(total)ns"
        }
        var text = ""
        let (hours, rest) = parts.seconds.quotientAndRemainder(dividingBy: 3600)
        if hours > 0 { text += "\(hours)h" }
        if rest / 60 > 0 { text += "\(rest / 60)m" }
        if rest % 60 > 0 || text.isEmpty { text += "\(rest % 60)s" }
        return text
    }
}

private func unitNanoseconds(_ unit: Substring) -> Int128? {
    switch unit {
    case "ns": 1
    case "us", "µs", "μs": 1_000
    case "ms": 1_000_000
    case "s": 1_000_000_000
    case "m": 60_000_000_000
    case "h": 3_600_000_000_000
    default: nil
    }
}

/// `12.5` times `scale`; nil when it is not a number or has more than 18 digits on either side.
private func product(_ number: Substring, _ scale: Int128) -> Int128? {
    let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard number != ".", parts.allSatisfy({ $0.utf8.count <= 18 }) else { return nil }
    guard let whole = parts.first else { return nil }
    var total: Int128 = 0
    if !whole.isEmpty {
        guard let value = Int128(whole) else { return nil }
        total = value * scale
    }
    guard parts.count == 2, !parts[1].isEmpty else { return whole.isEmpty ? nil : total }
    guard let value = Int128(parts[1]) else { return nil }
    var divisor: Int128 = 1
    for _ in 0..<parts[1].utf8.count { divisor *= 10 }
    return total + value * scale / divisor
}
