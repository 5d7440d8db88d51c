package import CulvertControl
package import HTTPSemantics

/// What a ``ControlServer`` knows of the edge around it.
package struct ControlSettings: Sendable {
    /// This program and its version, as `culvert/1.0`.
    package var agent: String
    /// The names that belong to the edge itself.
    package var connect: NormalizedHost
    package var control: NormalizedHost
    /// Names below it are given to whoever asks; nil for none.
    package var domain: NormalizedHost?
    /// Hostnames that the configuration file gives away; called for each decision.
    package var declared: @Sendable () -> [HostPattern]
    /// The port of all public URLs; called when one is made.
    package var port: @Sendable () -> Int
    /// Whether the edge has a certificate for a host, now.
    package var isCertified: @Sendable (String) -> Bool

    package init(
        agent: String,
        connect: NormalizedHost,
        control: NormalizedHost,
        domain: NormalizedHost?,
        declared: @escaping @Sendable () -> [HostPattern],
        port: @escaping @Sendable () -> Int,
        isCertified: @escaping @Sendable (String) -> Bool = { _ in true }
    ) {
        self.agent = agent
        self.connect = connect
        self.control = control
        self.domain = domain
        self.declared = declared
        self.port = port
        self.isCertified = isCertified
    }

    /// Who may do what, as things are now.
    package var policy: ControlPolicy {
        ControlPolicy(
            reserved: [self.connect, self.control],
            declared: self.declared(),
            shared: self.domain.map { [$0] } ?? []
        )
    }

    /// Whether visitors of a hostname get a certificate for it; of a wildcard, those of a name with one label more.
    func isCertified(_ pattern: HostPattern) -> Bool {
        switch pattern.kind {
        case .any: true
        case .exact(let host): self.isCertified(host.name)
        case .suffix(let host): self.isCertified("name.\(host.name)")
        }
    }

    /// Where visitors reach a host.
    package func url(of host: String) -> String {
        let port = self.port()
        return port == 443 ? "https://\(host)" : "https://\(host):\(port)"
    }

    /// Where people and commands reach the control host.
    var controlURL: String { self.url(of: self.control.name) }

    /// Where connectors dial, `HOST:PORT`.
    var connectAddress: String { "\(self.connect.name):\(self.port())" }
}
