package import ConfigurationFile
package import HTTPSemantics

/// What an edge does: `edge.yml`.
package struct EdgeConfiguration: Sendable, Equatable {
    /// What `culvert http` makes names under; nil when it may make none.
    package var domain: NormalizedHost?
    /// The name that connectors dial; told from visitors by it alone.
    package var connect: NormalizedHost
    /// The name of the API and of `culvert login`; nil for none. By default `edge.` and the domain.
    package var control: NormalizedHost?
    /// The file of accounts and their tunnels; nil for none. By default `edge.db` beside the file.
    package var store: String?
    /// By default 443 and 80 on every IPv4 address, and 9090 on loopback.
    package var listen = Listen()
    /// At least one when read from a file; the first is for clients that name no host.
    package var certificates: [CertificateFiles] = []
    /// None by default; read from a file, no two share a name, a key or a hostname.
    package var tunnels: [DeclaredTunnel] = []
    /// How long a session outlives its connection; 30 s.
    package var resumeWindow: Duration = .seconds(30)
    /// How long requests may go on after the first signal; 30 s.
    package var gracePeriod: Duration = .seconds(30)
    /// Whose `X-Forwarded-…` fields are believed; nobody's by default.
    package var trustedProxies: [AddressRange] = []
    /// Whether each request is logged; not by default.
    package var accessLog = false
    /// Those the file does not name are at their defaults.
    package var limits = EdgeLimits()
    /// What the file has that is fine but worth knowing.
    package var notices: [ConfigurationProblem] = []

    /// Everything else at its default; without a certificate added the edge does not start.
    package init(connect: NormalizedHost) { self.connect = connect }

    /// The keys in which this differs from `other`, apart from `tunnels`, which change while an edge runs.
    func keysThatDiffer(from other: EdgeConfiguration) -> [String] {
        let comparisons: [(String, Bool)] = [
            ("domain", self.domain == other.domain), ("connect", self.connect == other.connect),
            ("control", self.control == other.control), ("store", self.store == other.store),
            ("listen", self.listen == other.listen),
            ("tls", self.certificates == other.certificates),
            ("resume-window", self.resumeWindow == other.resumeWindow),
            ("grace-period", self.gracePeriod == other.gracePeriod),
            ("trusted-proxies", self.trustedProxies == other.trustedProxies),
            ("access-log", self.accessLog == other.accessLog),
            ("limits", self.limits == other.limits),
        ]
        return comparisons.filter { !$0.1 }.map(\.0)
    }

    /// Where the edge listens.
    package struct Listen: Sendable, Equatable {
        /// Visitors, and connectors by their SNI.
        package var https = HostPort(host: "0.0.0.0", port: 443)
        /// Visitors without TLS; nil is nowhere (`off`).
        package var http: HostPort? = HostPort(host: "0.0.0.0", port: 80)
        /// What those get.
        package var plain = Plain.redirect
        /// `/metrics`, `/healthz`, `/readyz`; nil is nowhere (`off`).
        package var metrics: HostPort? = HostPort(host: "127.0.0.1", port: 9090)

        /// The ports that connectors may have for TCP services; nil is none (`off`).
        package var tcpPorts: TCPPortRange?

        /// Every address at its default.
        package init() {}
    }

    /// What visitors without TLS get.
    package enum Plain: String, Sendable, CaseIterable {
        /// A redirect to the same address over https.
        case redirect
        /// What the others get.
        case serve
    }
}
