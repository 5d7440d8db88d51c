/// Writes metrics in Prometheus' text exposition format 0.0.4.
struct MetricsText {
    private(set) var text = ""

    /// Writes nothing for a family that has no series now.
    mutating func append(_ family: MetricFamily) {
        let samples = family.samples
        guard !family.series.isEmpty || !samples.isEmpty else { return }
        self.appendHeader(of: family)
        for (labels, source) in family.series {
            switch source {
            case .counter(let counter):
                self.append(family.name, labels, "\(counter.value)")
            case .gauge(let gauge):
                self.append(family.name, labels, "\(gauge.value)")
            case .reading(let reading):
                self.append(family.name, labels, Self.number(reading()))
            case .histogram(let histogram):
                self.append(family.name, labels, histogram.snapshot)
            }
        }
        for sample in samples {
            self.append(family.name, sample.labels, Self.number(sample.value))
        }
    }

    private mutating func appendHeader(of family: MetricFamily) {
        self.text += "# HELP \(family.name) "
        for scalar in family.help.unicodeScalars {
            switch scalar {
            case "\\": self.text += "\\\\"
            case "\n": self.text += "\\n"
            default: self.text.unicodeScalars.append(scalar)
            }
        }
        self.text += "\n# TYPE \(family.name) \(family.kind.rawValue)\n"
    }

    private mutating func append(_ name: String, _ labels: MetricLabels, _ value: String) {
        self.text += name
        if !labels.text.isEmpty { self.text += "{\(labels.text)}" }
        self.text += " \(value)\n"
    }

    private mutating func append(
        _ name: String,
        _ labels: MetricLabels,
        _ snapshot: DurationHistogram.Snapshot
    ) {
        let prefix = labels.text.isEmpty ? "" : labels.text + ","
        for (bound, count) in zip(DurationHistogram.boundTexts, snapshot.cumulative) {
            self.text += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(count)\n"
        }
        let seconds = Double(snapshot.sumNanoseconds) / 1e9
        self.append("\(name)_sum", labels, Self.number(seconds))
        self.append("\(name)_count", labels, "\(snapshot.cumulative.last ?? 0)")
    }

    /// A value as Go's `ParseFloat` reads it; whole numbers without a point.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
