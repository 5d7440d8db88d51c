package import HTTPSemantics
internal import Synchronization
package import TunnelLink
internal import TunnelSession
internal import TunnelWire

/// Which hostname leads to which connectors: what the configuration declares, and what connectors asked
/// for at login.
///
/// Look-ups are on the hot path and take a snapshot under a lock held for an exchange of
/// references. Hostnames that were asked for go before declared ones: they are exact, and granted
/// only where they take nothing from another tunnel.
package final class TunnelDirectory: Sendable {
    /// Hostnames that one login may ask for. Beyond it the login is refused; their URLs have to fit
    /// into one WELCOME.
    static let maximumClaims = 24

    private struct Declared: Sendable {
        let tunnel: DeclaredTunnel
        let pool: ConnectorPool
    }

    /// A row of the table of routes.
    private struct Route: Sendable {
        let declared: Declared
        /// The hostname as it was declared: a name or a wildcard.
        let hostname: String
    }

    private struct Contents: Sendable {
        var byKey: [[UInt8]: Declared] = [:]
        var routes = RouteTable<Route>()
        /// Hostnames that connectors asked for, with the key that holds each.
        var claims: [String: (key: [UInt8], pool: ConnectorPool)] = [:]
        /// What each session serves.
        var served: [SessionID: [ConnectorPool]] = [:]
    }

    /// Any `NAME.domain` may be asked for; nil when nothing may.
    private let domain: NormalizedHost?
    /// Never given to a tunnel.
    private let connectHost: NormalizedHost
    private let contents: Mutex<Contents>

    /// - Throws: `RouteTableError` when two tunnels declare the same hostname.
    package init(
        tunnels: [DeclaredTunnel],
        domain: NormalizedHost?,
        connectHost: NormalizedHost
    ) throws(RouteTableError) {
        self.domain = domain
        self.connectHost = connectHost
        var contents = Contents()
        var rows: [(HostPattern, Route)] = []
        for tunnel in tunnels {
            let declared = Declared(tunnel: tunnel, pool: ConnectorPool(name: tunnel.name))
            contents.byKey[tunnel.publicKey.bytes] = declared
            rows += tunnel.hostnames.map {
                ($0, Route(declared: declared, hostname: $0.description))
            }
        }
        contents.routes = try RouteTable(rows)
        self.contents = Mutex(contents)
    }

    /// The connectors that serve `host`, and by which hostname; nil when no tunnel has it.
    func route(for host: String) -> (pool: ConnectorPool, hostname: String)? {
        guard let host = try? NormalizedHost(host), host != self.connectHost else { return nil }
        return self.contents.withLock { contents in
            if let claim = contents.claims[host.name] { return (claim.pool, host.name) }
            return contents.routes.target(for: host).map { ($0.declared.pool, $0.hostname) }
        }
    }

    // MARK: Sessions

    /// What a login may have: the hostnames it asks for, or else its tunnel's own.
    func admit(_ login: Login) -> Result<Admission, Refusal> {
        let asked = login.attributes.values("hostname")
        return self.contents.withLock { contents in
            guard let declared = contents.byKey[login.publicKey] else {
                return .failure(
                    Refusal(
                        code: .unknownKey,
                        isPermanent: true,
                        message: "no tunnel of this edge has this key; is its public-key in the "
                            + "edge's configuration?"
                    )
                )
            }
            guard asked.count <= Self.maximumClaims else {
                return .failure(Self.hostnameRefusal("more than \(Self.maximumClaims) hostnames"))
            }
            var hosts: [NormalizedHost] = []
            for text in asked {
                switch self.check(text, of: declared.tunnel, contents) {
                case .success(let host): hosts.append(host)
                case .failure(let refusal): return .failure(refusal)
                }
            }
            return .success(Admission(tunnel: declared.tunnel, hosts: hosts))
        }
    }

    /// A login that was found good; see ``TunnelDirectory/admit(_:)``.
    struct Admission: Sendable {
        let tunnel: DeclaredTunnel
        /// The hostnames it asked for; when empty it serves the tunnel's own.
        let hosts: [NormalizedHost]
    }

    private func check(
        _ text: String,
        of tunnel: DeclaredTunnel,
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
            return .failure(Self.hostnameRefusal("\(text): \(error)"))
        }
        guard host != self.connectHost, !host.isAddress else {
            return .failure(Self.hostnameRefusal("\(host.name) is the edge's own"))
        }
        if let claim = contents.claims[host.name], claim.key != tunnel.publicKey.bytes {
            return .failure(Self.hostnameRefusal("\(host.name) belongs to another tunnel"))
        }
        if let row = contents.routes.lookUp(host) {
            // A wildcard of another tunnel covers all names that nobody else declared.
            guard row.target.declared.tunnel.publicKey == tunnel.publicKey else {
                return .failure(Self.hostnameRefusal("\(host.name) belongs to another tunnel"))
            }
            return .success(host)
        }
        guard let domain = self.domain, host.isChild(of: domain) else {
            let hint = self.domain.map { "ask for NAME.\($0.name)" } ?? "declare it for the tunnel"
            return .failure(Self.hostnameRefusal("\(host.name) is not yours to take: \(hint)"))
        }
        return .success(host)
    }

    private static func hostnameRefusal(_ words: String) -> Refusal {
        Refusal(code: .hostnameRefused, isPermanent: true, message: words)
    }

    func add(_ session: SessionDriver, _ admission: Admission) {
        let pools = self.contents.withLock { contents -> [ConnectorPool] in
            var pools: [ConnectorPool] = []
            if admission.hosts.isEmpty, let own = contents.byKey[session.publicKey]?.pool {
                pools = [own]
            }
            for host in admission.hosts {
                let claim =
                    contents.claims[host.name]
                    ?? (key: session.publicKey, pool: ConnectorPool(name: host.name))
                contents.claims[host.name] = claim
                pools.append(claim.pool)
            }
            contents.served[session.id] = pools
            return pools
        }
        for pool in pools { pool.add(session) }
    }

    func remove(_ session: SessionDriver) {
        let pools = self.contents.withLock { $0.served.removeValue(forKey: session.id) ?? [] }
        for pool in pools { pool.remove(session) }
        self.contents.withLock { contents in
            for pool in pools where pool.sessions.isEmpty {
                if contents.claims[pool.name]?.pool === pool {
                    contents.claims[pool.name] = nil
                }
            }
        }
        // Who waits for a hostname that nobody has any more need not wait on.
        for pool in pools { pool.wakeWaiters() }
    }

    /// The pools that `session` serves.
    func pools(of session: SessionDriver) -> [ConnectorPool] {
        self.contents.withLock { $0.served[session.id] ?? [] }
    }

    /// Sessions and waiting requests of each tunnel, for metrics.
    package var report: [(name: String, sessions: [SessionDriver], waiting: Int)] {
        let pools = self.contents.withLock { contents in
            contents.byKey.values.map(\.pool) + contents.claims.values.map(\.pool)
        }
        return pools.map { ($0.name, $0.sessions, $0.waitingCount) }
    }
}

extension NormalizedHost {
    /// Whether this is one label below `domain`.
    fileprivate func isChild(of domain: NormalizedHost) -> Bool {
        guard self.name.hasSuffix("." + domain.name) else { return false }
        let label = self.name.utf8.dropLast(domain.name.utf8.count + 1)
        return !label.isEmpty && !label.contains(UInt8(ascii: "."))
    }
}
