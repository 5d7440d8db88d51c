package import Foundation

/// A tunnel.
package struct TunnelDocument: Codable, Sendable, Equatable {
    package var id: String
    package var name: String
    /// The name of the account that has it.
    package var owner: String
    package var createdAt: Date
    package var hostnames: [String]
    /// The same hostnames with their settings, in the same order; absent from an edge that has no settings.
    package var routes: [HostnameDocument]?
    package var keys: [KeyDocument]
    /// Who serves it now.
    package var connectors: [ConnectorDocument]
    /// The version of its remote configuration; absent without one.
    package var configurationVersion: Int?

    package init(
        id: String,
        name: String,
        owner: String,
        createdAt: Date,
        hostnames: [String],
        routes: [HostnameDocument]? = nil,
        keys: [KeyDocument],
        connectors: [ConnectorDocument],
        configurationVersion: Int?
    ) {
        self.id = id
        self.name = name
        self.owner = owner
        self.createdAt = createdAt
        self.hostnames = hostnames
        self.routes = routes
        self.keys = keys
        self.connectors = connectors
        self.configurationVersion = configurationVersion
    }
}

/// A tunnel to be made.
package struct NewTunnelDocument: Codable, Sendable, Equatable {
    /// As accounts' names are written; unique among the account's.
    package var name: String
    /// Ed25519, 32 bytes in base64: the public half of its first key.
    package var publicKey: String

    package init(name: String, publicKey: String) {
        self.name = name
        self.publicKey = publicKey
    }
}

/// A session of a connector.
package struct ConnectorDocument: Codable, Sendable, Equatable {
    /// The session's id.
    package var id: String
    /// What it says that it is, such as `culvert/0.1.0`.
    package var agent: String
    /// Where its link comes from; absent while it has none.
    package var address: String?
    package var connectedAt: Date
    /// `connected`, `waiting` (its link is gone, and may come back) or `draining`.
    package var state: String
    /// Requests under way.
    package var streams: Int
    /// The hostnames that it serves because it asked for them; absent when it serves those of its tunnel.
    package var hostnames: [String]?
    /// The TCP ports of the edge that it serves; absent when it serves none.
    package var tcpPorts: [Int]?
    /// The label of the key that it logged in with.
    package var key: String
    /// The version of the remote configuration that it runs; absent when it runs none.
    package var configurationVersion: Int?
    /// Why it does not run the latest; absent when it does.
    package var configurationProblem: String?
    /// The hostnames of its rules whose origins fail their health checks, `*` for a rule of every
    /// hostname; absent when there are none.
    package var unhealthyHostnames: [String]?

    package init(
        id: String,
        agent: String,
        address: String?,
        connectedAt: Date,
        state: String,
        streams: Int,
        hostnames: [String]? = nil,
        tcpPorts: [Int]? = nil,
        key: String,
        configurationVersion: Int?,
        configurationProblem: String?,
        unhealthyHostnames: [String]? = nil
    ) {
        self.id = id
        self.agent = agent
        self.address = address
        self.connectedAt = connectedAt
        self.state = state
        self.streams = streams
        self.hostnames = hostnames
        self.tcpPorts = tcpPorts
        self.key = key
        self.configurationVersion = configurationVersion
        self.configurationProblem = configurationProblem
        self.unhealthyHostnames = unhealthyHostnames
    }
}

/// A key that connectors of a tunnel log in with.
package struct KeyDocument: Codable, Sendable, Equatable {
    /// Ed25519, 32 bytes in base64.
    package var publicKey: String
    package var label: String
    /// The hostnames of the tunnel that it serves; absent for all.
    package var hostnames: [String]?
    /// From when on it is refused; absent for never.
    package var expiresAt: Date?
    package var createdAt: Date

    package init(
        publicKey: String,
        label: String,
        hostnames: [String]?,
        expiresAt: Date?,
        createdAt: Date
    ) {
        self.publicKey = publicKey
        self.label = label
        self.hostnames = hostnames
        self.expiresAt = expiresAt
        self.createdAt = createdAt
    }
}

/// A key to be added to a tunnel: of a token.
package struct NewKeyDocument: Codable, Sendable, Equatable {
    package var publicKey: String
    /// What it is for, at most 255 bytes.
    package var label: String
    /// As in ``KeyDocument``; each is one that the tunnel has.
    package var hostnames: [String]?
    package var expiresAt: Date?

    package init(
        publicKey: String,
        label: String,
        hostnames: [String]? = nil,
        expiresAt: Date? = nil
    ) {
        self.publicKey = publicKey
        self.label = label
        self.hostnames = hostnames
        self.expiresAt = expiresAt
    }
}

/// A hostname that leads to a tunnel.
package struct HostnameDocument: Codable, Sendable, Equatable {
    /// `app.example.com` or `*.example.com`.
    package var hostname: String
    /// The tunnel's name.
    package var tunnel: String
    /// Where visitors reach it; absent for a wildcard.
    package var url: String?
    /// How its requests are shared out among connectors: `least-requests` (to the one with the fewest
    /// under way), `round-robin` or `sticky` (by cookie); absent from an edge that knows the first only.
    package var balance: String?
    /// True when the edge's configuration file gives it away: it leads to a tunnel there, and not to this one.
    package var isDeclared: Bool?
    /// False when no certificate of the edge is for it: visitors will be shown an error instead. Absent otherwise.
    package var hasCertificate: Bool?

    package init(
        hostname: String,
        tunnel: String,
        url: String?,
        balance: String? = nil,
        isDeclared: Bool? = nil,
        hasCertificate: Bool? = nil
    ) {
        self.hostname = hostname
        self.tunnel = tunnel
        self.url = url
        self.balance = balance
        self.isDeclared = isDeclared
        self.hasCertificate = hasCertificate
    }
}

/// Settings of a hostname that leads to a tunnel, or is to; what is absent stays as it is, or is at its
/// default.
package struct HostnameChangeDocument: Codable, Sendable, Equatable {
    /// As in ``HostnameDocument``; `least-requests` by default.
    package var balance: String?
    /// Whether it is to be taken from another tunnel of the same account, if one has it; false by default. It
    /// leads somewhere at every moment.
    package var moves: Bool?

    package init(balance: String? = nil, moves: Bool? = nil) {
        self.balance = balance
        self.moves = moves
    }
}

/// The ingress of a tunnel that is managed from the edge.
package struct ConfigurationDocument: Codable, Sendable, Equatable {
    /// Of an answer: 1 for the first. Of a request: the one that it replaces, 0 for the first.
    package var version: Int
    /// `ingress` and `originRequest` as in `config.yml`; at most 256 KiB.
    package var text: String

    package init(version: Int, text: String) {
        self.version = version
        self.text = text
    }
}
