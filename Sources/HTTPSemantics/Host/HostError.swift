/// Why a text is no host, or no authority; a 400 when a visitor sent it.
package enum HostError: Error, Equatable, Sendable {
    /// No host: no text, or nothing before the port.
    case empty
    /// `user@` or `user:password@` before the host (RFC 9110 §4.2.4).
    case userinfo
    /// A `%` in the host: it could name one host in two spellings.
    case percentEncoded
    /// A byte that no host name has: a control, a space, `/`, `<`, ….
    case illegalByte(UInt8)
    /// A character that no internationalised label may have, or may not begin with.
    case illegalCharacter(Unicode.Scalar)
    /// Two dots in a row, or a dot at the start.
    case emptyLabel
    /// A label of more than 63 bytes in its A-label form (RFC 1035 §2.3.4).
    case labelTooLong
    /// A name of more than 253 bytes in its A-label form.
    case nameTooLong
    /// An `xn--` label that is not what its own decoding encodes to (RFC 3492).
    case invalidALabel(String)
    /// Not decimal, empty, with a leading zero, or outside 1…65535.
    case invalidPort(String)
    /// A port where only a name may stand.
    case unexpectedPort
    /// A last label that is a number makes a name an IPv4 address, and this is not a dotted quad.
    case invalidIPv4(String)
    /// Not an IPv6 address, without its brackets, or with a zone.
    case invalidIPv6(String)
}

extension HostError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "the host is empty"
        case .userinfo: "a host must not carry a user name or password ('@')"
        case .percentEncoded:
            "a host must not be percent-encoded ('%'): write the characters themselves"
        case .illegalByte(let byte):
            "byte 0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16)) cannot stand in a host"
        case .illegalCharacter(let scalar):
            "character U+\(String(scalar.value, radix: 16, uppercase: true)) cannot stand in a host there"
        case .emptyLabel: "the host has an empty label: two dots in a row, or a dot at the start"
        case .labelTooLong: "a label of the host is longer than 63 bytes"
        case .nameTooLong: "the host is longer than 253 bytes"
        case .invalidALabel(let label):
            "label '\(label)' begins with xn-- but is not valid Punycode"
        case .invalidPort(let port): "port '\(port)' is not a number from 1 to 65535"
        case .unexpectedPort: "a port does not belong here: name the host only"
        case .invalidIPv4(let text):
            "'\(text)' ends in a number but is not an IPv4 address like 192.0.2.1"
        case .invalidIPv6(let text):
            "'\(text)' is not an IPv6 address in brackets like [2001:db8::1]"
        }
    }
}
