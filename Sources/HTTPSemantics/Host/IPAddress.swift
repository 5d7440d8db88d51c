/// An IPv4 or IPv6 address as a number; no zone.
package enum IPAddress: Hashable, Sendable {
    /// The first octet in the highest bits.
    case v4(UInt32)
    /// The first octet in the highest bits; an IPv4-mapped address is one of these too.
    case v6(UInt128)

    /// Reads an address without brackets, port, prefix or zone; nil when it is none.
    ///
    /// IPv4 is exactly four decimal numbers without leading zeros: `127.1`, `0x7f.0.0.1` and
    /// `010.0.0.1` mean different hosts to different readers and are refused.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes.contains(0x3A) {
            guard let value = Self.parseV6(bytes[...]) else { return nil }
            self = .v6(value)
        } else {
            guard let value = Self.parseV4(bytes[...]) else { return nil }
            self = .v4(value)
        }
    }

    /// The IPv4 address behind `::ffff:a.b.c.d`, as a dual-stack socket reports IPv4 peers; else self.
    package var unmapped: IPAddress {
        guard case .v6(let value) = self, value >> 32 == 0xFFFF else { return self }
        return .v4(UInt32(truncatingIfNeeded: value))
    }

    private static func parseV4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        var value: UInt32 = 0
        var octets = 0
        for part in bytes.split(separator: 0x2E, omittingEmptySubsequences: false) {
            guard octets < 4, (1...3).contains(part.count), part.allSatisfy(\.isASCIIDigit) else {
                return nil
            }
            if part.count > 1, part.first == 0x30 { return nil }
            let number = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 &- 0x30) }
            guard number < 256 else { return nil }
            value = value << 8 | number
            octets += 1
        }
        return octets == 4 ? value : nil
    }

    private static func parseV6(_ bytes: ArraySlice<UInt8>) -> UInt128? {
        guard bytes.count <= 45 else { return nil }
        var gap: Int?
        for index in bytes.indices.dropLast() where bytes[index] == 0x3A && bytes[index + 1] == 0x3A
        {
            guard gap == nil else { return nil }
            gap = index
        }
        guard let gap else {
            guard let all = Self.parseGroups(bytes), all.count == 8 else { return nil }
            return all.value
        }
        guard let high = Self.parseGroups(bytes[..<gap], isTail: false),
            let low = Self.parseGroups(bytes[(gap + 2)...]),
            high.count + low.count < 8
        else { return nil }
        return high.count == 0
            ? low.value : high.value << (128 - 16 * UInt128(high.count)) | low.value
    }

    /// Reads `h:h:…`, the last two groups as a dotted quad where `isTail` allows it.
    private static func parseGroups(
        _ bytes: ArraySlice<UInt8>,
        isTail: Bool = true
    ) -> (count: Int, value: UInt128)? {
        guard !bytes.isEmpty else { return (0, 0) }
        var count = 0
        var value: UInt128 = 0
        for part in bytes.split(separator: 0x3A, omittingEmptySubsequences: false) {
            if isTail, part.endIndex == bytes.endIndex, part.contains(0x2E) {
                guard count <= 6, let quad = Self.parseV4(part) else { return nil }
                return (count + 2, value << 32 | UInt128(quad))
            }
            guard count < 8, (1...4).contains(part.count) else { return nil }
            var group: UInt128 = 0
            for byte in part {
                guard let digit = byte.hexadecimalValue else { return nil }
                group = group << 4 | UInt128(digit)
            }
            value = value << 16 | group
            count += 1
        }
        return (count, value)
    }
}

extension IPAddress: CustomStringConvertible {
    /// The canonical text: a dotted quad, or RFC 5952 without brackets.
    package var description: String {
        switch self {
        case .v4(let value):
            return "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
        case .v6(let value):
            if value >> 32 == 0xFFFF { return "::ffff:\(self.unmapped)" }
            let groups = (0..<8).map {
                UInt16(truncatingIfNeeded: value >> (112 - 16 * UInt128($0)))
            }
            guard let run = Self.longestZeroRun(groups) else { return Self.join(groups[...]) }
            return Self.join(groups[..<run.lowerBound]) + "::"
                + Self.join(groups[run.upperBound...])
        }
    }

    private static func join(_ groups: ArraySlice<UInt16>) -> String {
        groups.map { String($0, radix: 16) }.joined(separator: ":")
    }

    /// The first of the longest runs of two or more zero groups (RFC 5952 §4.2).
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best = 0..<0
        var start = 0
        for index in 0...groups.count where index == groups.count || groups[index] != 0 {
            if index - start > best.count { best = start..<index }
            start = index + 1
        }
        return best.count > 1 ? best : nil
    }
}
