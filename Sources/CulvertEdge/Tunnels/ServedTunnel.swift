internal import CulvertControl
internal import Foundation
internal import HTTPSemantics
internal import TunnelWire

/// A tunnel as the directory knows it, whether `edge.yml` declares it or the store holds it.
struct ServedTunnel: Sendable, Equatable {
    /// What stays the same while a tunnel changes: its sessions and waiting requests go with it.
    enum Identity: Hashable, Sendable {
        case declared(name: String)
        case stored(TunnelID)
    }

    /// Who may serve it, with what of it, and until when.
    struct Key: Sendable, Equatable {
        var publicKey: TunnelPublicKey
        /// The tunnel's hostnames that it serves, nil for all of them.
        var hostnames: [HostPattern]?
        /// From when on it is refused, and its sessions end; nil for never.
        var expiresAt: Date?
    }

    /// What of the names nobody has its connectors may ask for at login.
    enum Askable: Sendable, Equatable {
        /// One label below the edge's own domain.
        case domain
        /// The same, where it is also one of these or below one of them; and one label below one of these.
        case suffixes([NormalizedHost])
    }

    var identity: Identity
    /// For connectors, logs and metrics: the declared name, or `ACCOUNT/NAME`.
    var name: String
    var keys: [Key]
    var hostnames: [ServedHostname]
    var askable: Askable
    /// What its connectors run that have no rules of their own; of version 0 when it has none.
    var configuration = ManagedConfiguration(version: 0, text: "")
}

extension ServedTunnel {
    init(_ declared: DeclaredTunnel) {
        self.init(
            identity: .declared(name: declared.name),
            name: declared.name,
            keys: [Key(publicKey: declared.publicKey)],
            hostnames: declared.hostnames,
            askable: .domain
        )
    }

    private init(_ tunnel: Tunnel, of owner: Account, _ registry: Registry) {
        self.init(
            identity: .stored(tunnel.id),
            name: "\(owner.name)/\(tunnel.name)",
            keys: registry.keys(of: tunnel.id).map {
                Key(publicKey: $0.publicKey, hostnames: $0.hostnames, expiresAt: $0.expiresAt)
            },
            hostnames: registry.hostnames(of: tunnel.id).map { pattern in
                let balance = registry.hostname(pattern)?.balance
                return ServedHostname(pattern, balance: balance ?? .leastRequests)
            },
            askable: owner.role == .admin ? .domain : .suffixes(owner.suffixes)
        )
        guard let kept = registry.configuration(of: tunnel.id) else { return }
        self.configuration = ManagedConfiguration(version: UInt64(kept.version), text: kept.text)
    }

    /// What is served: everything declared, and of the store what that leaves. A stored hostname that is
    /// declared, too, is not served, nor a key that a declared tunnel has. To stored names that are longer a
    /// declared wildcard yields like any other.
    ///
    /// - Returns: the tunnels, and the stored hostnames that are not served.
    static func merge(
        _ declared: [DeclaredTunnel],
        _ registry: Registry
    ) -> (tunnels: [ServedTunnel], shadowed: [HostPattern]) {
        let patterns = Set(declared.flatMap(\.hostnames).map(\.pattern))
        let keys = Set(declared.map(\.publicKey))
        var tunnels = declared.map { Self($0) }
        var shadowed: [HostPattern] = []
        for owner in registry.accounts {
            for tunnel in registry.tunnels(of: owner.id) {
                var served = Self(tunnel, of: owner, registry)
                if !patterns.isEmpty {
                    served.hostnames.removeAll { hostname in
                        let isShadowed = patterns.contains(hostname.pattern)
                        if isShadowed { shadowed.append(hostname.pattern) }
                        return isShadowed
                    }
                    served.keys.removeAll { keys.contains($0.publicKey) }
                }
                tunnels.append(served)
            }
        }
        return (tunnels, shadowed)
    }
}
