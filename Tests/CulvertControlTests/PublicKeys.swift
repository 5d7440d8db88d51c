import CulvertControl
import Testing

extension TunnelPublicKey {
    /// A key of one byte, 32 times.
    static func filled(with byte: UInt8) throws -> TunnelPublicKey {
        try #require(TunnelPublicKey([UInt8](repeating: byte, count: 32)))
    }

    /// A key nobody has seen.
    static func random() throws -> TunnelPublicKey {
        try #require(TunnelPublicKey((0..<32).map { _ in UInt8.random(in: 1...255) }))
    }
}
