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
///     edge.yml ──▶ declared ─┐
///     store ──▶ Control ──▶ Registry ──▶ merge ──▶ TunnelDirectory
///
/// Any thread.
final class EdgeTunnels: Sendable {
    /// How often expired keys are looked for; a session outlives its key by no more.
    private static let expiryInterval = Duration.milliseconds(250)
    /// How long a store that cannot be read is left alone.
    private static let retryInterval = Duration.seconds(1)
    /// How often the log is told of it.
    private static let troubleInterval = Duration.seconds(60)

    let directory: TunnelDirectory
    let events = TunnelEvents()
    /// Nil without a store.
    let control: Control?
    /// What the directory is merged of; held while it is.
    private let sources: Mutex<Sources>
    /// Set before the store is closed: whoever follows it then has lost nothing.
    private let isClosed = Atomic<Bool>(false)
    private let logger: Logger

    private struct Sources {
        var declared: [DeclaredTunnel]
        var registry = Registry.empty
    }

    /// Opens the store, if there is one, and fills the directory.
    ///
    /// - Throws: `StoreError.unavailable`; `RouteTableError` when two declared tunnels have the same
    ///   hostname.
    init(_ configuration: EdgeConfiguration, logger: Logger) async throws {
        self.sources = Mutex(Sources(declared: configuration.tunnels))
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
        try self.fill { $0.registry = registry }
    }

    /// What the configuration declares now.
    var declaredHostnames: [HostPattern] {
        self.sources.withLock { $0.declared.flatMap(\.hostnames).map(\.pattern) }
    }

    /// Has the configuration declare other tunnels; sessions of those that are gone end.
    ///
    /// - Throws: `RouteTableError` when two have the same hostname; nothing is changed then.
    func replaceDeclared(
        _ tunnels: [DeclaredTunnel],
        _ endpoint: EdgeEndpoint
    ) throws(RouteTableError) {
        try self.fill { $0.declared = tunnels }
        self.announceChange(endpoint)
    }

    /// Follows the store and the clock until the task is cancelled.
    func maintain(_ endpoint: EdgeEndpoint) async {
        guard let control else { return }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.follow(control) }
            group.addTask { await self.watchExpiry(endpoint) }
            // Whoever has changed something finds it served when he is answered.
            await control.observe { registry in
                do {
                    try self.fill { $0.registry = registry }
                } catch {
                    self.logger.error("Tunnels of the store are not served: \(error)")
                }
                self.announceChange(endpoint)
            }
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

    private func fill(_ change: (inout Sources) -> Void) throws(RouteTableError) {
        let shadowed = try self.sources.withLock { sources throws(RouteTableError) in
            var next = sources
            change(&next)
            let (tunnels, shadowed) = ServedTunnel.merge(next.declared, next.registry)
            try self.directory.replace(tunnels)
            sources = next
            return shadowed
        }
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
            guard let next = self.directory.nextExpiry(after: checked), next <= now else {
                continue
            }
            self.endSessions(endpoint)
            checked = now
        }
    }

    /// Tells those who watch the tunnel of a request that it is over.
    func tell(_ record: AccessRecord) {
        guard self.events.hasWatchers, record.hostname != nil,
            let route = self.directory.route(for: record.host)
        else { return }
        self.events.tell(route.tunnel) { EventDocument(record) }
    }

    private func announceChange(_ endpoint: EdgeEndpoint) {
        self.endSessions(endpoint)
        endpoint.configurationsChanged()
    }

    private func endSessions(_ endpoint: EdgeEndpoint) {
        let directory = self.directory
        let now = Date()
        endpoint.closeSessions(.revoked, reason: "its key is not good for it any more") { session in
            !directory.isEntitled(session.id, at: now)
        }
    }
}
