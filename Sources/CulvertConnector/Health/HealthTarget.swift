import ConfigurationFile
import HTTPSemantics

/// An origin that is checked once for all rules that send requests there in the same way.
struct HealthTarget: Hashable {
    let service: OriginService
    let options: OriginOptions
    let check: HealthCheckOptions
    /// The authority of the requests: a rule's hostname where that is a name, else the service's own.
    let authority: String

    /// What a rule has to be checked; nil when it asks for no check.
    init?(_ rule: IngressRule) {
        guard let check = rule.originRequest.healthCheck, rule.service.isCheckable else {
            return nil
        }
        self.service = rule.service
        self.options = rule.originRequest
        self.check = check
        if case .exact(let host)? = rule.hostname?.kind {
            self.authority = host.name
        } else {
            self.authority = rule.service.authority
        }
    }
}

extension OriginService {
    /// Whether there is one place that can be asked whether it is well.
    var isCheckable: Bool {
        switch self {
        case .http, .https, .unix, .unixTLS, .tcp: true
        case .httpStatus, .helloWorld, .bastion, .socksProxy: false
        }
    }

    /// What stands for a host where a request has none of its own.
    fileprivate var authority: String {
        switch self {
        case .http(let host, let port), .https(let host, let port), .tcp(_, let host, let port):
            HostPort(host: host, port: port).description
        case .unix, .unixTLS, .httpStatus, .helloWorld, .bastion, .socksProxy: "localhost"
        }
    }
}
