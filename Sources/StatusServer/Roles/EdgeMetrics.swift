/// The series of an edge. Any thread; what is counted for each request is counted without a lock.
package final class EdgeMetrics: Sendable {
    /// How one tunnel stands at a scrape.
    package struct Tunnel: Sendable {
        /// The label `tunnel`, of 1,000 tunnels at most in the order of names; the rest is `other`.
        package var name: String
        /// Sessions with a link.
        package var connectedSessions: Int
        /// Sessions whose link is lost and which may still be resumed.
        package var interruptedSessions: Int
        /// Streams under way, over all its sessions.
        package var streams: Int
        /// Requests that wait for a connector.
        package var waitingRequests: Int

        package init(
            name: String,
            connectedSessions: Int,
            interruptedSessions: Int,
            streams: Int,
            waitingRequests: Int
        ) {
            self.name = name
            self.connectedSessions = connectedSessions
            self.interruptedSessions = interruptedSessions
            self.streams = streams
            self.waitingRequests = waitingRequests
        }
    }

    /// Tunnels with series of their own, by name; the rest is added up as `other`.
    static let maximumTunnels = 1_000
    static let otherTunnels = "other"

    /// What `/metrics` shows; others may add series of theirs.
    package let registry: MetricsRegistry
    private let requests: RequestMetrics
    /// To be told of logins, sessions and links.
    package let sessions: SessionMetrics
    private let storeFailures: Counter

    /// - Parameters:
    ///   - version: Of this program, for `culvert_build_info`.
    ///   - registry: Gets the series, those of the process too.
    package init(version: String, registry: MetricsRegistry = MetricsRegistry()) {
        self.registry = registry
        self.requests = RequestMetrics(registry, prefix: "culvert_edge")
        self.sessions = SessionMetrics(registry, prefix: "culvert_edge")
        self.storeFailures = registry.counter(
            "culvert_edge_store_failures_total",
            help: "Requests of the API that the store failed; the log says why."
        )
        registry.gauge(
            "culvert_build_info",
            help: "1, with the version of this program.",
            labels: ["version": version]
        ).set(1)
        ProcessMetrics.register(in: registry)
    }

    /// The store has failed a request of the API.
    package func storeFailed() { self.storeFailures.increment() }

    /// Counts an exchange with a visitor at its end: see `RequestMetrics`.
    package func requestEnded(
        status: Int,
        host: String?,
        bytesIn: Int,
        bytesOut: Int,
        nanoseconds: Int64,
        error: String?
    ) {
        self.requests.requestEnded(
            status: status,
            host: host,
            bytesIn: bytesIn,
            bytesOut: bytesOut,
            nanoseconds: nanoseconds,
            error: error
        )
    }

    /// Adds what is read at each scrape, on any thread: each closure is called several times for one.
    ///
    /// - Parameters:
    ///   - visitorConnections: Open now.
    ///   - tunnels: All tunnels; entries of one name are added up.
    package func observe(
        visitorConnections: @escaping @Sendable () -> Int,
        tunnels: @escaping @Sendable () -> [Tunnel]
    ) {
        self.registry.gauge(
            "culvert_edge_visitor_connections",
            help: "Connections of visitors that are open.",
            reading: { Double(visitorConnections()) }
        )
        let bounded: @Sendable () -> [Tunnel] = { Self.bounded(tunnels()) }
        self.registry.gauges(
            "culvert_edge_tunnel_sessions",
            help:
                "Sessions of connectors, with a link (connected) or waiting for one (interrupted)."
        ) {
            bounded().flatMap { tunnel in
                [
                    MetricSample(
                        ["tunnel": tunnel.name, "state": "connected"],
                        Double(tunnel.connectedSessions)
                    ),
                    MetricSample(
                        ["tunnel": tunnel.name, "state": "interrupted"],
                        Double(tunnel.interruptedSessions)
                    ),
                ]
            }
        }
        self.registry.gauges(
            "culvert_edge_tunnel_streams",
            help: "Streams to connectors under way."
        ) {
            bounded().map { MetricSample(["tunnel": $0.name], Double($0.streams)) }
        }
        self.registry.gauges(
            "culvert_edge_tunnel_waiting_requests",
            help: "Requests that wait for a connector."
        ) {
            bounded().map { MetricSample(["tunnel": $0.name], Double($0.waitingRequests)) }
        }
    }

    /// One entry for each name, sorted, and at most `maximumTunnels` beside the others.
    static func bounded(_ tunnels: [Tunnel]) -> [Tunnel] {
        var byName: [String: Tunnel] = [:]
        for tunnel in tunnels { byName[tunnel.name, default: .empty(tunnel.name)].add(tunnel) }
        let sorted = byName.values.sorted { $0.name < $1.name }
        guard sorted.count > Self.maximumTunnels else { return sorted }
        var others = Tunnel.empty(Self.otherTunnels)
        var kept: [Tunnel] = []
        for tunnel in sorted {
            if kept.count < Self.maximumTunnels, tunnel.name != Self.otherTunnels {
                kept.append(tunnel)
            } else {
                others.add(tunnel)
            }
        }
        return kept + [others]
    }
}

extension EdgeMetrics.Tunnel {
    fileprivate static func empty(_ name: String) -> Self {
        Self(
            name: name,
            connectedSessions: 0,
            interruptedSessions: 0,
            streams: 0,
            waitingRequests: 0
        )
    }

    fileprivate mutating func add(_ other: Self) {
        self.connectedSessions += other.connectedSessions
        self.interruptedSessions += other.interruptedSessions
        self.streams += other.streams
        self.waitingRequests += other.waitingRequests
    }
}
