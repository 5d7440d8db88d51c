/// The byte classes of RFC 9110 §5 that every grammar here is made of; bit masks, so no table is
/// set up lazily on the hot path, and inlinable, because every byte of every head is asked.
extension UInt8 {
    /// `tchar` of RFC 9110 §5.6.2.
    @inlinable @inline(__always)
    package var isToken: Bool {
        switch self {
        case 0..<64: (0x03FF_6CFA_0000_0000 as UInt64) >> UInt64(self) & 1 == 1
        case 64..<128: (0x57FF_FFFF_C7FF_FFFE as UInt64) >> UInt64(self & 63) & 1 == 1
        default: false
        }
    }

    /// A byte that may stand in a field value: HTAB, SP, visible ASCII, obs-text (RFC 9110 §5.5).
    @inlinable @inline(__always)
    package var isFieldValueByte: Bool { self >= 0x20 && self != 0x7F || self == 0x09 }

    /// VCHAR: visible ASCII without the space.
    @inlinable @inline(__always)
    package var isVisibleASCII: Bool { self > 0x20 && self < 0x7F }

    /// `DIGIT`: 0–9 (RFC 5234 B.1).
    @inlinable @inline(__always)
    package var isASCIIDigit: Bool { self &- 0x30 < 10 }

    /// `ALPHA` or `DIGIT`: A–Z, a–z, 0–9 (RFC 5234 B.1).
    @inlinable @inline(__always)
    package var isASCIIAlphanumeric: Bool {
        self.isASCIIDigit || (0x61...0x7A).contains(self | 0x20)
    }

    /// 0...15 for a hexadecimal digit of either case, else nil.
    @inlinable @inline(__always)
    package var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self &- 0x30
        case 0x41...0x46: self &- 0x37
        case 0x61...0x66: self &- 0x57
        default: nil
        }
    }

    /// SP or HTAB, the two bytes of OWS (RFC 9110 §5.6.3).
    @inlinable @inline(__always)
    package var isOptionalWhitespace: Bool { self == 0x20 || self == 0x09 }
}

extension UInt8 {
    /// a–z for A–Z, any other byte unchanged.
    @inlinable @inline(__always)
    package var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}

extension BidirectionalCollection where Element == UInt8 {
    /// The bytes without OWS at either end (RFC 9110 §5.6.3).
    @inlinable
    package var trimmingOptionalWhitespace: SubSequence {
        var lower = self.startIndex
        var upper = self.endIndex
        while lower < upper, self[lower].isOptionalWhitespace { self.formIndex(after: &lower) }
        while lower < upper {
            let before = self.index(before: upper)
            guard self[before].isOptionalWhitespace else { break }
            upper = before
        }
        return self[lower..<upper]
    }
}

extension Collection where Element == UInt8 {
    /// Whether the bytes are `lowercase` once A–Z are taken for a–z.
    ///
    /// - Parameter lowercase: ASCII without capitals.
    /// - Returns: True when they are, byte for byte.
    @inlinable
    package func equalsLowercase(_ lowercase: StaticString) -> Bool {
        guard self.count == lowercase.utf8CodeUnitCount else { return false }
        var pointer = lowercase.utf8Start
        for byte in self {
            guard byte.asciiLowercased == pointer.pointee else { return false }
            pointer += 1
        }
        return true
    }
}

extension String {
    /// `equalsLowercase(_:)` over the name's bytes.
    func isField(_ lowercase: StaticString) -> Bool { self.utf8.equalsLowercase(lowercase) }
}
