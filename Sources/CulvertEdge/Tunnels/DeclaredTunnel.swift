package import CulvertControl

/// A tunnel that the configuration declares: whose key may open it, and which hostnames lead to it.
package struct DeclaredTunnel: Sendable, Equatable {
    /// 1...255 bytes, unique.
    package var name: String
    /// Whoever has its private half may open the tunnel; each belongs to one tunnel only.
    package var publicKey: TunnelPublicKey
    /// Each leads to one tunnel only.
    package var hostnames: [ServedHostname]

    package init(name: String, publicKey: TunnelPublicKey, hostnames: [ServedHostname]) {
        self.name = name
        self.publicKey = publicKey
        self.hostnames = hostnames
    }
}
