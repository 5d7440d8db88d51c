/// Names as TLS has them: A-labels, compared without regard to case (RFC 6066 §3).
package enum ServerName {
    /// `name` in lower case without a trailing dot; nil when it is empty, longer than 255 bytes or
    /// has a byte that no host name has. Underscores pass: resolvers accept them.
    package static func normalise(_ name: String) -> String? {
        Self.normalise(bytes: Array(name.utf8)[...])
    }

    static func normalise(bytes: ArraySlice<UInt8>) -> String? {
        let name = bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes
        guard (1...255).contains(name.count), name.allSatisfy(Self.isAllowed) else { return nil }
        return String(decoding: name.lazy.map(Self.lowercased), as: UTF8.self)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"): true
        default: false
        }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
}
