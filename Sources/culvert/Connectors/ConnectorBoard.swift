import ConfigurationFile
import CulvertConnector
import Logging
import NIOPosix
import StatusServer
import Synchronization

/// How the connectors of a process stand, together: for its `metrics` listener and its service manager. Any
/// thread.
final class ConnectorBoard: Sendable {
    /// Those of the connectors, in their order.
    let statuses: [ConnectorStatus]
    private let edges: [HostPort]
    private let manager: ServiceManager
    private let registry: MetricsRegistry
    private let id = String(UInt64.random(in: .min ... .max), radix: 16)
    /// Held from the look to the word: what is told last is how it is.
    private let telling = Mutex<Void>(())

    init(_ connectors: [PlannedConnector], _ manager: ServiceManager) {
        let registry = MetricsRegistry()
        self.registry = registry
        self.manager = manager
        self.edges = connectors.map(\.edge)
        self.statuses = connectors.map { ConnectorStatus(in: registry, tunnel: $0.name) }
    }

    /// Tells the service manager that all of them dial.
    func ready() { self.manager.ready(self.single.map { "Dialling \($0)" } ?? self.summary) }

    /// A connector stands otherwise towards its edge.
    func note(_ state: ConnectorState, of place: Int) {
        self.telling.withLock { _ in
            self.statuses[place].note(state)
            if let single = self.single {
                self.manager.show(state, edge: single)
            } else {
                self.manager.show(self.summary)
            }
        }
    }

    /// The edge of the only connector; nil when there are several.
    private var single: HostPort? { self.edges.count == 1 ? self.edges[0] : nil }

    private var connectedCount: Int { self.statuses.count(where: \.isConnected) }

    /// For `systemctl status`, in a sentence.
    private var summary: String {
        let refused = self.statuses.filter(\.isRefused).compactMap(\.tunnel)
        return "\(self.connectedCount) of \(self.statuses.count) tunnels connected"
            + (refused.isEmpty ? "" : "; refused for good: \(refused.joined(separator: ", "))")
    }

    /// Listens for scrapes for as long as the process lives.
    ///
    /// - Throws: `StatusServerError` naming the address.
    func serve(on address: HostPort, logger: Logger) async throws {
        for status in self.statuses { status.observe() }
        let routes = StatusRoutes.connector(self.registry) {
            ConnectorReadiness(
                readyConnections: self.connectedCount,
                connectorID: self.id,
                tunnels: self.statuses.count > 1 ? self.statuses.count : nil
            )
        }
        _ = try await StatusServer(routes: routes, logger: logger).start(
            on: (address.host, address.port),
            group: MultiThreadedEventLoopGroup.singleton
        )
    }
}
