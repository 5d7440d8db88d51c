internal import CulvertControl
internal import Foundation
package import HTTPSemantics
internal import Synchronization
package import TunnelLink
internal import TunnelSession
internal import TunnelWire

/// Which hostname leads to which connectors: what the configuration declares, what the store holds, and
/// what connectors asked for at login.
///
/// Look-ups are on the hot path and take a snapshot under a lock held for an exchange of
/// references. Hostnames that were asked for go before the others: they are exact, and granted
/// only where they take nothing from another tunnel.
package final class TunnelDirectory: Sendable {
    /// Hostnames that one login may ask for. Beyond it the login is refused; their URLs have to fit
    /// into one WELCOME.
    static let maximumClaims = 24

    /// A hostname, or a port, that connectors asked for.
    struct Claim: Sendable {
        let route: TunnelTable.Route

        /// A port's `pattern` is what any host has: a rule without a hostname takes its connections.
        init(_ name: String, _ pattern: HostPattern, of tunnel: ServedTunnel.Identity) {
            self.route = TunnelTable.Route(
                to: ConnectorPool(name: name),
                of: tunnel,
                name,
                ServedHostname(pattern)
            )
        }
    }

    /// A session, and what it was let in for.
    struct Service: Sendable {
        let session: SessionDriver
        /// The connector's process, over all its sessions.
        let connector: SessionID
        /// What the connector says that it is.
        let agent: String
        /// Where it logged in from.
        let address: String
        let since: Date
        let publicKey: TunnelPublicKey
        let tunnel: ServedTunnel.Identity
        /// The hostnames it asked for; without any, and without ports, it serves the tunnel's own.
        let hosts: [NormalizedHost]
        /// The public TCP ports it was given.
        let ports: [Int]
        let pools: [ConnectorPool]
        /// The tunnel's hostnames that its key serves; nil for all of them.
        let serving: Set<String>?
        /// Whether its rules are the tunnel's, kept here, and not its own.
        let isManaged: Bool
        /// What it has said last of how it stands.
        var report: ConnectorReport
        /// Whether it may get requests: one without rules does not before it has been given some.
        var isInRotation: Bool
        /// The rules of its connector whose origins fail their health checks; `.any` is one without a
        /// hostname.
        var unhealthy: [HostPattern] = []
    }

    struct Contents: Sendable {
        var table = TunnelTable()
        var claims: [String: Claim] = [:]
        var services: [SessionID: Service] = [:]
        /// The sessions of each tunnel that has some.
        var sessions: [ServedTunnel.Identity: Set<SessionID>] = [:]
        /// Sessions that had lost their right to be here before they began.
        var strays: Set<SessionID> = []
    }

    /// Any `NAME.domain` may be asked for; nil when nothing may.
    private let domain: NormalizedHost?
    /// The edge's own names: never given to a tunnel.
    private let reserved: Set<NormalizedHost>
    let contents = Mutex(Contents())

    /// An empty directory.
    package init(domain: NormalizedHost?, reserved: Set<NormalizedHost>) {
        self.domain = domain
        self.reserved = reserved
    }

    /// Makes the directory one of these tunnels, with nil for `stored` of those it has; sessions and waiting requests
    /// stay with theirs. Those whom this leaves without a right to be here, ``isEntitled(_:at:)`` finds.
    ///
    /// The table is made beside the one in use. Only one thread may change the directory's tunnels at a time.
    ///
    /// - Returns: the stored hostnames that are not served because they are declared.
    /// - Throws: `RouteTableError` when two declared ones have the same hostname; nothing is changed then.
    @discardableResult
    func replace(
        declared: [DeclaredTunnel],
        stored: [TunnelID: ServedTunnel]? = nil
    ) throws(RouteTableError) -> Set<HostPattern> {
        let (kept, pools) = self.contents.withLock { ($0.table.stored, $0.table.pools) }
        let table = try TunnelTable(declared: declared, stored: stored ?? kept, pools: pools)
        let former = self.contents.withLock { contents in
            defer { contents.table = table }
            return contents.table
        }
        // Who waits for a hostname that is gone, or leads elsewhere now, need not wait on.
        for pool in former.pools.values { pool.wakeWaiters() }
        return table.shadowed
    }

    /// Goes on to what the store has now of the tunnels that have changed in it, in place: look-ups wait meanwhile. Of
    /// whom this may leave without a right to be here, the tunnels are returned, and the stored hostnames that are
    /// declared and were not there before.
    func apply(
        _ changes: [TunnelTable.StoredChange]
    ) -> (tunnels: Set<ServedTunnel.Identity>, shadowed: [HostPattern]) {
        let (consequences, holders) = self.contents.withLock { contents in
            let consequences = contents.table.apply(changes)
            return (consequences, Self.holders(of: consequences.taken, contents.claims))
        }
        for pool in consequences.pools { pool.wakeWaiters() }
        return (consequences.tunnels.union(holders), consequences.shadowed)
    }

    /// The tunnels whose connectors have asked for hosts of these patterns, which lead elsewhere now.
    private static func holders(
        of patterns: [HostPattern],
        _ claims: [String: Claim]
    ) -> [ServedTunnel.Identity] {
        patterns.flatMap { pattern in
            guard case .exact(let host) = pattern.kind else {
                return claims.values.filter { pattern.covers($0.route.pattern) }.map(\.route.tunnel)
            }
            return claims[host.name].map { [$0.route.tunnel] } ?? []
        }
    }

    /// The connectors that serve `host`, a hostname or ``TCPPorts/key(_:)``, and by which hostname; nil when
    /// no tunnel has it.
    func route(for host: String) -> TunnelTable.Route? {
        // A public TCP port: its key is no hostname.
        if host.hasPrefix("tcp:") { return self.contents.withLock { $0.claims[host]?.route } }
        guard let host = try? NormalizedHost(host), !self.reserved.contains(host) else {
            return nil
        }
        return self.contents.withLock { contents in
            contents.claims[host.name]?.route ?? contents.table.routes.target(for: host)
        }
    }

    /// The tunnel whose connectors asked for `host` and serve it; nil when none do.
    func holder(of host: NormalizedHost) -> ServedTunnel.Identity? {
        self.contents.withLock { $0.claims[host.name]?.route.tunnel }
    }

    // MARK: Logins

    /// A login that was found good.
    struct Admission: Sendable {
        /// The tunnel's name.
        let name: String
        let tunnel: ServedTunnel.Identity
        let publicKey: TunnelPublicKey
        /// The hostnames it asked for; without any, and without ports, it serves the tunnel's own.
        let hosts: [NormalizedHost]
        /// The TCP ports it asks for, 0 for any; they are to be opened.
        var askedPorts: [Int] = []
    }

    /// What a login may have: the hostnames it asks for, or else its tunnel's own.
    func admit(_ login: Login, at now: Date) -> Result<Admission, Refusal> {
        let asked = login.attributes.values("hostname")
        return self.contents.withLock { contents in
            guard let publicKey = TunnelPublicKey(login.publicKey),
                let key = contents.table.keys[publicKey]
            else { return .failure(.unknownKey) }
            guard !key.isExpired(at: now) else { return .failure(.expiredKey) }
            guard asked.count <= Self.maximumClaims else {
                return .failure(.hostname("more than \(Self.maximumClaims) hostnames"))
            }
            let ports = login.attributes.values("tcp-port").map { Int($0) ?? -1 }
            // A token for some hostnames is for nothing else.
            guard ports.isEmpty || key.hostnames == nil else {
                return .failure(.hostname("this token serves no TCP ports"))
            }
            var hosts: [NormalizedHost] = []
            for text in asked {
                switch self.check(text, for: key, contents) {
                case .success(let host): hosts.append(host)
                case .failure(let refusal): return .failure(refusal)
                }
            }
            return .success(
                Admission(
                    name: key.name,
                    tunnel: key.tunnel,
                    publicKey: publicKey,
                    hosts: hosts,
                    askedPorts: ports
                )
            )
        }
    }

    private func check(
        _ text: String,
        for key: TunnelTable.Key,
        _ contents: borrowing Contents
    ) -> Result<NormalizedHost, Refusal> {
        let host: NormalizedHost
        do {
            // A bare label is a name of the edge's own domain.
            let isLabel = !text.utf8.contains(UInt8(ascii: "."))
            host = try NormalizedHost(
                isLabel ? text + (self.domain.map { "." + $0.name } ?? "") : text
            )
        } catch {
            return .failure(.hostname("\(text): \(error)"))
        }
        if let words = self.objection(to: host, for: key, contents) {
            return .failure(.hostname("\(host.name) \(words)"))
        }
        return .success(host)
    }

    /// Why a key's connectors cannot serve a host by asking for it; nil when they can.
    func objection(
        to host: NormalizedHost,
        for key: TunnelTable.Key,
        _ contents: borrowing Contents
    ) -> String? {
        guard !self.reserved.contains(host), !host.isAddress else { return "is the edge's own" }
        if let claim = contents.claims[host.name], claim.route.tunnel != key.tunnel {
            return "belongs to another tunnel"
        }
        if let row = contents.table.routes.target(for: host) {
            // A wildcard of another tunnel covers all names that nobody else has.
            guard row.tunnel == key.tunnel else { return "belongs to another tunnel" }
            return key.serves(row.hostname) ? nil : "is not one that this token serves"
        }
        guard key.hostnames == nil else { return "is not one that this token serves" }
        var parents = self.domain.map { [$0] } ?? []
        var granted: [NormalizedHost]?
        if case .suffixes(let suffixes) = key.askable {
            granted = suffixes
            parents = suffixes + parents
        }
        guard parents.contains(where: { host.isChild(of: $0) }) else {
            let hint =
                parents.first.map { "ask for NAME.\($0.name)" } ?? "declare it for the tunnel"
            return "is not yours to take: \(hint)"
        }
        guard let granted, !granted.contains(where: { host == $0 || host.isBelow($0) }) else {
            return nil
        }
        let names = granted.isEmpty ? "nothing" : granted.map(\.name).joined(separator: ", ")
        return "is not below what the tunnel's account was granted: \(names)"
    }

    /// Sessions and waiting requests of each tunnel, for metrics.
    package var report: [(name: String, sessions: [SessionDriver], waiting: Int)] {
        self.pools.map { ($0.name, $0.sessions, $0.waitingCount) }
    }

    /// Lets every request that waits look again.
    func wakeWaiters() {
        for pool in self.pools { pool.wakeWaiters() }
    }

    private var pools: [ConnectorPool] {
        self.contents.withLock { contents in
            Array(contents.table.pools.values) + contents.claims.values.map(\.route.pool)
        }
    }
}

extension Refusal {
    fileprivate static let unknownKey = Refusal(
        code: .unknownKey,
        isPermanent: true,
        message: "no tunnel of this edge has this key: it was deleted, or its public-key is not in "
            + "the edge's configuration"
    )

    fileprivate static let expiredKey = Refusal(
        code: .expiredKey,
        isPermanent: true,
        message: "this token has expired; make a new one with `culvert tunnel token`"
    )

    fileprivate static func hostname(_ words: String) -> Refusal {
        Refusal(code: .hostnameRefused, isPermanent: true, message: words)
    }
}

extension NormalizedHost {
    /// Whether this is one label below `domain`.
    fileprivate func isChild(of domain: NormalizedHost) -> Bool {
        guard self.isBelow(domain) else { return false }
        let label = self.name.utf8.dropLast(domain.name.utf8.count + 1)
        return !label.contains(UInt8(ascii: "."))
    }
}
