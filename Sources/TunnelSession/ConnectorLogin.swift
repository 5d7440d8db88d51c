package import NIOCore
package import TunnelWire

/// The connector's half of a login, on one link: CHALLENGE in, LOGIN out, WELCOME or REFUSED in.
package struct ConnectorLogin {
    /// What a frame of the edge asks of the caller.
    package enum Step {
        /// Make a ``Login`` for this version, call ``sign(_:with:)``, send the frame.
        case answer(version: UInt8)
        /// The login is over; what follows on the link is the session's.
        case welcomed(Welcome)
        /// The login is over; the edge closes the link.
        case refused(Refusal)
    }

    private enum State {
        case waiting
        case challenged(ByteBuffer)
        case answered
        case over
    }

    private let host: String
    private var state = State.waiting

    /// For CONNECT-HOST as it was dialled, lower case, without a port.
    package init(host: String) { self.host = host }

    /// Takes a frame of the edge.
    ///
    /// - Throws: a frame out of turn: `unexpectedFrame`; no version in common: `unexpectedFrame` with
    ///   both ranges; `malformed` as it is read.
    package mutating func receive(_ frame: FrameDecoder.Frame) throws(WireError) -> Step {
        switch (self.state, frame.header.type) {
        case (.waiting, .challenge):
            let challenge = try Challenge(payload: frame.payload)
            let common = challenge.versions.clamped(to: EdgeLogin.versions)
            guard challenge.versions.overlaps(EdgeLogin.versions) else {
                throw WireError(
                    .unexpectedFrame,
                    "the edge speaks versions \(challenge.versions) of culvert, not "
                        + "\(EdgeLogin.versions)"
                )
            }
            self.state = .challenged(frame.payload)
            return .answer(version: common.upperBound)
        case (.answered, .welcome):
            self.state = .over
            let welcome = try Welcome(payload: frame.payload)
            guard EdgeLogin.versions.contains(welcome.version) else {
                throw WireError(.unexpectedFrame, "WELCOME to version \(welcome.version)")
            }
            return .welcomed(welcome)
        case (.waiting, .refused), (.answered, .refused):
            self.state = .over
            return .refused(try Refusal(payload: frame.payload))
        default:
            throw WireError(.unexpectedFrame, "\(frame.header.type) during the login")
        }
    }

    /// The LOGIN frame for `login`; `signature` gives the Ed25519 signature, 64 bytes, of the bytes it
    /// is given. Throws `unexpectedFrame` before a challenge has come.
    package mutating func sign(
        _ login: Login,
        with signature: (ByteBuffer) -> [UInt8]
    ) throws(WireError) -> ByteBuffer {
        guard case .challenged(let challenge) = self.state else {
            throw WireError(.unexpectedFrame, "a LOGIN without a challenge")
        }
        self.state = .answered
        var payload = try login.unsignedPayload()
        payload.writeBytes(
            signature(
                try Login.signedBytes(host: self.host, challenge: challenge, login: payload)
            )
        )
        return try .frame(.login, payload: payload)
    }
}
