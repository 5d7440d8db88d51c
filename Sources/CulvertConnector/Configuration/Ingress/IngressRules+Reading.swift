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
        let overrides = mapping.take("originRequest")?.mapping()
        if let overrides { rule.originRequest.read(overrides) }
        rule.readService(mapping)
        if let overrides { rule.checkRules(overrides) }
        rule.dropHealthCheck(overrides)
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
    /// Reads its service; what is wrong is reported.
    fileprivate mutating func readService(_ mapping: ConfigurationMapping) {
        let isBastion = self.originRequest.bastionMode
        // A bastion asks for no service, as in cloudflared.
        let value =
            isBastion
            ? mapping.take("service")
            : mapping.require("service", "what the rule sends requests to")
        guard let value else {
            if isBastion { self.become(.bastion) }
            return
        }
        guard let text = value.string() else { return }
        do {
            let service = try OriginService(text)
            self.service = isBastion && service.isDialled ? .bastion : service
            self.serviceText = text
        } catch {
            value.report(error.message)
        }
        if self.service == .socksProxy, self.originRequest.ipRules.isEmpty {
            value.notice(
                "reaches nothing without ipRules; allow what it may reach, as in "
                    + "`ipRules: [{prefix: 10.0.0.0/8, allow: true}]`"
            )
        }
    }

    private mutating func become(_ service: OriginService) {
        self.service = service
        self.serviceText = service.description
    }

    /// A service that is no one place cannot be asked whether it is well; that its own rule says so is worth
    /// a word.
    fileprivate mutating func dropHealthCheck(_ overrides: ConfigurationMapping?) {
        guard self.originRequest.healthCheck != nil, !self.service.isCheckable else { return }
        self.originRequest.healthCheck = nil
        overrides?.take("healthCheck")?.notice(
            "ignored: \(self.serviceText) has no origin of its own that could be checked"
        )
    }

    /// Rules that a service does not heed are worth a word: somebody may rely on them.
    fileprivate func checkRules(_ overrides: ConfigurationMapping) {
        guard self.service != .bastion, self.service != .socksProxy,
            !self.originRequest.ipRules.isEmpty
        else { return }
        overrides.take("ipRules")?.notice(
            "ignored: they bound the bastion and socks-proxy services, and no other"
        )
    }
}

extension OriginService {
    /// Whether it is a URL, in place of which `bastionMode` puts a bastion.
    fileprivate var isDialled: Bool {
        switch self {
        case .http, .https, .tcp: true
        case .unix, .unixTLS, .httpStatus, .helloWorld, .bastion, .socksProxy: false
        }
    }
}

private let catchAllExample = "`- service: http_status:404`"
