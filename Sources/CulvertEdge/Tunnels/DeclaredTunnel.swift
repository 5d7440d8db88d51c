package import HTTPSemantics

/// A tunnel that the configuration declares: whose key may open it, and which hostnames lead to it.
package struct DeclaredTunnel: Sendable, Equatable {
    /// 1...255 bytes, unique.
    package var name: String
    /// Whoever has its private half may open the tunnel; each belongs to one tunnel only.
    package var publicKey: TunnelPublicKey
    /// Each leads to one tunnel only.
    package var hostnames: [HostPattern]

    package init(name: String, publicKey: TunnelPublicKey, hostnames: [HostPattern]) {
        self.name = name
        self.publicKey = publicKey
        self.hostnames = hostnames
    }
}

/// An Ed25519 public key (RFC 8032).
package struct TunnelPublicKey: Sendable, Hashable {
    /// 32 bytes.
    package let bytes: [UInt8]

    /// Nil unless there are 32 bytes, and for the point that any signature would fit.
    package init?(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
        guard self.bytes.count == 32, self.bytes.contains(where: { $0 != 0 }) else { return nil }
    }
}
