package import HTTPSemantics

extension ConfigurationValue {
    /// A hostname or a wildcard, `*` alone only where `allowsAny`; what is wrong is reported.
    package func hostPattern(allowsAny: Bool = false) -> HostPattern? {
        guard let text = self.string() else { return nil }
        do {
            return try HostPattern(text, allowsAny: allowsAny)
        } catch {
            self.report(error.description)
            return nil
        }
    }

    /// A hostname, normalised; what is wrong is reported.
    package func hostname() -> NormalizedHost? {
        guard let text = self.string() else { return nil }
        do {
            return try NormalizedHost(text)
        } catch {
            self.report("\"\(text)\": \(error)")
            return nil
        }
    }
}
