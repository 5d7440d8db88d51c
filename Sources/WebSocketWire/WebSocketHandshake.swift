internal import Crypto
internal import Foundation

/// The handshake's proof that the other end speaks WebSocket (RFC 6455 §4.2.2).
package enum WebSocketHandshake {
    /// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.
    package static func accept(for key: String) -> String {
        let text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        return Data(Insecure.SHA1.hash(data: Data(text.utf8))).base64EncodedString()
    }

    /// A `Sec-WebSocket-Key` of 128 fresh random bits.
    package static func key(randomBits: UInt128) -> String {
        withUnsafeBytes(of: randomBits) { Data($0).base64EncodedString() }
    }
}
