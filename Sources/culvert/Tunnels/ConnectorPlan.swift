import ConfigurationFile
import CulvertConnector
import Foundation

/// What `culvert tunnel run` runs: whose key, which edge, and where requests go.
struct ConnectorPlan {
    private(set) var configuration = ConnectorConfiguration()
    private(set) var options: Connector.Options
    /// What is fine but worth knowing.
    private(set) var notices: [String]
    /// The file whose rules it runs; nil when they are from elsewhere.
    private(set) var rulesFile: String?
    /// Whose key it is. A secret.
    let credentials: Credentials

    /// Looks through what the command line, the environment and the files say; asks no network.
    ///
    /// - Throws: `Failure` with what is missing or wrong.
    init(
        name: String?,
        configFile: ConnectorFileOption,
        source: ConnectorSource,
        url: String?
    ) throws {
        var draft = Draft(name: name, isNamedFile: configFile.config != nil, url: url)
        let token = try source.readToken()
        if let file = configFile.fileIfAny() {
            draft.file = (file, try loadConnectorConfiguration(file))
        } else if name == nil, token == nil, source.credentialsFile == nil {
            // There is nothing to go by; that says where a file would be looked for.
            do {
                _ = try configFile.file()
            } catch let failure as Failure {
                throw Failure("\(failure) Or give a tunnel's token: CULVERT_TOKEN=cvt_….")
            }
        }
        let key = try draft.key(token, credentialsFile: source.credentialsFile)
        var configuration = draft.file?.configuration ?? ConnectorConfiguration()
        if let caFile = source.caFile { configuration.caFile = caFile }
        if let address = source.edgeAddress {
            configuration.edgeAddress = try dialAddress(address)
        }
        self.notices = try draft.route(&configuration)
        self.rulesFile = url == nil && configuration.hasIngress ? draft.file?.path : nil
        let credentials = try key ?? namedCredentials(configuration, file: configFile.file())
        self.credentials = credentials.credentials
        self.options = try connectorOptions(
            configuration,
            credentials.credentials,
            source: credentials.origin
        )
        if !configuration.hasIngress {
            self.options.isManaged = true
            self.options.keptConfiguration = credentials.credentials.tunnelID.map {
                KeptConfiguration(tunnel: $0, in: .state)
            }
        }
        self.configuration = configuration
    }
}

extension ConnectorPlan {
    /// What is known so far.
    private struct Draft {
        let name: String?
        /// Whether the configuration file was named, and not found in one of the usual places.
        let isNamedFile: Bool
        let url: String?
        var file: (path: String, configuration: ConnectorConfiguration)?

        /// The key to log in with; nil when it is the one that the configuration file names.
        mutating func key(
            _ token: (token: TunnelToken, origin: String)?,
            credentialsFile: String?
        ) throws -> (credentials: Credentials, origin: String)? {
            if let token {
                let credentials = token.token.credentials
                try self.settle(on: credentials, of: token.origin)
                return (credentials, token.origin)
            }
            if let credentialsFile {
                let credentials = try Self.read { try Credentials(file: credentialsFile) }
                try self.settle(on: credentials, of: credentialsFile)
                return (credentials, credentialsFile)
            }
            let kept = CredentialsDirectory(.usual)
            guard let tunnel = self.name ?? self.file?.configuration.tunnel else { return nil }
            let namesOther = self.file?.configuration.tunnel.map { $0 != tunnel } ?? false
            if let file, file.configuration.credentialsFile != nil, !namesOther { return nil }
            guard let found = try Self.read({ try kept.find(tunnel) }) else {
                if let file, let other = file.configuration.tunnel, namesOther {
                    throw self.mismatch(file.path, other, tunnel)
                }
                // The file, if there is one, is known to lack `credentials-file`, and says so.
                if self.file != nil { return nil }
                throw Failure(
                    "There are no credentials of a tunnel \(tunnel) in "
                        + "\(ConfigurationDirectory.usual.path): make it with `culvert tunnel create "
                        + "\(tunnel)`, or give a token of it.",
                    .notFound
                )
            }
            try self.settle(on: found.credentials, of: found.file)
            return (found.credentials, found.file)
        }

        /// Drops a configuration file that is for another tunnel, if it is only there by chance.
        private mutating func settle(on credentials: Credentials, of origin: String) throws {
            let names = [credentials.tunnelName, credentials.tunnelID].compactMap { $0 }
            if let name, !names.contains(name) {
                throw Failure("\(origin) is of tunnel \(credentials.tunnelName), not \(name).")
            }
            guard let file, let tunnel = file.configuration.tunnel, !names.contains(tunnel) else {
                return
            }
            guard !self.isNamedFile, self.url != nil else {
                throw self.mismatch(file.path, tunnel, self.name ?? credentials.tunnelName)
            }
            self.file = nil
        }

        /// What `--url` names: as a rule's `service` has it, or as cloudflared's own option, where the scheme
        /// may be left out.
        private static func service(_ url: String) throws -> OriginService {
            if let service = try? OriginService(url) { return service }
            do {
                return try OriginService(legacyURL: url)
            } catch {
                throw Failure("--url: \(error.message)")
            }
        }

        private func mismatch(_ file: String, _ its: String, _ wanted: String) -> Failure {
            let hint =
                self.isNamedFile
                ? "" : " Say --url http://localhost:3000, or name another file with --config."
            return Failure("\(file) is for tunnel \(its), not \(wanted).\(hint)")
        }

        private static func read<Value>(
            _ body: () throws -> Value
        ) throws -> Value {
            do { return try body() } catch { throw Failure("\(error)") }
        }

        /// Applies --url, and gives the notices that are left.
        func route(_ configuration: inout ConnectorConfiguration) throws -> [String] {
            var notices = configuration.notices
            // What it says of no rules is not so: the edge, or --url, has them.
            if !configuration.hasIngress { notices.removeAll { $0.key == "ingress" } }
            guard let url else { return notices.map { "\($0)" } }
            let service = try Self.service(url)
            var texts = notices.map { "\($0)" }
            if configuration.hasIngress, let file {
                texts.append("--url takes the place of the rules of \(file.path)")
            }
            configuration.ingress = IngressRules(
                service: service,
                originRequest: configuration.originRequest
            )
            configuration.hasIngress = true
            return texts
        }
    }
}
