private let byteUnits: [(name: String, bytes: Int)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
    ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("kB", 1_000), ("B", 1),
]

/// A size as it is written: `64KiB`, `1 MiB`, `10MB`, `512`; nil for anything else or over 2^62.
func byteCount(written text: String) -> Int? {
    let unit = byteUnits.first { text.hasSuffix($0.name) }
    var digits = text.dropLast(unit?.name.count ?? 0)
    if unit != nil, digits.last == " " { digits.removeLast() }
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        return nil
    }
    guard let number = Int(digits) else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit?.bytes ?? 1)
    return overflow || bytes > 1 << 62 ? nil : bytes
}

/// A size in the largest power of 1024 that leaves no fraction.
func written(byteCount: Int) -> String {
    for unit in byteUnits where unit.name.contains("i") && byteCount > 0 {
        if byteCount % unit.bytes == 0 { return "\(byteCount / unit.bytes)\(unit.name)" }
    }
    return "\(byteCount)B"
}
