/// A block of addresses in CIDR notation, such as `10.0.0.0/8`, `2001:db8::/32` or one address.
package struct AddressRange: Hashable, Sendable {
    /// The first address.
    package let network: IPAddress
    /// 0…32 for IPv4, 0…128 for IPv6.
    package let prefixBits: UInt8

    /// Reads `address` or `address/bits`, strictly: no host bits, no leading zeros, no brackets.
    ///
    /// - Throws: `AddressRangeError`.
    package init(_ text: String) throws(AddressRangeError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(first) else {
            throw .notAnAddress(text)
        }
        let width: UInt8 = if case .v4 = address { 32 } else { 128 }
        var bits = width
        if parts.count == 2 {
            let digits = parts[1].utf8
            guard digits.allSatisfy(\.isASCIIDigit), digits.first != 0x30 || digits.count == 1,
                let parsed = UInt8(parts[1]), parsed <= width
            else { throw .invalidPrefix(text, max: width) }
            bits = parsed
        }
        let network = Self.masked(address, bits)
        guard network == address else { throw .hostBitsSet(text, network: "\(network)/\(bits)") }
        self.network = network
        self.prefixBits = bits
    }

    /// Whether the range holds `address`; an IPv4-mapped IPv6 address counts as the IPv4 one.
    package func contains(_ address: IPAddress) -> Bool {
        if Self.masked(address, self.prefixBits) == self.network { return true }
        let plain = address.unmapped
        guard plain != address, case .v4 = self.network else { return false }
        return Self.masked(plain, self.prefixBits) == self.network
    }

    private static func masked(_ address: IPAddress, _ bits: UInt8) -> IPAddress {
        // Smart shifts: a shift by the whole width gives zero.
        switch address {
        case .v4(let value): .v4(bits >= 32 ? value : value & ~(UInt32.max >> UInt32(bits)))
        case .v6(let value): .v6(bits >= 128 ? value : value & ~(UInt128.max >> UInt128(bits)))
        }
    }
}

extension AddressRange: CustomStringConvertible {
    package var description: String { "\(self.network)/\(self.prefixBits)" }
}

/// Why a text is no address range.
package enum AddressRangeError: Error, Equatable, Sendable {
    /// No address stands before the `/`; carries the whole text.
    case notAnAddress(String)
    /// Not decimal, with a leading zero, or over `max`: 32 for IPv4, 128 for IPv6.
    case invalidPrefix(String, max: UInt8)
    /// Bits behind the prefix: `10.1.2.3/8` names a host, or a mistake; `network` is what fits.
    case hostBitsSet(String, network: String)
}

extension AddressRangeError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notAnAddress(let text): "'\(text)' is not an IP address or a range like 10.0.0.0/8"
        case .invalidPrefix(let text, let max):
            "'\(text)': the number after '/' must be 0 to \(max)"
        case .hostBitsSet(let text, let network):
            "'\(text)' has bits set behind its prefix: write \(network), or drop the '/' for one address"
        }
    }
}
