/// An answer to the request for a connection that does not open one.
package struct AccessAnswer: Sendable, Equatable {
    /// The hostname that was asked.
    package var hostname: String
    package var status: Int
    /// `Culvert-Error`: the edge's own answer, or the connector's reason.
    package var code: String?
    /// The body's first line, maybe empty.
    package var text = ""
    /// Whether `WWW-Authenticate` asks for a name and a password (RFC 7617).
    package var asksForPassword = false
    /// Whether the request brought some credentials.
    package var hadCredentials = false
    /// Where a bastion was asked to connect to.
    package var destination: String?

    package init(hostname: String, status: Int) {
        self.hostname = hostname
        self.status = status
    }

    /// What it means and what to do, for a person.
    var meaning: String {
        switch self.code {
        case "hostname-unknown": "no tunnel of this edge has the hostname; check its spelling"
        case "no-connector": "no connector for it is online; is `culvert tunnel run` running there?"
        case "no-ingress-rule": "the connector has no rule for it; check its `ingress`"
        case "origin-unreachable": self.unreachable
        case "origin-timeout":
            "the connector is online, but \(self.destination ?? "the service behind it") did not "
                + "accept the connection in time"
        case "connection-lost": "the tunnel was lost meanwhile; try again"
        case "edge-stopping": "the edge is being stopped; try again in a moment"
        default: self.meaningOfStatus
        }
    }

    private var unreachable: String {
        guard let destination else {
            return
                "the connector is online, but the service behind it refused the connection or is "
                + "not there; check the address in its `ingress`"
        }
        return "the connector is online, but \(destination) refused the connection, or there is no "
            + "such name or address where the connector is; check --destination"
    }

    private var meaningOfStatus: String {
        switch self.status {
        case 200..<300:
            return "it is a web site, no TCP service; the connector's rule for it needs a service "
                + "such as ssh://localhost:22"
        case 401 where self.asksForPassword && self.hadCredentials:
            return "it does not take this name and password"
        case 401 where self.asksForPassword:
            return "it wants a name and a password; give them as --hostname "
                + "https://NAME:PASSWORD@\(self.hostname), or as CULVERT_BASIC_AUTH=NAME:PASSWORD in "
                + "the environment"
        case 301, 302, 303, 307, 308, 401:
            return "it asks for a login first; a service token goes with --header"
        default:
            guard self.text.isEmpty else { return self.text }
            return "its rule in the connector's `ingress` leads to no TCP service"
        }
    }
}
