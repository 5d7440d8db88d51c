internal import Foundation

/// An Ed25519 public key (RFC 8032): whoever has its private half may open a tunnel.
package struct TunnelPublicKey: Sendable, Hashable {
    /// 32 bytes.
    package let bytes: [UInt8]

    /// Nil unless there are 32 bytes, and for the point that any signature would fit.
    package init?(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
        guard self.bytes.count == 32, self.bytes.contains(where: { $0 != 0 }) else { return nil }
    }

    /// Reads base64 (RFC 4648 §4), as `culvert tunnel keygen` prints it; nil for anything else.
    package init?(base64 text: String) {
        guard let data = Data(base64Encoded: text) else { return nil }
        self.init(data)
    }

    /// In base64 (RFC 4648 §4).
    package var base64: String { Data(self.bytes).base64EncodedString() }
}
