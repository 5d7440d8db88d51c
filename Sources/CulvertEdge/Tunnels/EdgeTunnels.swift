internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import HTTPSemantics
internal import Logging
internal import Synchronization
internal import TunnelLink
internal import TunnelSession
internal import TunnelWire

/// The tunnels of an edge: keeps the directory in step with the configuration and the store, tells
/// connectors of new rules, and ends the sessions that lose their right to be here.
///
///     edge.yml ──▶ declared ──────────┐
///     store ──▶ Control ──▶ Registry ─┴──▶ TunnelDirectory
///
/// A change of the store is applied to the tunnels that it concerns, and their sessions are looked at. What else
/// there is costs nothing then. When what is declared changes, at the start, and when a change concerns very many
/// tunnels, the table is made anew, beside the one in use, and all sessions are looked at.
///
/// Any thread.
final class EdgeTunnels: Sendable {
    /// How often expired keys are looked for; a session outlives its key by no more.
    private static let expiryInterval = Duration.milliseconds(250)
    /// How long a store that cannot be read is left alone.
    private static let retryInterval = Duration.seconds(1)
    /// How often the log is told of it.
    private static let troubleInterval = Duration.seconds(60)
    /// Tunnels that are changed in place; look-ups wait meanwhile, for some milliseconds with so many. Beyond it
    /// the table is made anew.
    private static let maximumInPlace = 1_000

    let directory: TunnelDirectory
    let events = TunnelEvents()
    /// Nil without a store.
    let control: Control?
    /// What the configuration declares; held while the directory is changed.
    private let declared: Mutex<[DeclaredTunnel]>
    /// Set before the store is closed: whoever follows it then has lost nothing.
    private let isClosed = Atomic<Bool>(false)
    private let logger: Logger

    /// Opens the store, if there is one, and fills the directory.
    ///
    /// - Throws: `StoreError.unavailable`; `RouteTableError` when two declared tunnels have the same
    ///   hostname.
    init(_ configuration: EdgeConfiguration, logger: Logger) async throws {
        self.declared = Mutex(configuration.tunnels)
        self.logger = logger
        self.directory = TunnelDirectory(
            domain: configuration.domain,
            reserved: Set([configuration.connect, configuration.control].compactMap(\.self))
        )
        if let file = configuration.store {
            self.control = try await Control(store: SQLiteStore(file: file))
        } else {
            self.control = nil
        }
        let registry = await self.control?.registry ?? .empty
        try self.fill(registry: registry)
    }

    /// What the configuration declares now.
    var declaredHostnames: [HostPattern] {
        self.declared.withLock { $0.flatMap(\.hostnames).map(\.pattern) }
    }

    /// Has the configuration declare other tunnels; sessions of those that are gone end.
    ///
    /// - Throws: `RouteTableError` when two have the same hostname; nothing is changed then.
    func replaceDeclared(
        _ tunnels: [DeclaredTunnel],
        _ endpoint: EdgeEndpoint
    ) throws(RouteTableError) {
        try self.fill(declared: tunnels)
        self.announceChange(endpoint)
    }

    /// Follows the store and the clock until the task is cancelled.
    func maintain(_ endpoint: EdgeEndpoint) async {
        guard let control else { return }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.follow(control) }
            group.addTask { await self.watchExpiry(endpoint) }
            // Whoever has changed something finds it served when he is answered.
            await control.observe { registry, news in self.take(news, registry, endpoint) }
        }
        await control.observe(nil)
    }

    private func follow(_ control: Control) async {
        var told: ContinuousClock.Instant?
        while !Task.isCancelled {
            do {
                try await control.run()
            } catch is CancellationError {
                return
            } catch {
                guard !self.isClosed.load(ordering: .relaxed) else { return }
                if told.map({ .now - $0 >= Self.troubleInterval }) ?? true {
                    self.logger.error("The store cannot be followed, trying again: \(error)")
                    told = .now
                }
                try? await Task.sleep(for: Self.retryInterval)
            }
        }
    }

    /// Closes the store, at the end: its file alone is whole then.
    func close() async {
        self.isClosed.store(true, ordering: .relaxed)
        do {
            try await self.control?.close()
        } catch {
            self.logger.warning("The store could not be closed: \(error)")
        }
    }

    private func take(_ news: RegistryNews, _ registry: Registry, _ endpoint: EdgeEndpoint) {
        if case .tunnels(let ids) = news, ids.count <= Self.maximumInPlace {
            guard !ids.isEmpty else { return }
            let (tunnels, shadowed) = self.declared.withLock { _ in
                self.directory.apply(ids.map { ($0, ServedTunnel($0, in: registry)) })
            }
            self.warn(of: shadowed)
            return self.announceChange(endpoint, of: tunnels)
        }
        do {
            try self.fill(registry: registry)
        } catch {
            self.logger.error("Tunnels of the store are not served: \(error)")
        }
        self.announceChange(endpoint)
    }

    /// Makes the table anew; what is nil stays.
    private func fill(
        declared next: [DeclaredTunnel]? = nil,
        registry: Registry? = nil
    ) throws(RouteTableError) {
        let stored = registry.map { ServedTunnel.all(in: $0) }
        let shadowed = try self.declared.withLock { declared throws(RouteTableError) in
            let shadowed = try self.directory.replace(declared: next ?? declared, stored: stored)
            declared = next ?? declared
            return shadowed
        }
        self.warn(of: shadowed)
    }

    private func warn(of shadowed: some Collection<HostPattern>) {
        guard let first = shadowed.first else { return }
        self.logger.warning(
            "Hostnames of the store are not served: the configuration file gives them away",
            metadata: ["first": "\(first)", "count": "\(shadowed.count)"]
        )
    }

    private func watchExpiry(_ endpoint: EdgeEndpoint) async {
        var checked = Date()
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.expiryInterval)
            let now = Date()
            let tunnels = self.directory.tunnels(withKeysExpiringAfter: checked, through: now)
            checked = now
            if !tunnels.isEmpty { self.endSessions(endpoint, of: tunnels) }
        }
    }

    /// Tells those who watch the tunnel of a request that it is over.
    func tell(_ record: AccessRecord) {
        guard self.events.hasWatchers, record.hostname != nil,
            let route = self.directory.route(for: record.host)
        else { return }
        self.events.tell(route.tunnel) { EventDocument(record) }
    }

    /// Acts upon a change: of these tunnels, or with nil of any.
    private func announceChange(
        _ endpoint: EdgeEndpoint,
        of tunnels: Set<ServedTunnel.Identity>? = nil
    ) {
        self.endSessions(endpoint, of: tunnels)
        endpoint.configurationsChanged(of: self.sessions(of: tunnels))
    }

    private func endSessions(_ endpoint: EdgeEndpoint, of tunnels: Set<ServedTunnel.Identity>?) {
        let directory = self.directory
        let now = Date()
        endpoint.closeSessions(
            .revoked,
            reason: "its key is not good for it any more",
            among: self.sessions(of: tunnels)
        ) { !directory.isEntitled($0.id, at: now) }
    }

    private func sessions(
        of tunnels: Set<ServedTunnel.Identity>?
    ) -> (@Sendable () -> Set<SessionID>)? {
        guard let tunnels else { return nil }
        return { [directory] in directory.sessions(of: tunnels) }
    }
}
