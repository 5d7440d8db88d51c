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

    /// A hostname that connectors asked for.
    private struct Claim: Sendable {
        let route: TunnelTable.Route

        init(_ host: NormalizedHost, of tunnel: ServedTunnel.Identity) {
            let pool = ConnectorPool(name: host.name)
            let hostname = ServedHostname(HostPattern(exactly: host))
            self.route = TunnelTable.Route(to: pool, of: tunnel, hostname)
        }
    }

    /// A session, and what it was let in for.
    struct Service: Sendable {
        let session: SessionDriver
        /// What the connector says that it is.
        let agent: String
        /// Where it logged in from.
        let address: String
        let since: Date
        let publicKey: TunnelPublicKey
        let tunnel: ServedTunnel.Identity
        /// The hostnames it asked for; when empty it serves the tunnel's own.
        let hosts: [NormalizedHost]
        let pools: [ConnectorPool]
        /// The rules of its connector whose origins fail their health checks; `.any` is one without a
        /// hostname.
        var unhealthy: [HostPattern] = []
    }

    private struct Contents: Sendable {
        var table = TunnelTable()
        var claims: [String: Claim] = [:]
        var services: [SessionID: Service] = [:]
    }

    /// Any `NAME.domain` may be asked for; nil when nothing may.
    private let domain: NormalizedHost?
    /// The edge's own names: never given to a tunnel.
    private let reserved: Set<NormalizedHost>
    private let contents = Mutex(Contents())

    /// An empty directory.
    package init(domain: NormalizedHost?, reserved: Set<NormalizedHost>) {
        self.domain = domain
        self.reserved = reserved
    }

    /// Makes the directory one of `tunnels`; sessions and waiting requests stay with theirs. Those whom
    /// this leaves without a right to be here, ``isEntitled(_:at:)`` finds.
    ///
    /// - Throws: `RouteTableError` when two have the same hostname; nothing is changed then.
    func replace(_ tunnels: [ServedTunnel]) throws(RouteTableError) {
        let pools = self.contents.withLock { $0.table.pools }
        let table = try TunnelTable(tunnels, pools: pools)
        let former = self.contents.withLock { contents in
            defer { contents.table = table }
            return contents.table
        }
        // Who waits for a hostname that is gone, or leads elsewhere now, need not wait on.
        for pool in former.pools.values { pool.wakeWaiters() }
    }

    /// The connectors that serve `host`, and by which hostname; nil when no tunnel has it.
    func route(for host: String) -> TunnelTable.Route? {
        guard let host = try? NormalizedHost(host), !self.reserved.contains(host) else {
            return nil
        }
        return self.contents.withLock { contents in
            contents.claims[host.name]?.route ?? contents.table.routes.target(for: host)
        }
    }

    // MARK: Logins

    /// A login that was found good.
    struct Admission: Sendable {
        /// The tunnel's name.
        let name: String
        let tunnel: ServedTunnel.Identity
        let publicKey: TunnelPublicKey
        /// The hostnames it asked for; when empty it serves the tunnel's own.
        let hosts: [NormalizedHost]
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
                    hosts: hosts
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
    private func objection(
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
        guard let domain = self.domain, host.isChild(of: domain) else {
            let hint = self.domain.map { "ask for NAME.\($0.name)" } ?? "declare it for the tunnel"
            return "is not yours to take: \(hint)"
        }
        if case .suffixes(let suffixes) = key.askable {
            guard suffixes.contains(where: { host == $0 || host.isBelow($0) }) else {
                return "is not below what the tunnel's account was granted"
            }
        }
        return nil
    }

    // MARK: Sessions

    /// Adds a session of a connector: its process, over all its sessions.
    func add(
        _ session: SessionDriver,
        of connector: SessionID,
        _ admission: Admission,
        agent: String,
        address: String,
        at now: Date
    ) {
        let (pools, hostnames) = self.contents.withLock { contents in
            var pools: [ConnectorPool] = []
            let key = contents.table.keys[admission.publicKey]
            if admission.hosts.isEmpty, let pool = contents.table.pools[admission.tunnel] {
                pools = [pool]
            }
            for host in admission.hosts {
                let claim = contents.claims[host.name] ?? Claim(host, of: admission.tunnel)
                contents.claims[host.name] = claim
                pools.append(claim.route.pool)
            }
            contents.services[session.id] = Service(
                session: session,
                agent: agent,
                address: address,
                since: now,
                publicKey: admission.publicKey,
                tunnel: admission.tunnel,
                hosts: admission.hosts,
                pools: pools
            )
            return (pools, admission.hosts.isEmpty ? key?.hostnames : nil)
        }
        for pool in pools { pool.add(session, of: connector, serving: hostnames) }
    }

    func remove(_ session: SessionDriver) {
        let pools = self.contents.withLock {
            $0.services.removeValue(forKey: session.id)?.pools ?? []
        }
        for pool in pools { pool.remove(session) }
        self.contents.withLock { contents in
            for pool in pools where pool.sessions.isEmpty {
                if contents.claims[pool.name]?.route.pool === pool {
                    contents.claims[pool.name] = nil
                }
            }
        }
        // Who waits for a hostname that nobody has any more need not wait on.
        for pool in pools { pool.wakeWaiters() }
    }

    /// A session's connector says which of its rules have origins that fail their health checks now: by
    /// their hostnames as its configuration has them, empty for a rule without one. All others pass.
    ///
    /// A rule counts for every hostname that its own covers. What is no hostname is left out, as is what is
    /// said of a session that is over.
    func note(unhealthy hostnames: [String], of session: SessionID) {
        let rules = hostnames.compactMap { text in
            try? HostPattern(text.isEmpty ? "*" : text)
        }
        let service = self.contents.withLock { contents in
            contents.services[session]?.unhealthy = rules
            return contents.services[session]
        }
        guard let service else { return }
        for pool in service.pools { pool.setUnhealthy(service.session, rules) }
    }

    /// The pools that `session` serves.
    func pools(of session: SessionDriver) -> [ConnectorPool] {
        self.contents.withLock { $0.services[session.id]?.pools ?? [] }
    }

    /// The sessions that serve a tunnel, the oldest first.
    func services(of tunnel: ServedTunnel.Identity) -> [Service] {
        self.contents.withLock { contents in
            contents.services.values.filter { $0.tunnel == tunnel }
        }.sorted { $0.since < $1.since }
    }

    /// Whether a session may still serve what it was let in for.
    func isEntitled(_ session: SessionID, at now: Date) -> Bool {
        self.contents.withLock { contents in
            guard let service = contents.services[session],
                let key = contents.table.keys[service.publicKey], key.tunnel == service.tunnel,
                !key.isExpired(at: now)
            else { return false }
            return service.hosts.allSatisfy { self.objection(to: $0, for: key, contents) == nil }
        }
    }

    /// When the next of the keys that are not expired at `now` expires; nil when none will.
    func nextExpiry(after now: Date) -> Date? {
        self.contents.withLock { contents in contents.table.expiries.first { $0 > now } }
    }

    /// Sessions and waiting requests of each tunnel, for metrics.
    package var report: [(name: String, sessions: [SessionDriver], waiting: Int)] {
        let pools = self.contents.withLock { contents in
            Array(contents.table.pools.values) + contents.claims.values.map(\.route.pool)
        }
        return pools.map { ($0.name, $0.sessions, $0.waitingCount) }
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
