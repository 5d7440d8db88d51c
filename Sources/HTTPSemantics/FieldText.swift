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

    /// The text of a field's value or a reason phrase: UTF-8 where it is that, else ISO 8859-1, which
    /// octets above 0x7F were by RFC 2616 §2.2, so that none is lost.
    package init(fieldValue bytes: UnsafeRawBufferPointer) {
        if let text = String(utf8: bytes) {
            self = text
        } else {
            var scalars = String.UnicodeScalarView()
            scalars.append(contentsOf: bytes.lazy.map { Unicode.Scalar($0) })
            self.init(scalars)
        }
    }
}
