internal import CulvertControl
internal import Foundation
internal import HTTPSemantics
internal import TunnelWire

/// Which key opens which tunnel, and which hostname leads to which pool, at one moment. A value.
///
/// It is made of what the configuration declares and of what the store holds. What is declared wins: a stored hostname
/// that is declared, too, is *shadowed*, and a key that a declared tunnel has is not the stored tunnel's. To stored
/// names that are longer or exact a declared wildcard yields like any other.
///
/// The table knows its tunnels as the store has them, with what is shadowed, so that a change of the store is applied
/// in place (``apply(_:)``): it costs what the tunnels have that have changed, whatever else there is. What is declared
/// changes seldom, and may shadow or give way to anything: then a table is made anew. Both ways lead to the same table,
/// however it came about.
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

    /// Stored tunnels as the store has them.
    private(set) var stored: [TunnelID: ServedTunnel] = [:]
    /// What stored tunnels yield to.
    private var declaredHostnames: Set<HostPattern> = []
    private var declaredKeys: Set<TunnelPublicKey> = []

    private(set) var keys: [TunnelPublicKey: Key] = [:]
    private(set) var routes = RouteTable<Route>()
    private(set) var pools: [ServedTunnel.Identity: ConnectorPool] = [:]
    /// What connectors run that have no rules of their own.
    private(set) var configurations: [ServedTunnel.Identity: ManagedConfiguration] = [:]
    private(set) var expiries = KeyExpiries()
    /// Stored hostnames that are not served.
    private(set) var shadowed: Set<HostPattern> = []

    /// No tunnels.
    init() {}

    /// The table of some tunnels; one that has a pool in `pools` keeps it.
    ///
    /// - Throws: `RouteTableError` when two declared ones have the same hostname.
    init(
        declared: [DeclaredTunnel],
        stored: [TunnelID: ServedTunnel],
        pools former: [ServedTunnel.Identity: ConnectorPool]
    ) throws(RouteTableError) {
        let hostnames = declared.flatMap(\.hostnames).map(\.pattern)
        // Says which two are the same.
        _ = try RouteTable<Void>(hostnames.map { ($0, ()) })
        self.declaredHostnames = Set(hostnames)
        self.declaredKeys = Set(declared.map(\.publicKey))
        for tunnel in declared.map({ ServedTunnel($0) }) + stored.values {
            self.pools[tunnel.identity] = former[tunnel.identity]
            self.putIn(tunnel)
        }
        self.stored = stored
        self.expiries = KeyExpiries(
            self.keys.compactMap { key, value in value.expiresAt.map { (key, $0) } }
        )
    }
}

// MARK: - Changes of the store

extension TunnelTable {
    /// A tunnel of the store, as it is now; nil when it is gone.
    typealias StoredChange = (id: TunnelID, tunnel: ServedTunnel?)

    /// Whom a change concerns.
    struct Consequences: Sendable {
        /// What these have is not what it was.
        var tunnels: Set<ServedTunnel.Identity> = []
        /// Hostnames that have a row now and had none, or led elsewhere.
        var taken: [HostPattern] = []
        /// Requests that wait with these may wait for what is gone, or leads elsewhere.
        var pools: [ConnectorPool] = []
        /// Hostnames that are shadowed now and were not there before.
        var shadowed: [HostPattern] = []
    }

    /// Goes on to what the store has now of the tunnels that have changed in it. A hostname or a key that one has got
    /// from another is among the changes of both.
    mutating func apply(_ changes: [StoredChange]) -> Consequences {
        var consequences = Consequences()
        let changes = changes.filter { $0.tunnel != self.stored[$0.id] }
        // What one gives away another may have got.
        for (id, tunnel) in changes {
            guard let former = self.stored[id] else { continue }
            consequences.tunnels.insert(.stored(id))
            if let pool = self.pools[.stored(id)] { consequences.pools.append(pool) }
            self.takeOut(former, leaving: tunnel)
        }
        for (id, tunnel) in changes {
            self.stored[id] = tunnel
            guard let tunnel else { continue }
            consequences.tunnels.insert(.stored(id))
            self.putIn(tunnel, &consequences)
        }
        return consequences
    }

    /// Takes out what a stored tunnel had, but the hostnames that `next` has in the same way.
    private mutating func takeOut(_ former: ServedTunnel, leaving next: ServedTunnel?) {
        for key in former.keys.keys where self.keys[key]?.tunnel == former.identity {
            if let date = self.keys.removeValue(forKey: key)?.expiresAt {
                self.expiries.remove(key, at: date)
            }
        }
        for (pattern, balance) in former.hostnames where next?.hostnames[pattern] != balance {
            if self.shadowed.remove(pattern) == nil { self.routes[pattern] = nil }
        }
        self.configurations[former.identity] = nil
        if next == nil { self.pools[former.identity] = nil }
    }

    private mutating func putIn(_ tunnel: ServedTunnel, _ consequences: inout Consequences) {
        for (pattern, _) in tunnel.hostnames where self.routes[pattern]?.tunnel != tunnel.identity {
            if self.declaredHostnames.contains(pattern) {
                if !self.shadowed.contains(pattern) { consequences.shadowed.append(pattern) }
            } else {
                consequences.taken.append(pattern)
                if let pool = self.routes.target(covering: pattern)?.pool {
                    consequences.pools.append(pool)
                }
            }
        }
        self.putIn(tunnel)
        for (key, value) in tunnel.keys where self.keys[key]?.tunnel == tunnel.identity {
            if let date = value.expiresAt { self.expiries.insert(key, at: date) }
        }
    }

    /// Puts in what a tunnel has and is not there, but when its keys expire.
    private mutating func putIn(_ tunnel: ServedTunnel) {
        let identity = tunnel.identity
        let isStored = if case .stored = identity { true } else { false }
        let pool = self.pools[identity] ?? ConnectorPool(name: tunnel.name)
        self.pools[identity] = pool
        self.configurations[identity] = tunnel.configuration
        for (publicKey, key) in tunnel.keys {
            guard !isStored || !self.declaredKeys.contains(publicKey) else { continue }
            self.keys[publicKey] = Key(
                tunnel: identity,
                name: tunnel.name,
                hostnames: key.hostnames.map { Set($0.map(\.description)) },
                expiresAt: key.expiresAt,
                askable: tunnel.askable
            )
        }
        for (pattern, balance) in tunnel.hostnames {
            if isStored, self.declaredHostnames.contains(pattern) {
                self.shadowed.insert(pattern)
            } else if self.routes[pattern]?.tunnel != identity {
                let hostname = ServedHostname(pattern, balance: balance)
                self.routes[pattern] = Route(to: pool, of: identity, pattern.description, hostname)
            }
        }
    }
}
