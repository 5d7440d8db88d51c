internal import Synchronization

/// Statistics by hostname, for a bounded number of them. Any thread.
///
/// Names come and go (`culvert http` takes another one each time): when there are as many as may be, all are
/// forgotten and counted anew, once an hour at most. Who reads them takes that for a restart, as counters that go back
/// to 0 are taken.
final class HostTable: Sendable {
    /// Hostnames with statistics of their own, in the order of their first requests; later ones are
    /// counted together as `other`.
    static let maximum = 1_000
    /// How long they are kept at least.
    static let lifetime = Duration.seconds(3600)
    /// The label of requests whose hostname nobody serves.
    static let unknownName = "unknown"

    /// The statistics of one hostname.
    final class Host: Sendable {
        /// By `StatusClass`.
        let requests = StatusClass.allCases.map { _ in Counter() }
        let requestBytes = Counter()
        let responseBytes = Counter()
        let nanoseconds = Counter()
    }

    private struct Generation {
        let hosts = BoundedTable(limit: maximum) { Host() }
        let since: ContinuousClock.Instant
    }

    private let generation: Mutex<Generation>
    private let unknown = Host()
    private let now: @Sendable () -> ContinuousClock.Instant

    init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.now = now
        self.generation = Mutex(Generation(since: now()))
    }

    /// - Parameter name: nil when nobody serves it.
    /// - Returns: The counters of the host, those of `other`, or of the unknown.
    subscript(name: String?) -> Host {
        guard let name, name != Self.unknownName else { return self.unknown }
        let hosts = self.hosts
        let host = hosts[name]
        guard host === hosts.other else { return host }
        // There was no room for it.
        return self.generation.withLock { generation in
            let now = self.now()
            if now - generation.since >= Self.lifetime { generation = Generation(since: now) }
            return generation.hosts[name]
        }
    }

    private var hosts: BoundedTable<Host> { self.generation.withLock { $0.hosts } }

    /// A series appears with its first count: most hosts never see most of them.
    func register(in registry: MetricsRegistry, prefix: String) {
        registry.counters(
            "\(prefix)_host_requests_total",
            help: "Requests that are over, by hostname and first digit of their final status."
        ) {
            self.entries.flatMap { name, host in
                StatusClass.allCases.compactMap { statusClass in
                    let count = host.requests[statusClass.rawValue].value
                    guard count > 0 else { return nil }
                    return MetricSample(["host": name, "code": statusClass.label], Double(count))
                }
            }
        }
        func register(
            _ name: String,
            _ help: String,
            _ value: @escaping @Sendable (Host) -> Double
        ) {
            registry.counters("\(prefix)_host_\(name)", help: help) {
                self.entries.compactMap { name, host in
                    let value = value(host)
                    return value > 0 ? MetricSample(["host": name], value) : nil
                }
            }
        }
        register("request_body_bytes_total", "Body bytes of requests, by hostname.") {
            Double($0.requestBytes.value)
        }
        register("response_body_bytes_total", "Body bytes of responses, by hostname.") {
            Double($0.responseBytes.value)
        }
        register(
            "request_duration_seconds_total",
            "Time from heads to ends of exchanges, by hostname; without upgraded connections."
        ) {
            Double($0.nanoseconds.value) / 1e9
        }
    }

    private var entries: [(name: String, value: Host)] {
        self.hosts.entries + [(Self.unknownName, self.unknown)]
    }
}
