import CulvertConnector
import StatusServer
import Synchronization
import TunnelWire

/// What the `metrics` listener shows of a connector: its counters, and whether it is connected.
final class ConnectorStatus: Sendable {
    /// What to tell it apart by; nil for the only one of a process.
    let tunnel: String?
    private let metrics: ConnectorMetrics
    private let connected = Atomic<Bool>(false)
    private let refused = Atomic<Bool>(false)
    private let hasSession = Atomic<Bool>(false)
    private let unhealthyCount = Atomic<Int>(0)

    /// Adds its series to the process's.
    init(in registry: MetricsRegistry, tunnel: String?) {
        self.tunnel = tunnel
        self.metrics = ConnectorMetrics(
            version: buildVersion,
            registry: registry,
            tunnel: tunnel
        )
    }

    /// Whether it has a link that is logged in; any thread.
    var isConnected: Bool { self.connected.load(ordering: .relaxed) }

    /// Whether its edge has refused it for good; any thread.
    var isRefused: Bool { self.refused.load(ordering: .relaxed) }

    /// Any thread.
    func note(_ state: ConnectorState) {
        switch state {
        case .connected(let welcome):
            self.connected.store(true, ordering: .relaxed)
            self.metrics.dialEnded(isLoggedIn: true)
            if welcome.isResumed {
                self.metrics.sessions.sessionResumed()
            } else {
                // The one before is over: the edge did not know it any more.
                if self.hasSession.exchange(true, ordering: .relaxed) {
                    self.metrics.sessions.sessionClosed()
                }
                self.metrics.sessions.sessionOpened()
            }
        case .connecting:
            if self.connected.exchange(false, ordering: .relaxed) {
                self.metrics.sessions.linkLost()
            } else {
                self.metrics.dialEnded(isLoggedIn: false)
            }
        case .refused(let refusal):
            self.connected.store(false, ordering: .relaxed)
            self.refused.store(true, ordering: .relaxed)
            self.metrics.sessions.loginRefused(code: refusal.code.rawValue)
        }
    }

    /// Any thread.
    func note(unhealthy hostnames: Set<String>) {
        self.unhealthyCount.store(hostnames.count, ordering: .relaxed)
    }

    /// Any thread.
    func note(_ record: ExchangeRecord) {
        self.metrics.requestEnded(
            status: Int(record.status ?? 0),
            host: record.hostname,
            bytesIn: record.requestBytes,
            bytesOut: record.responseBytes,
            nanoseconds: record.durationNanoseconds,
            error: record.failure.map { "\($0.code)" }
        )
    }

    /// Has the metrics show how it stands at each scrape.
    func observe() {
        self.metrics.observe(
            readyConnections: { self.isConnected ? 1 : 0 },
            unhealthyHostnames: { self.unhealthyCount.load(ordering: .relaxed) }
        )
    }
}
