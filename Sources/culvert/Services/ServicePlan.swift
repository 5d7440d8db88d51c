import ConfigurationFile
import CulvertConnector
import CulvertEdge
import Foundation

/// What is to be installed, looked through before anything is written.
struct ServicePlan {
    let unit: ServiceUnit
    /// What the token's file is to hold; nil for no such file.
    private(set) var token: String?
    /// What is fine but worth knowing, in sentences.
    private(set) var notices: [String] = []

    private var access: ServiceAccess

    /// - Throws: `Failure` with what is missing, or wrong, or out of the service's reach.
    init(_ command: ServiceInstallCommand, _ files: ServiceFiles) throws {
        self.access = ServiceAccess(files)
        let program = try Self.program(command, self.access)
        if program.split(separator: "/").contains(where: { $0.hasPrefix(".build") }) {
            self.notices.append(
                "\(program) is in a build folder: the next build replaces what the service runs."
            )
        }
        var unit: ServiceUnit
        if command.edge {
            unit = try Self.edge(command.edgeFile, program, files, &self.access)
            if unit.socket == nil {
                self.notices.append(
                    "`listen` has a name or port 0, which systemd cannot hold: the edge opens its ports "
                        + "itself, and visitors are refused while it restarts."
                )
            }
        } else {
            let key = try command.source.readToken()
            self.token = key?.token.text
            unit = try Self.connector(command, program, files, &self.access, hasToken: key != nil)
        }
        unit.groups = self.access.groups.sorted()
        guard !unit.command.contains(where: \.hasControlCharacters) else {
            throw Failure("A path or URL with control characters cannot stand in a unit.", .usage)
        }
        self.unit = unit
        if !command.edge, command.url == nil, command.config == nil {
            self.notices.append(
                "Neither --url nor --config: the rules are those of /etc/culvert/config.yml, if it is "
                    + "there, or come from the edge."
            )
        }
    }

    /// The path of the program to run, which a service can see unless it was named.
    private static func program(
        _ command: ServiceInstallCommand,
        _ access: ServiceAccess
    ) throws -> String {
        if let program = command.program { return absolutePath(program) }
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        guard let own else { throw Failure("/proc is not there: say --program PATH.") }
        if let folder = access.hiddenFolder(of: own) {
            throw Failure(
                """
                \(own): a service sees nothing of \(folder). Put the program where it can stay, and run \
                this again with it:
                  install -m 755 \(own) /usr/local/bin/culvert
                """
            )
        }
        return own
    }

    private static func connector(
        _ command: ServiceInstallCommand,
        _ program: String,
        _ files: ServiceFiles,
        _ access: inout ServiceAccess,
        hasToken: Bool
    ) throws -> ServiceUnit {
        var words: [ServiceUnit.Word] = [program, "tunnel", "run"].map { .plain($0) }
        var grace: Duration = .seconds(30)
        var credentials = command.source.credentialsFile.map(absolutePath)
        if let config = command.config.map(absolutePath) {
            let read = try loadConnectorConfiguration(files.here(config), isForHere: files.isHere)
            try access.admit(config)
            let pools = read.ingress.rules.map(\.originRequest.caPool)
            for file in Set(([read.caFile] + pools).compactMap(\.self)).sorted() {
                try access.admit(files.there(file))
            }
            credentials = credentials ?? read.credentialsFile.map(files.there)
            grace = read.gracePeriod
            words += [.plain("--config"), .plain(config)]
        }
        let key = try Self.key(credentials, files, hasToken: hasToken)
        words += key.words
        if let file = command.source.caFile.map(absolutePath) {
            try access.admit(file)
            words += [.plain("--ca-file"), .plain(file)]
        }
        if let address = command.source.edgeAddress {
            _ = try dialAddress(address)
            words += [.plain("--edge-address"), .plain(address)]
        }
        if let url = command.url {
            do {
                _ = try OriginService(legacyURL: url)
            } catch {
                throw Failure("--url: \(error.message)", .usage)
            }
            words += [.plain("--url"), .plain(url)]
        }
        return ServiceUnit(
            name: files.name,
            role: .connector,
            command: words,
            secrets: [key.secret],
            grace: grace
        )
    }

    /// How the service gets its key: as a token, or in a credentials file.
    private static func key(
        _ credentials: String?,
        _ files: ServiceFiles,
        hasToken: Bool
    ) throws -> (secret: (name: String, file: String), words: [ServiceUnit.Word]) {
        if hasToken {
            return (("token", files.tokenFile), [.plain("--token-file"), .secret("token")])
        }
        guard let credentials else {
            throw Failure(
                "Whose tunnel? Give a token, of `culvert tunnel token NAME`, --cred-file FILE, or "
                    + "--config FILE with `credentials-file`.",
                .usage
            )
        }
        guard FileManager.default.isReadableFile(atPath: files.here(credentials)) else {
            throw Failure("\(files.here(credentials)) cannot be read.", .badFile)
        }
        let name = "credentials.json"
        return ((name, credentials), [.plain("--cred-file"), .secret(name)])
    }

    private static func edge(
        _ file: String,
        _ program: String,
        _ files: ServiceFiles,
        _ access: inout ServiceAccess
    ) throws -> ServiceUnit {
        var unit = ServiceUnit(
            name: files.name,
            role: .edge,
            command: [program, "edge", "run", "--config", file].map { .plain($0) }
        )
        let configuration: EdgeConfiguration
        do {
            configuration = try EdgeConfiguration.load(file: files.here(file))
        } catch {
            throw Failure("\(error)", .badFile)
        }
        unit.grace = configuration.gracePeriod
        unit.socket = ServiceSocketUnit(name: files.name, configuration.listen)
        if let store = configuration.store, !store.hasPrefix(unit.stateDirectory + "/") {
            throw Failure(
                """
                \(file): the service can write below \(unit.stateDirectory) only, and the store is \
                \(files.there(store)). Say `store: \(unit.stateDirectory)/edge.db`, or `store: off`.
                """,
                .badFile
            )
        }
        try access.admit(file)
        for pair in configuration.certificates {
            try access.admit(files.there(pair.certificate))
            try access.admit(files.there(pair.key))
        }
        return unit
    }
}
