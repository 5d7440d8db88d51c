package import ConfigurationFile

/// What a connector does: cloudflared's `config.yml`, with the edge to dial.
package struct ConnectorConfiguration: Sendable, Equatable {
    /// cloudflared's levels of logging; `fatal` shows errors too.
    package enum LogLevel: String, Sendable, CaseIterable {
        case debug, info, warn, error, fatal
    }

    /// The tunnel's name or id; nil when the command line has to say it.
    package var tunnel: String?
    /// The file with the tunnel's key; nil when the command line has to say it.
    package var credentialsFile: String?
    /// The edge's name and port, which its certificate has to have; nil when the credentials say it.
    package var edge: HostPort?
    /// Where the edge is dialled instead of where its name leads.
    package var edgeAddress: HostPort?
    /// CA certificates trusted beside the system's for the edge.
    package var caFile: String?
    /// Where `/metrics` and `/ready` are; nil is nowhere.
    package var metrics: HostPort?
    /// `info` by default.
    package var logLevel = LogLevel.info
    /// How long requests may go on after the first signal; 30 s.
    package var gracePeriod: Duration = .seconds(30)
    /// How origins are spoken to where a rule does not say; already part of every rule.
    package var originRequest = OriginOptions()
    /// Whether the file says where requests go; if not, the edge may.
    package var hasIngress = false
    /// Where requests go.
    package var ingress = IngressRules(service: .httpStatus(503))
    /// What the file has that is fine but means nothing here.
    package var notices: [ConfigurationProblem] = []

    /// The keys in which this differs from `other`, apart from `ingress` and `originRequest`, which change
    /// while a connector runs.
    package func keysThatDiffer(from other: ConnectorConfiguration) -> [String] {
        let comparisons: [(String, Bool)] = [
            ("tunnel", self.tunnel == other.tunnel),
            ("credentials-file", self.credentialsFile == other.credentialsFile),
            ("edge", self.edge == other.edge),
            ("edge-address", self.edgeAddress == other.edgeAddress),
            ("ca-file", self.caFile == other.caFile), ("metrics", self.metrics == other.metrics),
            ("loglevel", self.logLevel == other.logLevel),
            ("grace-period", self.gracePeriod == other.gracePeriod),
        ]
        return comparisons.filter { !$0.1 }.map(\.0)
    }

    /// Every key at its default, and no rules: requests are answered 503.
    package init() {}

    /// Where a configuration is looked for when nobody names one; `~` is for the caller to replace.
    package static let usualFiles = [
        "~/.culvert/config.yml", "~/.culvert/config.yaml", "/etc/culvert/config.yml",
        "/etc/culvert/config.yaml", "~/.cloudflared/config.yml", "~/.cloudflared/config.yaml",
        "/etc/cloudflared/config.yml", "/etc/cloudflared/config.yaml",
    ]
}

extension ConnectorConfiguration {
    /// Reads a configuration file, and looks into the certificate files that it names unless they are to be
    /// used on another machine.
    ///
    /// - Throws: everything that is wrong with it.
    package static func load(
        file: String,
        isForHere: Bool = true
    ) throws(ConfigurationProblems) -> Self {
        let text = try ConfigurationReader.text(ofFile: file)
        let reader = ConfigurationReader(file: file, looksIntoFiles: isForHere)
        return try self.parse(text, reader: reader)
    }

    /// Reads a configuration's text with a fresh reader, for the file the text is from.
    ///
    /// - Throws: everything that is wrong with it.
    package static func parse(
        _ text: String,
        reader: ConfigurationReader
    ) throws(ConfigurationProblems) -> Self {
        let root = reader.root(of: text)
        var configuration = ConnectorConfiguration()
        configuration.readTop(root)
        if let mapping = root.take("originRequest")?.mapping() {
            configuration.originRequest.read(mapping)
        }
        configuration.readIngress(root)
        root.ignore(CloudflaredKeys.ignored)
        root.finish()
        try reader.finish()
        configuration.notices = reader.notices
        return configuration
    }

    private mutating func readTop(_ root: ConfigurationMapping) {
        root.read("tunnel", into: &self.tunnel) { $0.name() }
        root.read("credentials-file", into: &self.credentialsFile) { $0.filePath() }
        if self.credentialsFile == nil {
            root.read("cred-file", into: &self.credentialsFile) { $0.filePath() }
        }
        root.read("edge", into: &self.edge) { $0.dialAddress(defaultPort: 443) }
        root.read("edge-address", into: &self.edgeAddress) { $0.dialAddress(defaultPort: 443) }
        root.read("ca-file", into: &self.caFile) { $0.authorityFile() }
        root.read("metrics", into: &self.metrics) { $0.hostPort() }
        root.read("loglevel", into: &self.logLevel) { $0.choice() }
        root.read("grace-period", into: &self.gracePeriod) { $0.duration() }
        root.take("token")?.report(
            "a token is a secret, and this file is read by others: use --token-file, or "
                + "`credentials-file`"
        )
    }

    /// `ingress`, or one of the keys that name a single service, in cloudflared's order.
    private mutating func readIngress(_ root: ConfigurationMapping) {
        let rules = root.take("ingress")
        let legacy = LegacyService(root)
        if let rules {
            legacy.dismiss()
            self.hasIngress = true
            if let ingress = IngressRules.read(rules, defaults: self.originRequest) {
                self.ingress = ingress
            }
        } else if let service = legacy.service() {
            self.hasIngress = true
            legacy.read(into: &self.originRequest)
            self.ingress = IngressRules(service: service, originRequest: self.originRequest)
        } else {
            let message = "no rules here: the edge says where requests go, if it knows"
            root.reader.notice(root.place, "ingress", message)
        }
    }
}

extension ConfigurationValue {
    /// `host:port` to connect to: a host has to be named, and port 0 is none.
    fileprivate func dialAddress(defaultPort: Int) -> HostPort? {
        guard let address = self.hostPort(defaultPort: defaultPort) else { return nil }
        guard !address.host.isEmpty, address.port != 0 else {
            self.report("needs a host and a port other than 0, found \"\(address)\"")
            return nil
        }
        return address
    }
}
