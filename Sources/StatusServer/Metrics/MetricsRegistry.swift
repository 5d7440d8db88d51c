internal import Synchronization

/// The metrics of a process: series are registered once and counted on any thread without a lock.
///
/// Names and labels are fixed by the program, at registration; one that is malformed, or the same
/// series with another type, is a bug and stops the program there. Registering a series again gives the
/// one that exists. Any thread.
package final class MetricsRegistry: Sendable {
    private let families: MetricFamilies
    /// Before the labels of every series that is registered here.
    private let ownLabels: MetricLabels

    /// A registry without series.
    package convenience init() { self.init(MetricFamilies(), .none) }

    private init(_ families: MetricFamilies, _ ownLabels: MetricLabels) {
        self.families = families
        self.ownLabels = ownLabels
    }

    /// The same series, of which those that are registered with what this gives have `labels` besides: for
    /// several of a kind in one process. Their own labels may not have the same names.
    package func labelled(_ labels: MetricLabels) -> MetricsRegistry {
        MetricsRegistry(self.families, self.ownLabels.with(labels))
    }

    /// - Parameters:
    ///   - name: Ends in `_total`, with the unit before it.
    ///   - help: One sentence, for people.
    ///   - labels: Of this series.
    /// - Returns: The series' counter.
    package func counter(
        _ name: String,
        help: String,
        labels: MetricLabels = .none
    ) -> Counter {
        let source = self.register(name, help, .counter, labels, .counter(Counter()))
        guard case .counter(let counter) = source else { preconditionFailure(name) }
        return counter
    }

    /// A gauge for the caller to set; one that is read at scrapes cannot be had here: asking
    /// for it stops the program.
    package func gauge(_ name: String, help: String, labels: MetricLabels = .none) -> Gauge {
        let source = self.register(name, help, .gauge, labels, .gauge(Gauge()))
        guard case .gauge(let gauge) = source else { preconditionFailure(name) }
        return gauge
    }

    /// A histogram of durations; the name ends in `_seconds`.
    package func histogram(
        _ name: String,
        help: String,
        labels: MetricLabels = .none
    ) -> DurationHistogram {
        let source = self.register(name, help, .histogram, labels, .histogram(DurationHistogram()))
        guard case .histogram(let histogram) = source else { preconditionFailure(name) }
        return histogram
    }

    /// A gauge that is read at each scrape: on any thread, several at once.
    package func gauge(
        _ name: String,
        help: String,
        labels: MetricLabels = .none,
        reading: @escaping @Sendable () -> Double
    ) {
        _ = self.register(name, help, .gauge, labels, .reading(reading))
    }

    /// A counter that is kept elsewhere and read at each scrape, as with gauges.
    package func counter(
        _ name: String,
        help: String,
        labels: MetricLabels = .none,
        reading: @escaping @Sendable () -> Double
    ) {
        _ = self.register(name, help, .counter, labels, .reading(reading))
    }

    /// Gauges that come and go: read at each scrape; the labels must be unique. Replaces an earlier
    /// reading of the same name, if it was not registered with other labels of ``labelled(_:)``.
    package func gauges(
        _ name: String,
        help: String,
        readings: @escaping @Sendable () -> [MetricSample]
    ) {
        self.register(name, help, .gauge, readings: readings)
    }

    /// Counters that come, kept elsewhere, as with gauges.
    package func counters(
        _ name: String,
        help: String,
        readings: @escaping @Sendable () -> [MetricSample]
    ) {
        self.register(name, help, .counter, readings: readings)
    }

    private func register(
        _ name: String,
        _ help: String,
        _ kind: MetricFamily.Kind,
        _ labels: MetricLabels,
        _ source: MetricFamily.Source
    ) -> MetricFamily.Source {
        let labels = self.ownLabels.with(labels)
        return self.withFamily(name, help, kind) { family in
            if let existing = family.series.first(where: { $0.labels == labels }) {
                return existing.source
            }
            family.series.append((labels, source))
            return source
        }
    }

    private func register(
        _ name: String,
        _ help: String,
        _ kind: MetricFamily.Kind,
        readings: @escaping @Sendable () -> [MetricSample]
    ) {
        let own = self.ownLabels
        self.withFamily(name, help, kind) { family in
            family.readings.removeAll { $0.labels == own }
            family.readings.append((own, readings))
        }
    }

    private func withFamily<Result: Sendable>(
        _ name: String,
        _ help: String,
        _ kind: MetricFamily.Kind,
        _ body: (inout MetricFamily) -> Result
    ) -> Result {
        precondition(MetricName.isValid(name), "metric name \(name)")
        return self.families.byName.withLock { families in
            var family = families[name] ?? MetricFamily(name: name, help: help, kind: kind)
            precondition(family.kind == kind, "\(name) is a \(family.kind.rawValue)")
            defer { families[name] = family }
            return body(&family)
        }
    }

    /// Everything in Prometheus' text format 0.0.4, families by name. Readings are taken outside the
    /// registry's lock.
    package func render() -> String {
        let families = self.families.byName.withLock { Array($0.values) }
        var text = MetricsText()
        for family in families.sorted(by: { $0.name < $1.name }) { text.append(family) }
        return text.text
    }
}

/// The families that a registry shares with those it labels.
private final class MetricFamilies: Sendable {
    let byName = Mutex<[String: MetricFamily]>([:])
}
