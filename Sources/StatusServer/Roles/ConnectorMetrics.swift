/// The series of a connector. Any thread; what is counted for each request is counted without a lock.
package final class ConnectorMetrics: Sendable {
    /// What `/metrics` shows; others may add series of theirs.
    package let registry: MetricsRegistry
    /// Gives the connector's series the label of its tunnel.
    private let own: MetricsRegistry
    private let requests: RequestMetrics
    /// To be told of logins, sessions and links.
    package let sessions: SessionMetrics
    private let dialsSucceeded: Counter
    private let dialsFailed: Counter

    /// - Parameters:
    ///   - version: Of this program, for `culvert_build_info`.
    ///   - registry: Gets the series, those of the process too; once, though connectors share it.
    ///   - tunnel: The value of the label `tunnel`, in a process that has several; nil is without it.
    package init(
        version: String,
        registry: MetricsRegistry = MetricsRegistry(),
        tunnel: String? = nil
    ) {
        self.registry = registry
        let own = tunnel.map { registry.labelled(["tunnel": $0]) } ?? registry
        self.own = own
        self.requests = RequestMetrics(own, prefix: "culvert_connector")
        self.sessions = SessionMetrics(own, prefix: "culvert_connector")
        func dials(_ result: String) -> Counter {
            own.counter(
                "culvert_connector_dials_total",
                help: "Attempts to reach the edge, by whether they ended in a login.",
                labels: ["result": result]
            )
        }
        self.dialsSucceeded = dials("success")
        self.dialsFailed = dials("failure")
        registry.gauge(
            "culvert_build_info",
            help: "1, with the version of this program.",
            labels: ["version": version]
        ).set(1)
        ProcessMetrics.register(in: registry)
    }

    /// An attempt to reach the edge is over: with a login, or without.
    package func dialEnded(isLoggedIn: Bool) {
        (isLoggedIn ? self.dialsSucceeded : self.dialsFailed).increment()
    }

    /// Counts an exchange with an origin at its end: see `RequestMetrics`.
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

    /// Adds what is read at each scrape, on any thread: links that are up and logged in, and hostnames
    /// whose origins fail their health checks.
    package func observe(
        readyConnections: @escaping @Sendable () -> Int,
        unhealthyHostnames: @escaping @Sendable () -> Int
    ) {
        self.own.gauge(
            "culvert_connector_ready_connections",
            help: "Links to the edge that are up and logged in.",
            reading: { Double(readyConnections()) }
        )
        self.own.gauge(
            "culvert_connector_unhealthy_hostnames",
            help: "Hostnames of ingress rules whose origins fail their health checks.",
            reading: { Double(unhealthyHostnames()) }
        )
    }
}
