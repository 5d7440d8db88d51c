import ConfigurationFile

extension HealthCheckOptions {
    /// More often would be a load, less often no check.
    private static let intervals: ClosedRange<Duration> = .milliseconds(100)...(.seconds(3600))
    private static let thresholds = 1...100

    /// Overrides, key by key, what `mapping` has.
    mutating func read(_ mapping: ConfigurationMapping) {
        mapping.read("path", into: &self.path) { $0.requestTarget() }
        mapping.read("interval", into: &self.interval) { $0.duration(Self.intervals) }
        mapping.read("timeout", into: &self.timeout) { $0.duration(Self.intervals) }
        mapping.read("unhealthyThreshold", into: &self.unhealthyThreshold) {
            $0.int(Self.thresholds)
        }
        mapping.read("healthyThreshold", into: &self.healthyThreshold) { $0.int(Self.thresholds) }
        mapping.read("expectedStatus", into: &self.expectedStatus) { $0.statuses() }
        mapping.finish()
    }
}

extension OriginOptions {
    /// Reads `healthCheck`: `off`, or what differs from the one that holds for all rules.
    mutating func readHealthCheck(_ value: ConfigurationValue?) {
        guard let value else { return }
        guard !value.isWord("off") else {
            self.healthCheck = nil
            return
        }
        guard let mapping = value.mapping() else { return }
        var check = self.healthCheck ?? HealthCheckOptions()
        check.read(mapping)
        self.healthCheck = check
    }
}

extension ConfigurationValue {
    /// A path, with or without a query: visible ASCII.
    fileprivate func requestTarget() -> String? {
        guard let text = self.string() else { return nil }
        guard text.hasPrefix("/"),
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x23 })
        else {
            self.report("expected a path such as /healthz, found \"\(text)\"")
            return nil
        }
        return text
    }

    /// A status, or a range of them: `204`, `200-399`.
    fileprivate func statuses() -> ClosedRange<UInt16>? {
        guard let text = self.string() else { return nil }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = ends.compactMap { UInt16($0) }
        guard (1...2).contains(ends.count), numbers.count == ends.count,
            let lower = numbers.first, let upper = numbers.last, lower <= upper,
            lower >= 200, upper <= 599
        else {
            self.report("expected a status or a range of them from 200 to 599, such as 200-399")
            return nil
        }
        return lower...upper
    }
}
