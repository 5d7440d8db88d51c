/// All series of one name.
struct MetricFamily: Sendable {
    enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    /// Where the values of a series, or of several, are.
    enum Source: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(DurationHistogram)
        /// Asked at each scrape.
        case reading(@Sendable () -> Double)
    }

    let name: String
    let help: String
    let kind: Kind
    /// In the order of their registration; labels are unique.
    var series: [(labels: MetricLabels, source: Source)] = []
    /// Series that come and go, after the fixed ones, in the order of their registration; each with the
    /// labels that its samples have besides, which are unique.
    var readings: [(labels: MetricLabels, read: @Sendable () -> [MetricSample])] = []

    /// What comes and goes, as it is now.
    var samples: [MetricSample] {
        self.readings.flatMap { labels, read in
            read().map { MetricSample(labels.with($0.labels), $0.value) }
        }
    }
}

/// One value of a series that is read at a scrape.
package struct MetricSample: Sendable {
    /// Told apart by these from the other samples of its name.
    package var labels: MetricLabels
    /// Whole numbers are written without a point, NaN and infinities as Prometheus has them.
    package var value: Double

    package init(_ labels: MetricLabels, _ value: Double) {
        self.labels = labels
        self.value = value
    }
}
