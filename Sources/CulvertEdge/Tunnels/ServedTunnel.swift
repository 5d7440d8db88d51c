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
    var keys: [TunnelPublicKey: Key]
    /// How the requests of each of its hostnames are shared out.
    var hostnames: [HostPattern: Balance]
    var askable: Askable
    /// What its connectors run that have no rules of their own; of version 0 when it has none.
    var configuration = ManagedConfiguration(version: 0, text: "")
}

extension ServedTunnel {
    /// A declared tunnel; of a hostname that it has twice, the first counts.
    init(_ declared: DeclaredTunnel) {
        self.init(
            identity: .declared(name: declared.name),
            name: declared.name,
            keys: [declared.publicKey: Key()],
            hostnames: Dictionary(
                declared.hostnames.map { ($0.pattern, $0.balance) },
                uniquingKeysWith: { first, _ in first }
            ),
            askable: .domain
        )
    }

    /// A tunnel as the store has it, whatever is declared; nil when it is not there, or nobody's.
    init?(_ id: TunnelID, in registry: Registry) {
        guard let tunnel = registry.tunnel(id), let owner = registry.account(tunnel.owner) else {
            return nil
        }
        self.init(
            identity: .stored(id),
            name: "\(owner.name)/\(tunnel.name)",
            keys: Dictionary(
                uniqueKeysWithValues: registry.keys(of: id).map {
                    ($0.publicKey, Key(hostnames: $0.hostnames, expiresAt: $0.expiresAt))
                }
            ),
            hostnames: Dictionary(
                uniqueKeysWithValues: registry.claims(of: id).map { ($0.pattern, $0.balance) }
            ),
            askable: owner.role == .admin ? .domain : .suffixes(owner.suffixes)
        )
        guard let kept = registry.configuration(of: id) else { return }
        self.configuration = ManagedConfiguration(version: UInt64(kept.version), text: kept.text)
    }

    /// All tunnels as the store has them.
    static func all(in registry: Registry) -> [TunnelID: ServedTunnel] {
        var tunnels: [TunnelID: ServedTunnel] = [:]
        for owner in registry.accounts {
            for tunnel in registry.tunnels(of: owner.id) {
                tunnels[tunnel.id] = Self(tunnel.id, in: registry)
            }
        }
        return tunnels
    }
}
