internal import CulvertControl
internal import Foundation
internal import HTTPSemantics
internal import TunnelWire

/// Which key opens which tunnel, and which hostname leads to which pool, at one moment. Immutable once it
/// is made.
struct TunnelTable: Sendable {
    struct Key: Sendable {
        let tunnel: ServedTunnel.Identity
        /// The tunnel's name.
        let name: String
        /// The hostnames it serves, as ``Route/hostname`` has them; nil for all of the tunnel's.
        let hostnames: Set<String>?
        let expiresAt: Date?
        let askable: ServedTunnel.Askable

        func isExpired(at now: Date) -> Bool { self.expiresAt.map { $0 <= now } ?? false }

        func serves(_ hostname: String) -> Bool { self.hostnames?.contains(hostname) ?? true }
    }

    struct Route: Sendable {
        let tunnel: ServedTunnel.Identity
        let pool: ConnectorPool
        /// The hostname in its canonical text: a name or a wildcard.
        let hostname: String
        let pattern: HostPattern
        let balance: Balance

        init(
            to pool: ConnectorPool,
            of tunnel: ServedTunnel.Identity,
            _ name: String,
            _ hostname: ServedHostname
        ) {
            self.tunnel = tunnel
            self.pool = pool
            self.hostname = name
            self.pattern = hostname.pattern
            self.balance = hostname.balance
        }
    }

    private(set) var keys: [TunnelPublicKey: Key] = [:]
    private(set) var routes = RouteTable<Route>()
    private(set) var pools: [ServedTunnel.Identity: ConnectorPool] = [:]
    /// What connectors run that have no rules of their own.
    private(set) var configurations: [ServedTunnel.Identity: ManagedConfiguration] = [:]
    /// When keys expire, in order.
    private(set) var expiries: [Date] = []

    /// No tunnels.
    init() {}

    /// The table of `tunnels`; one that has a pool in `pools` keeps it.
    ///
    /// - Throws: `RouteTableError` when two have the same hostname.
    init(
        _ tunnels: [ServedTunnel],
        pools former: [ServedTunnel.Identity: ConnectorPool]
    ) throws(RouteTableError) {
        var rows: [(HostPattern, Route)] = []
        for tunnel in tunnels {
            let pool = former[tunnel.identity] ?? ConnectorPool(name: tunnel.name)
            self.pools[tunnel.identity] = pool
            self.configurations[tunnel.identity] = tunnel.configuration
            for key in tunnel.keys {
                self.keys[key.publicKey] = Key(
                    tunnel: tunnel.identity,
                    name: tunnel.name,
                    hostnames: key.hostnames.map { Set($0.map(\.description)) },
                    expiresAt: key.expiresAt,
                    askable: tunnel.askable
                )
            }
            for hostname in tunnel.hostnames {
                let name = hostname.pattern.description
                let route = Route(to: pool, of: tunnel.identity, name, hostname)
                rows.append((hostname.pattern, route))
            }
        }
        self.routes = try RouteTable(rows)
        self.expiries = self.keys.values.compactMap(\.expiresAt).sorted()
    }
}
