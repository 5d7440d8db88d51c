import ConfigurationFile
import HTTPSemantics

extension VisitorAccess {
    /// Overrides, key by key, what `mapping` has: `basicAuth`, a list of `user:password`, and `cidrAllow`, a
    /// list of addresses and ranges; one of either may stand without a list.
    mutating func read(_ mapping: ConfigurationMapping) {
        mapping.read("basicAuth", into: &self.logins) { value in
            value.each { $0.basicLogin() }
        }
        mapping.read("cidrAllow", into: &self.ranges) { value in
            value.each { $0.addressRange() }
        }
    }
}

extension ConfigurationValue {
    /// All of a list, or of the one thing that stands for it; nil, reported, when one is wrong: half a list
    /// would let in or keep out whom the other half does not.
    fileprivate func each<Element>(_ read: (ConfigurationValue) -> Element?) -> [Element]? {
        guard self.isList else { return read(self).map { [$0] } }
        guard let elements = self.elements() else { return nil }
        let all = elements.compactMap(read)
        return all.count == elements.count ? all : nil
    }

    fileprivate func basicLogin() -> BasicLogin? {
        guard let text = self.string() else { return nil }
        do {
            return try BasicLogin(text)
        } catch {
            self.report("\(error)")
            return nil
        }
    }
}
