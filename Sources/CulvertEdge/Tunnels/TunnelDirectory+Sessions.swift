internal import CulvertControl
internal import Foundation
internal import HTTPSemantics
internal import Synchronization
internal import TunnelLink
internal import TunnelSession
internal import TunnelWire

// The sessions of the directory: what each serves, how its connector says that it stands, and when it has
// lost its right to be here.
extension TunnelDirectory {
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
            contents.sessions[admission.tunnel, default: []].insert(session.id)
            return service
        }
        if service.isInRotation { self.enterRotation(service) }
    }

    /// Adds a session that has lost its right to be here before it began: it serves nothing, and ends with the others
    /// that a change of the directory leaves without a right.
    func addStray(_ session: SessionDriver) {
        self.contents.withLock { _ = $0.strays.insert(session.id) }
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
        let service = self.contents.withLock { contents in
            contents.strays.remove(session.id)
            let service = contents.services.removeValue(forKey: session.id)
            if let tunnel = service?.tunnel {
                contents.sessions[tunnel]?.remove(session.id)
                if contents.sessions[tunnel]?.isEmpty == true { contents.sessions[tunnel] = nil }
            }
            return service
        }
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
            (contents.sessions[tunnel] ?? []).compactMap { contents.services[$0] }
        }.sorted { $0.since < $1.since }
    }

    /// The sessions of some tunnels, and those that have none.
    func sessions(of tunnels: Set<ServedTunnel.Identity>) -> Set<SessionID> {
        self.contents.withLock { contents in
            tunnels.reduce(into: contents.strays) { sessions, tunnel in
                sessions.formUnion(contents.sessions[tunnel] ?? [])
            }
        }
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

    /// The tunnels with keys that expire after `start`, at `end` at the latest.
    func tunnels(withKeysExpiringAfter start: Date, through end: Date) -> Set<ServedTunnel.Identity>
    {
        self.contents.withLock { contents in
            let keys = contents.table.expiries.keys(after: start, through: end)
            return Set(keys.compactMap { contents.table.keys[$0]?.tunnel })
        }
    }
}
