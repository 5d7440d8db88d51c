internal import Crypto
package import NIOCore

/// The key pair a connector logs in with (Ed25519, RFC 8032).
package struct TunnelIdentity: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// A new pair.
    package init() { self.key = Curve25519.Signing.PrivateKey() }

    /// The pair of a private key of 32 bytes; nil for any other length.
    package init?(privateKey: [UInt8]) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: privateKey) else {
            return nil
        }
        self.key = key
    }

    /// 32 bytes: what LOGIN carries and an edge knows the tunnel by.
    package var publicKey: [UInt8] { Array(self.key.publicKey.rawRepresentation) }

    /// 32 bytes, the seed of RFC 8032 §5.1.5: a secret.
    package var privateKey: [UInt8] { Array(self.key.rawRepresentation) }

    /// 64 bytes; all zero, which no verifier accepts, should signing fail.
    package func sign(_ bytes: ByteBuffer) -> [UInt8] {
        guard let signature = try? self.key.signature(for: Array(bytes.readableBytesView)) else {
            return [UInt8](repeating: 0, count: 64)
        }
        return Array(signature)
    }

    /// Whether `signature` over `bytes` was made with the private half of `publicKey`.
    package static func verify(
        _ signature: [UInt8],
        of bytes: ByteBuffer,
        publicKey: [UInt8]
    ) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else {
            return false
        }
        return key.isValidSignature(signature, for: Array(bytes.readableBytesView))
    }
}
