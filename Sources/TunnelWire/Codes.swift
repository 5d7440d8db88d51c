/// Why a session was closed for good, as CLOSE carries it.
package struct CloseCode: RawRepresentable, Hashable, Sendable {
    /// The code on the wire; an unknown one stays as it came.
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The end was asked to stop and has drained.
    package static let shutdown = CloseCode(rawValue: 1)
    /// The peer broke the protocol.
    package static let protocolError = CloseCode(rawValue: 2)
    /// The tunnel's credential or configuration no longer allows the session.
    package static let revoked = CloseCode(rawValue: 3)
    /// A limit of this end was passed.
    package static let overload = CloseCode(rawValue: 4)
}

/// Why a login was refused, as REFUSED carries it.
package struct RefusalCode: RawRepresentable, Hashable, Sendable {
    /// The code on the wire; an unknown one stays as it came.
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// No version in common.
    package static let unsupportedVersion = RefusalCode(rawValue: 1)
    /// No tunnel has this public key.
    package static let unknownKey = RefusalCode(rawValue: 2)
    /// The signature does not fit the key and the challenge.
    package static let badSignature = RefusalCode(rawValue: 3)
    /// A hostname that was asked for belongs to somebody else, or is outside the domain.
    package static let hostnameRefused = RefusalCode(rawValue: 4)
    /// The edge has as many sessions as it takes; try again later.
    package static let overloaded = RefusalCode(rawValue: 5)
    /// The edge is stopping; try again, it or another will be there.
    package static let draining = RefusalCode(rawValue: 6)
    /// The LOGIN did not parse.
    package static let malformed = RefusalCode(rawValue: 7)
    /// The key was good until a time that is past.
    package static let expiredKey = RefusalCode(rawValue: 8)
}

/// WebSocket close statuses of a link (RFC 6455 §7.4.2, private range).
package enum LinkCloseStatus {
    /// The peer broke the protocol on this link.
    package static let protocolError: UInt16 = 4000
    /// The login was refused, or took too long.
    package static let loginRefused: UInt16 = 4001
    /// Another link of the session took over.
    package static let replaced: UInt16 = 4002
    /// The session is over, for any reason but a breach of the protocol.
    package static let sessionEnded: UInt16 = 4003
}

extension CloseCode: CustomStringConvertible {
    package var description: String {
        switch self {
        case .shutdown: "shutdown"
        case .protocolError: "protocol-error"
        case .revoked: "revoked"
        case .overload: "overload"
        default: "code-\(self.rawValue)"
        }
    }
}
