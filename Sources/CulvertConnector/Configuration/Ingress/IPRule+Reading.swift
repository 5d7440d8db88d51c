import ConfigurationFile
import HTTPSemantics

extension ConfigurationValue {
    /// `ipRules`: a list of `{prefix, ports, allow}`; what is wrong is reported, and nil then.
    func ipRules() -> [IPRule]? {
        guard let elements = self.elements() else { return nil }
        let rules = elements.compactMap { $0.ipRule() }
        // Half a list could allow what the other half denies.
        return rules.count == elements.count ? rules : nil
    }

    private func ipRule() -> IPRule? {
        guard let mapping = self.mapping() else { return nil }
        let problems = mapping.reader.problems.count
        let prefix = mapping.require("prefix", "the addresses it is about, such as 10.0.0.0/8")?
            .addressRange()
        let ports = mapping.take("ports")?.elements()?.compactMap { $0.int(1...65_535) }
        let allow = mapping.take("allow")?.bool()
        mapping.finish()
        guard let prefix, mapping.reader.problems.count == problems else { return nil }
        return IPRule(prefix: prefix, ports: ports ?? [], allow: allow ?? false)
    }

    /// A range; bits behind the prefix do not count, as in cloudflared, but are worth a word.
    func addressRange() -> AddressRange? {
        guard let text = self.string() else { return nil }
        do {
            return try AddressRange(text)
        } catch .hostBitsSet(_, let network) {
            self.notice("\"\(text)\" is read as \(network)")
            return try? AddressRange(network)
        } catch {
            self.report("\(error)")
            return nil
        }
    }

    /// `proxyType`: empty or `socks`.
    func proxyType() -> OriginOptions.ProxyType? {
        guard let text = self.string() else { return nil }
        if let type = OriginOptions.ProxyType(rawValue: text) { return type }
        self.report("expected socks, or nothing, found \"\(text)\"")
        return nil
    }
}
