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
    private struct Claim: Sendable {
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

    /// Adds a session of a connector: its process, over all its sessions. It gets requests from now on,
    /// unless it has no rules for them: one whose LOGIN says that it is managed from here and runs version 0
    /// gets none before its first report.
    func add(
        _ session: SessionDriver,
        of connector: SessionID,
        _ admission: Admission,
        agent: String,
        address: String,
        ports: [Int] = [],
        configurationVersion version: UInt64? = nil,
        at now: Date
    ) {
        let service = self.contents.withLock { contents in
            var pools: [ConnectorPool] = []
            let key = contents.table.keys[admission.publicKey]
            var claimed = admission.hosts.map { ($0.name, HostPattern(exactly: $0)) }
            claimed += ports.map { (TCPPorts.key($0), .any) }
            if claimed.isEmpty, let pool = contents.table.pools[admission.tunnel] {
                pools = [pool]
            }
            for (name, pattern) in claimed {
                let claim =
                    contents.claims[name] ?? Claim(name, pattern, of: admission.tunnel)
                contents.claims[name] = claim
                pools.append(claim.route.pool)
            }
            let service = Service(
                session: session,
                connector: connector,
                agent: agent,
                address: address,
                since: now,
                publicKey: admission.publicKey,
                tunnel: admission.tunnel,
                hosts: admission.hosts,
                ports: ports,
                pools: pools,
                serving: claimed.isEmpty ? key?.hostnames : nil,
                isManaged: version != nil,
                report: ConnectorReport(configurationVersion: version),
                isInRotation: version != 0
            )
            contents.services[session.id] = service
            return service
        }
        if service.isInRotation { self.enterRotation(service) }
    }

    private func enterRotation(_ service: Service) {
        for pool in service.pools {
            pool.add(service.session, of: service.connector, serving: service.serving)
        }
    }

    /// Keeps what a connector says of how it stands, and lets one in that waited for its rules.
    ///
    /// - Returns: what it had said before; nil when there is no such session.
    func note(_ report: ConnectorReport, of session: SessionID) -> ConnectorReport? {
        let (former, entering) = self.contents.withLock {
            contents -> (ConnectorReport?, Service?) in
            guard var service = contents.services[session] else { return (nil, nil) }
            let former = service
            service.report = report
            service.isInRotation = true
            contents.services[session] = service
            return (former.report, former.isInRotation ? nil : service)
        }
        if let entering { self.enterRotation(entering) }
        if report.unhealthyHostnames != former?.unhealthyHostnames {
            self.note(unhealthy: report.unhealthyHostnames, of: session)
        }
        return former
    }

    /// What a session's connector is to be told of where requests go; nil when its rules are its own.
    func configuration(for session: SessionID) -> ManagedConfiguration? {
        self.contents.withLock { contents in
            guard let service = contents.services[session], service.isManaged else { return nil }
            return contents.table.configurations[service.tunnel]
        }
    }

    /// Takes a session out.
    ///
    /// - Returns: the TCP ports that it had.
    @discardableResult
    func remove(_ session: SessionDriver) -> [Int] {
        let service = self.contents.withLock { $0.services.removeValue(forKey: session.id) }
        let pools = service?.pools ?? []
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
        return service?.ports ?? []
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

    /// The tunnel of a session; nil when it is over.
    func tunnel(of session: SessionDriver) -> ServedTunnel.Identity? {
        self.contents.withLock { $0.services[session.id]?.tunnel }
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
