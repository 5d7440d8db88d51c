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
        guard !bytes.isASCII else {
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
    @usableFromInline static var octetLead: UInt8 { 0xF4 }

    /// The text of octets that are a field's value or a reason phrase; ``withOctets(_:)`` yields them
    /// again.
    package init(octets bytes: UnsafeRawBufferPointer) {
        if bytes.isASCII {
            self.init(decoding: bytes.assumingMemoryBound(to: UInt8.self), as: UTF8.self)
        } else if !bytes.contains(Self.octetLead),
            let text = String(validating: bytes, as: UTF8.self)
        {
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
    package func withOctets<Result>(
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        var text = self
        return try text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            if bytes.isASCII || !bytes.contains(Self.octetLead) { return try body(bytes) }
            return try self.octets.withUnsafeBytes(body)
        }
    }

    /// The text for where octets cannot go, HTTP/2 as NIO has it: what is no UTF-8 is read as
    /// ISO 8859-1, which octets above 0x7F were by RFC 2616 §2.2.
    package var readableText: String {
        guard self.utf8.contains(Self.octetLead) else { return self }
        let octets = self.octets
        return octets.withUnsafeBytes { String(utf8: $0) }
            ?? String(String.UnicodeScalarView(octets.lazy.map { Unicode.Scalar($0) }))
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

extension UnsafeRawBufferPointer {
    /// Where `byte` is first at or after `start`, or nil; eight bytes at a time.
    package func firstIndex(ofByte byte: UInt8, from start: Int = 0) -> Int? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let pattern = ones &* UInt64(byte)
        var index = start
        while index + 8 <= self.count {
            let word =
                UInt64(littleEndian: self.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                ^ pattern
            // The highest bit of the first byte that is zero, and of none before it.
            let zeros = (word &- ones) & ~word & (ones << 7)
            if zeros != 0 { return index + zeros.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < self.count {
            if self[index] == byte { return index }
            index += 1
        }
        return nil
    }

    /// Whether no byte has its highest bit; many bytes at a time, and no more work than a length for
    /// what fields hold.
    @inlinable package var isASCII: Bool {
        var allBits: UInt8 = 0
        for byte in self { allBits |= byte }
        return allBits < 0x80
    }

    /// Whether every byte may stand in a field's value (RFC 9110 §5.5); many bytes at a time.
    @inlinable package var isFieldValue: Bool {
        var faults: UInt8 = 0
        for byte in self {
            faults |= (byte < 0x20 ? 1 : 0) & (byte != 0x09 ? 1 : 0) | (byte == 0x7F ? 1 : 0)
        }
        return faults == 0
    }
}

extension String {
    /// Whether every byte may stand in a field's value (RFC 9110 §5.5).
    @inlinable package var hasOnlyFieldValueBytes: Bool {
        self.utf8.withContiguousStorageIfAvailable { UnsafeRawBufferPointer($0).isFieldValue }
            ?? self.utf8.allSatisfy(\.isFieldValueByte)
    }
}
