import ConfigurationFile
import CulvertConnector
import Foundation

/// What `culvert tunnel run` runs of one tunnel: whose key, which edge, and where requests go.
struct ConnectorPlan {
    private(set) var configuration = ConnectorConfiguration()
    private(set) var options: Connector.Options
    /// What is fine but worth knowing.
    private(set) var notices: [String]
    /// The file whose rules it runs; nil when they are from elsewhere.
    private(set) var rulesFile: WatchedFile?
    /// Whose key it is. A secret.
    let credentials: Credentials

    /// Looks through what the command line, the environment and the files say; asks no network.
    ///
    /// - Throws: `Failure` with what is missing or wrong.
    init(_ terms: ConnectorTerms) throws {
        // Before what is looked for in files: it is wrong wherever the key is.
        let edgeAddress = try terms.edgeAddress.map(dialAddress)
        var draft = Draft(terms)
        let key = try draft.key()
        var configuration = draft.terms.file?.configuration ?? ConnectorConfiguration()
        if let caFile = terms.caFile { configuration.caFile = caFile }
        if let edgeAddress { configuration.edgeAddress = edgeAddress }
        self.notices = try draft.route(&configuration)
        let file = draft.terms.file?.watched
        self.rulesFile = terms.url == nil && configuration.hasIngress ? file : nil
        let credentials = try key ?? namedCredentials(configuration, file: file?.path ?? "")
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
        private(set) var terms: ConnectorTerms

        init(_ terms: ConnectorTerms) { self.terms = terms }

        /// The key to log in with; nil when it is the one that the configuration file names.
        mutating func key() throws -> (credentials: Credentials, origin: String)? {
            if let (token, origin) = self.terms.token {
                try self.settle(on: token.credentials, of: origin)
                return (token.credentials, origin)
            }
            if let credentialsFile = self.terms.credentialsFile {
                let credentials = try Self.read { try Credentials(file: credentialsFile) }
                try self.settle(on: credentials, of: credentialsFile)
                return (credentials, credentialsFile)
            }
            let kept = CredentialsDirectory(.usual)
            let file = self.terms.file
            guard let tunnel = self.terms.name ?? file?.configuration.tunnel else { return nil }
            let namesOther = file?.configuration.tunnel.map { $0 != tunnel } ?? false
            if let file, file.configuration.credentialsFile != nil, !namesOther { return nil }
            guard let found = try Self.read({ try kept.find(tunnel) }) else {
                if let file, let other = file.configuration.tunnel, namesOther {
                    throw self.mismatch(file.watched.path, other, tunnel)
                }
                // The file, if there is one, is known to lack `credentials-file`, and says so.
                if file != nil, !self.terms.isShared { return nil }
                if let exposed = kept.exposed.first {
                    throw Failure(
                        "There are no credentials of a tunnel \(tunnel) that can be used: \(exposed).",
                        .badFile
                    )
                }
                if let damaged = kept.damaged.first {
                    throw Failure(
                        "There are no credentials of a tunnel \(tunnel) that can be used; a file that may be "
                            + "theirs is damaged: \(damaged). `culvert tunnel token \(tunnel) --cred-file` "
                            + "makes others.",
                        .badFile
                    )
                }
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
            if let name = self.terms.name, !names.contains(name) {
                throw Failure(
                    "\(origin) is of tunnel \(credentials.tunnelName), not \(name).",
                    .usage
                )
            }
            guard let file = self.terms.file, let tunnel = file.configuration.tunnel,
                !names.contains(tunnel)
            else { return }
            guard !self.terms.isNamedFile, self.terms.url != nil else {
                throw self.mismatch(
                    file.watched.path,
                    tunnel,
                    self.terms.name ?? credentials.tunnelName
                )
            }
            self.terms.file = nil
        }

        /// What `--url` names: as a rule's `service` has it, or as cloudflared's own option, where the scheme
        /// may be left out.
        private static func service(_ url: String) throws -> OriginService {
            if let service = try? OriginService(url) { return service }
            do {
                return try OriginService(legacyURL: url)
            } catch {
                throw Failure("--url: \(error.message)", .usage)
            }
        }

        private func mismatch(_ file: String, _ its: String, _ wanted: String) -> Failure {
            let hint =
                self.terms.isNamedFile
                ? "" : " Say --url http://localhost:3000, or name another file with --config."
            return Failure("\(file) is for tunnel \(its), not \(wanted).\(hint)", .usage)
        }

        private static func read<Value>(
            _ body: () throws -> Value
        ) throws -> Value {
            do { return try body() } catch { throw Failure("\(error)", .badFile) }
        }

        /// Applies --url, and gives the notices that are left.
        func route(_ configuration: inout ConnectorConfiguration) throws -> [String] {
            var notices = configuration.notices
            // What it says of no rules is not so: the edge, or --url, has them.
            if !configuration.hasIngress { notices.removeAll { $0.key == "ingress" } }
            guard let url = self.terms.url else { return notices.map { "\($0)" } }
            let service = try Self.service(url)
            var texts = notices.map { "\($0)" }
            if configuration.hasIngress, let file = self.terms.file {
                texts.append("--url takes the place of the rules of \(file.watched.path)")
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
