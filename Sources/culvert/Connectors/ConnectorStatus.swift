import ConfigurationFile
import CulvertConnector
import Logging
import NIOPosix
import StatusServer
import Synchronization
import TunnelWire

/// What a connector's `metrics` listener shows: its counters, and whether it is connected.
final class ConnectorStatus: Sendable {
    private let metrics = ConnectorMetrics(version: buildVersion)
    private let isConnected = Atomic<Bool>(false)
    private let hasSession = Atomic<Bool>(false)
    private let unhealthyCount = Atomic<Int>(0)
    private let id = String(UInt64.random(in: .min ... .max), radix: 16)

    /// Any thread.
    func note(_ state: ConnectorState) {
        switch state {
        case .connected(let welcome):
            self.isConnected.store(true, ordering: .relaxed)
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
            if self.isConnected.exchange(false, ordering: .relaxed) {
                self.metrics.sessions.linkLost()
            } else {
                self.metrics.dialEnded(isLoggedIn: false)
            }
        case .refused(let refusal):
            self.isConnected.store(false, ordering: .relaxed)
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

    /// Listens for scrapes for as long as the process lives.
    ///
    /// - Throws: `StatusServerError` naming the address.
    func serve(on address: HostPort, logger: Logger) async throws {
        self.metrics.observe(
            readyConnections: { self.isConnected.load(ordering: .relaxed) ? 1 : 0 },
            unhealthyHostnames: { self.unhealthyCount.load(ordering: .relaxed) }
        )
        let routes = StatusRoutes.connector(self.metrics.registry) {
            ConnectorReadiness(
                readyConnections: self.isConnected.load(ordering: .relaxed) ? 1 : 0,
                connectorID: self.id
            )
        }
        _ = try await StatusServer(routes: routes, logger: logger).start(
            on: (address.host, address.port),
            group: MultiThreadedEventLoopGroup.singleton
        )
    }
}
