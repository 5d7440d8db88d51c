package import NIOCore
package import TunnelWire

/// The edge's half of a login, on one link: CHALLENGE out, LOGIN in, WELCOME or REFUSED out.
///
/// Checking the signature and knowing the key are the caller's; so are the deadline and the session.
package struct EdgeLogin {
    /// What a LOGIN asks of the caller.
    package struct Request {
        /// What the connector says; unproven until ``signature`` is verified.
        package var login: Login
        /// Ed25519 over ``signedBytes``, to be verified with the login's public key.
        package var signature: [UInt8]
        /// What `Login.signedBytes(host:challenge:login:)` makes of this host and this challenge.
        package var signedBytes: ByteBuffer
    }

    /// The protocol versions that either end of this build speaks.
    package static let versions: ClosedRange<UInt8> = 1...1

    private enum State {
        case challenged(ByteBuffer)
        case asked
        case answered
    }

    private let host: String
    private var state: State

    /// The CHALLENGE frame, to be sent when the link opens.
    package let challengeFrame: ByteBuffer

    /// For CONNECT-HOST, lower case, without a port: the identity a login is bound to. The nonce of
    /// `challenge` must be new and random. Throws `badLength` for attributes over their limit.
    package init(host: String, challenge: Challenge) throws(WireError) {
        self.host = host
        let payload = try challenge.payload()
        self.challengeFrame = try .frame(.challenge, payload: payload)
        self.state = .challenged(payload)
    }

    /// Takes the LOGIN.
    ///
    /// - Throws: any other frame, or a second LOGIN: `unexpectedFrame`; `malformed` as it is read.
    package mutating func receive(_ frame: FrameDecoder.Frame) throws(WireError) -> Request {
        guard frame.header.type == .login, case .challenged(let challenge) = self.state else {
            throw WireError(.unexpectedFrame, "\(frame.header.type) instead of LOGIN")
        }
        self.state = .asked
        let signed = try Login.Signed(payload: frame.payload)
        return Request(
            login: signed.login,
            signature: signed.signature,
            signedBytes: try Login.signedBytes(
                host: self.host,
                challenge: challenge,
                login: signed.unsignedPayload
            )
        )
    }

    /// The WELCOME frame; the login is over.
    package mutating func accept(_ welcome: Welcome) throws(WireError) -> ByteBuffer {
        self.state = .answered
        return try .frame(.welcome, payload: welcome.payload())
    }

    /// The REFUSED frame; the login is over.
    package mutating func refuse(_ refusal: Refusal) throws(WireError) -> ByteBuffer {
        self.state = .answered
        return try .frame(.refused, payload: refusal.payload())
    }
}
