/// Counts exchanges that are over: in all, by hostname and by error. Any thread.
package final class RequestMetrics: Sendable {
    /// Error codes with a series of their own.
    static let maximumErrors = 64

    private let byClass: [Counter]
    private let duration: DurationHistogram
    private let requestBytes: Counter
    private let responseBytes: Counter
    private let hosts = HostTable()
    private let errors = BoundedTable(limit: maximumErrors) { Counter() }

    /// - Parameters:
    ///   - registry: Gets the series.
    ///   - prefix: Begins their names, such as `culvert_edge`.
    init(_ registry: MetricsRegistry, prefix: String) {
        self.byClass = StatusClass.allCases.map {
            registry.counter(
                "\(prefix)_requests_total",
                help: "Requests that are over, by the first digit of their final status.",
                labels: ["code": $0.label]
            )
        }
        self.duration = registry.histogram(
            "\(prefix)_request_duration_seconds",
            help: "From a request's head to the end of its exchange; without upgraded connections."
        )
        self.requestBytes = registry.counter(
            "\(prefix)_request_body_bytes_total",
            help: "Body bytes of requests, without framing."
        )
        self.responseBytes = registry.counter(
            "\(prefix)_response_body_bytes_total",
            help: "Body bytes of responses, without framing."
        )
        self.registerErrors(in: registry, prefix: prefix)
        self.hosts.register(in: registry, prefix: prefix)
    }

    /// Counts an exchange at its end.
    ///
    /// - Parameters:
    ///   - status: The final status; 0 for none.
    ///   - host: The hostname, normalised, or the wildcard it matched; nil when no tunnel or rule
    ///     has it. Names that a visitor can invent must not come here: a name keeps its place for good.
    ///   - bytesIn: Of the request's body.
    ///   - bytesOut: Of the response's body.
    ///   - nanoseconds: From the request's head to the end.
    ///   - error: A stable code of few; nil when nothing failed.
    package func requestEnded(
        status: Int,
        host: String?,
        bytesIn: Int,
        bytesOut: Int,
        nanoseconds: Int64,
        error: String? = nil
    ) {
        let statusClass = StatusClass(status)
        self.byClass[statusClass.rawValue].increment()
        self.requestBytes.add(bytesIn)
        self.responseBytes.add(bytesOut)
        let host = self.hosts[host]
        host.requests[statusClass.rawValue].increment()
        host.requestBytes.add(bytesIn)
        host.responseBytes.add(bytesOut)
        // An upgraded connection lasts as long as its user likes, which says nothing of speed.
        if status != 101 {
            self.duration.observe(nanoseconds: nanoseconds)
            host.nanoseconds.add(Int(clamping: nanoseconds))
        }
        if let error { self.errors[error].increment() }
    }

    private func registerErrors(in registry: MetricsRegistry, prefix: String) {
        let errors = self.errors
        registry.counters(
            "\(prefix)_request_errors_total",
            help: "Requests that failed, by error code.",
            readings: {
                errors.entries.compactMap { error, counter in
                    guard counter.value > 0 else { return nil }
                    return MetricSample(["error": error], Double(counter.value))
                }
            }
        )
    }
}
