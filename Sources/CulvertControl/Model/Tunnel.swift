package import Foundation
package import HTTPSemantics

/// A tunnel that an account has made.
package struct Tunnel: Sendable, Equatable {
    package let id: TunnelID
    package let owner: AccountID
    /// As ``Account/isName(_:)`` has it; unique among its owner's.
    package var name: String
    package var createdAt: Date

    package init(id: TunnelID = TunnelID(), owner: AccountID, name: String, createdAt: Date) {
        self.id = id
        self.owner = owner
        self.name = name
        self.createdAt = createdAt
    }
}

/// A key that connectors of a tunnel may log in with: of its credentials, or of one of its tokens.
package struct TunnelKey: Sendable, Equatable {
    /// The private half was never here.
    package let publicKey: TunnelPublicKey
    package let tunnel: TunnelID
    /// What it is for, in its maker's words; up to 255 bytes.
    package var label: String
    /// The hostnames of the tunnel that it serves; nil for all of them.
    package var hostnames: [HostPattern]?
    /// From when on it is refused; nil for never.
    package var expiresAt: Date?
    package var createdAt: Date

    package init(
        publicKey: TunnelPublicKey,
        tunnel: TunnelID,
        label: String,
        hostnames: [HostPattern]? = nil,
        expiresAt: Date? = nil,
        createdAt: Date
    ) {
        self.publicKey = publicKey
        self.tunnel = tunnel
        self.label = label
        self.hostnames = hostnames
        self.expiresAt = expiresAt
        self.createdAt = createdAt
    }
}

/// A hostname, or a wildcard, that leads to a tunnel.
package struct HostnameClaim: Sendable, Equatable {
    package let pattern: HostPattern
    package var tunnel: TunnelID
    /// How its requests are shared out among the tunnel's connectors.
    package var balance: Balance
    package var createdAt: Date

    package init(
        pattern: HostPattern,
        tunnel: TunnelID,
        balance: Balance = .leastRequests,
        createdAt: Date
    ) {
        self.pattern = pattern
        self.tunnel = tunnel
        self.balance = balance
        self.createdAt = createdAt
    }
}

/// The ingress of a tunnel that is managed from the edge.
package struct RemoteConfiguration: Sendable, Equatable {
    package let tunnel: TunnelID
    /// 1 for the first, one more for each that follows; connectors report it.
    package var version: Int
    /// `ingress` and `originRequest` as in `config.yml`; up to 256 KiB.
    package var text: String
    package var changedAt: Date

    package init(tunnel: TunnelID, version: Int, text: String, changedAt: Date) {
        self.tunnel = tunnel
        self.version = version
        self.text = text
        self.changedAt = changedAt
    }
}

/// Whose connectors serve a hostname that they asked for at login; it belongs to the tunnel while they do.
package enum LiveHolder: Sendable, Equatable {
    case tunnel(TunnelID)
    /// A tunnel of the configuration file.
    case declared
}
