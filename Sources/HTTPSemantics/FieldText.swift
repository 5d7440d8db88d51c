extension String {
    /// Whether every byte of the UTF-8 is allowed; straight through memory, which the view is not.
    @inlinable @inline(__always)
    package func allBytes(_ isAllowed: (UInt8) -> Bool) -> Bool {
        self.utf8.withContiguousStorageIfAvailable { $0.allSatisfy(isAllowed) }
            ?? self.utf8.allSatisfy(isAllowed)
    }

    /// Whether both are equal when A–Z and a–z are taken for the same; other bytes compare exactly.
    package func equalsIgnoringASCIICase(_ other: String) -> Bool {
        guard self.utf8.count == other.utf8.count else { return false }
        let isEqual = self.utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in
                for index in left.indices
                where left[index].asciiLowercased != right[index].asciiLowercased { return false }
                return true
            }
        }
        if case .some(.some(let isEqual)) = isEqual { return isEqual }
        return self.utf8.elementsEqual(other.utf8) { $0.asciiLowercased == $1.asciiLowercased }
    }

    /// The bytes as text, or nil when they are not UTF-8.
    ///
    /// As `String(validating:as:)`, several times faster for ASCII, which fields nearly always are.
    package init?(utf8 bytes: UnsafeRawBufferPointer) {
        var allBits: UInt8 = 0
        for byte in bytes { allBits |= byte }
        guard allBits >= 0x80 else {
            self.init(decoding: bytes.assumingMemoryBound(to: UInt8.self), as: UTF8.self)
            return
        }
        self.init(validating: bytes, as: UTF8.self)
    }
}

// MARK: - Octets

// Field values and reason phrases are octets (RFC 9110 §5.5): mostly ASCII, often UTF-8, sometimes
// ISO 8859-1, and whatever they are, they cross unchanged. As texts they are UTF-8 where they are
// that; else each octet above 0x7F is one of the last 128 scalars, U+10FF80 to U+10FFFF. So that no
// octets ever yield these scalars otherwise, octets that have the lead byte of theirs are written
// that way, too.

extension String {
    private static let octetScalars: UInt32 = 0x10_FF00
    /// Leads U+100000 to U+10FFFF in UTF-8.
    private static let octetLead: UInt8 = 0xF4

    /// The text of octets that are a field's value or a reason phrase; ``withOctets(_:)`` yields them
    /// again.
    package init(octets bytes: UnsafeRawBufferPointer) {
        if let text = String(utf8: bytes), !text.mayHoldOctets {
            self = text
        } else {
            self.init(
                String.UnicodeScalarView(
                    bytes.lazy.map { byte in
                        let scalar =
                            byte < 0x80 ? nil : Unicode.Scalar(Self.octetScalars | UInt32(byte))
                        return scalar ?? Unicode.Scalar(byte)
                    }
                )
            )
        }
    }

    /// Calls `body` with the octets of a text that ``init(octets:)`` may have made; with its UTF-8, if
    /// that did not.
    @inlinable
    package func withOctets<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
        -> Result
    {
        var text = self
        if self.mayHoldOctets { return try self.octets.withUnsafeBytes(body) }
        return try text.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
    }

    /// The text for where octets cannot go, HTTP/2 as NIO has it: what is no UTF-8 is read as
    /// ISO 8859-1, which octets above 0x7F were by RFC 2616 §2.2.
    package var readableText: String {
        guard self.mayHoldOctets else { return self }
        let octets = self.octets
        return octets.withUnsafeBytes { String(utf8: $0) }
            ?? String(String.UnicodeScalarView(octets.lazy.map { Unicode.Scalar($0) }))
    }

    /// Whether the lead byte is there that all octet scalars have; hardly any other text has it.
    @usableFromInline var mayHoldOctets: Bool {
        self.utf8.withContiguousStorageIfAvailable { $0.contains(Self.octetLead) }
            ?? self.utf8.contains(Self.octetLead)
    }

    @usableFromInline var octets: [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(self.utf8.count)
        for scalar in self.unicodeScalars {
            if scalar.value >= Self.octetScalars | 0x80 {
                octets.append(UInt8(truncatingIfNeeded: scalar.value))
            } else {
                octets.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        return octets
    }
}
