import ConfigurationFile
import HTTPSemantics

extension IngressRules {
    /// Reads the `ingress` list; nil when it is empty or has no usable last rule, which is reported.
    ///
    /// `defaults` is what the file's own `originRequest` says, for rules that do not.
    static func read(_ value: ConfigurationValue, defaults: OriginOptions) -> IngressRules? {
        guard let elements = value.elements() else { return nil }
        guard !elements.isEmpty else {
            value.report("has no rules; the last one has to be a catch-all: \(catchAllExample)")
            return nil
        }
        var rules: [IngressRule] = []
        for (index, element) in elements.enumerated() {
            guard let mapping = element.mapping() else { continue }
            let isLast = index == elements.count - 1
            rules.append(Self.readRule(mapping, element, isLast: isLast, defaults: defaults))
        }
        guard rules.count == elements.count, let last = rules.popLast() else { return nil }
        return IngressRules(rules, catchAll: last)
    }

    /// Reads one rule; where it is wrong, which is reported, a 503 stands in.
    private static func readRule(
        _ mapping: ConfigurationMapping,
        _ element: ConfigurationValue,
        isLast: Bool,
        defaults: OriginOptions
    ) -> IngressRule {
        var rule = IngressRule(service: .httpStatus(503), originRequest: defaults)
        let problemCount = mapping.reader.problems.count
        let hostname = mapping.take("hostname")
        let path = mapping.take("path")
        rule.hostname = Self.readHostname(hostname)
        rule.path = Self.readPath(path)
        let service = mapping.require("service", "what the rule sends requests to")
        if let service, let text = service.string() {
            if let kind = OriginService.laterKind(text) {
                // The rules beside it are no worse for it.
                service.notice(
                    "\(kind) services are due in a later version; requests for it are answered 501"
                )
                rule.service = .httpStatus(501)
                rule.serviceText = text
            } else {
                rule.readService(text, service)
            }
        }
        if let overrides = mapping.take("originRequest")?.mapping() {
            rule.originRequest.read(overrides)
        }
        mapping.finish()
        let isWhole = mapping.reader.problems.count == problemCount
        let isCatchAll = rule.hostname == nil && rule.path == nil
        if isLast, !isCatchAll {
            // Only once: a filter that is wrong as well has been reported already.
            (hostname ?? path ?? element).report(
                "the last rule has to take every request, without hostname and path; "
                    + "add one after it: \(catchAllExample)"
            )
        } else if !isLast, isCatchAll, isWhole {
            element.report(
                "takes every request, so the rules after it are never reached; "
                    + "give it a hostname or a path, or make it the last one"
            )
        }
        return rule
    }

    /// nil, as for no hostname, for an empty one and for `*`.
    private static func readHostname(_ value: ConfigurationValue?) -> HostPattern? {
        guard let value, let text = value.string(), !text.isEmpty, text != "*" else { return nil }
        return value.hostPattern()
    }

    private static func readPath(_ value: ConfigurationValue?) -> PathPattern? {
        guard let value, let text = value.string(), !text.isEmpty else { return nil }
        do {
            return try PathPattern(text)
        } catch {
            value.report("\"\(text)\" is not a regular expression: \(error.message)")
            return nil
        }
    }
}

extension IngressRule {
    /// Reads its service; what is wrong is reported at `value`.
    fileprivate mutating func readService(_ text: String, _ value: ConfigurationValue) {
        do {
            self.service = try OriginService(text)
            self.serviceText = text
        } catch {
            value.report(error.message)
        }
    }
}

private let catchAllExample = "`- service: http_status:404`"
