/// Why a stream was given up, as a RESET frame carries it; unknown codes are kept as they came.
package struct ResetCode: RawRepresentable, Hashable, Sendable {
    /// The code on the wire.
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Nobody wants the rest: the visitor left, or the answer ended before its request's body.
    package static let cancelled = ResetCode(rawValue: 1)
    /// The origin could not be reached: refused, unresolvable, or its TLS failed.
    package static let originUnreachable = ResetCode(rawValue: 2)
    /// The origin did not accept a connection, or its TLS, in time.
    package static let originTimeout = ResetCode(rawValue: 3)
    /// The sender of a body broke off: what was received is not the whole.
    package static let truncated = ResetCode(rawValue: 4)
    /// The peer of the connector (or the visitor) broke HTTP.
    package static let malformedMessage = ResetCode(rawValue: 5)
    /// A limit of the receiver was passed: too many streams, a head too large, memory.
    package static let overLimit = ResetCode(rawValue: 6)
    /// This end stops: the stream was never looked at and may be sent elsewhere.
    package static let refused = ResetCode(rawValue: 7)
    /// A frame that the stream's state does not allow.
    package static let streamProtocolError = ResetCode(rawValue: 8)
    /// No ingress rule or handler takes the request.
    package static let noRoute = ResetCode(rawValue: 9)
    /// A fault of this end.
    package static let internalError = ResetCode(rawValue: 10)

    /// From here on codes are never on the wire: they are what an end tells its own streams when the
    /// session is gone. A peer that sends one breaks the protocol.
    package static let firstLocal: UInt16 = 0xFF00

    /// The session ended and could not be resumed.
    package static let sessionLost = ResetCode(rawValue: 0xFF01)
    /// The peer closed the session deliberately.
    package static let sessionClosed = ResetCode(rawValue: 0xFF02)
    /// This end was asked to stop, and ended the session.
    package static let sessionStopped = ResetCode(rawValue: 0xFF03)

    /// Whether the peer is known not to have acted on the stream, so that it may be sent again
    /// whatever its method (RFC 9113 §8.7).
    package var isUntouched: Bool { self == .refused }

    /// Whether it is the session that is gone: nobody knows whether the peer has acted on the stream.
    package var isSessionGone: Bool {
        self == .sessionLost || self == .sessionClosed || self == .sessionStopped
    }
}

extension ResetCode: CustomStringConvertible {
    package var description: String {
        switch self {
        case .cancelled: "cancelled"
        case .originUnreachable: "origin-unreachable"
        case .originTimeout: "origin-timeout"
        case .truncated: "truncated"
        case .malformedMessage: "malformed-message"
        case .overLimit: "over-limit"
        case .refused: "refused"
        case .streamProtocolError: "stream-protocol-error"
        case .noRoute: "no-route"
        case .internalError: "internal-error"
        case .sessionLost: "session-lost"
        case .sessionClosed: "session-closed"
        case .sessionStopped: "session-stopped"
        default: "code-\(self.rawValue)"
        }
    }
}
