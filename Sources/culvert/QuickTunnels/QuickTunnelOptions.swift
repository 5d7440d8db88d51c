import ArgumentParser
import ConfigurationFile
import CulvertConnector
import Foundation
import HTTPSemantics
import Logging

/// What `culvert http` and `culvert tcp` have in common: which edge, who may visit, and running.
struct QuickTunnelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Let in visitors from these addresses only (may be repeated).",
            valueName: "range"
        )
    )
    var cidrAllow: [String] = []

    @Option(
        help: ArgumentHelp(
            "The directory of a development edge; without a login \(DevelopmentDirectory.defaultPath)."
        )
    )
    var dir: String?

    @Option(
        name: .customLong("log-level"),
        help: "trace, debug, info, notice, warning or error."
    )
    var level: Logger.Level = .warning

    /// Where visitors may come from.
    ///
    /// - Throws: `Failure` naming the range that is none.
    func access() throws -> VisitorAccess {
        var access = VisitorAccess()
        for text in self.cidrAllow {
            do {
                access.ranges.append(try AddressRange(text))
            } catch {
                throw Failure("--cidr-allow: \(error).", .usage)
            }
        }
        return access
    }

    /// What visitors are to find the service at.
    enum Place {
        /// A hostname, or one of the command's choice for nil; one that is kept stays the account's.
        case hostname(String?, isKept: Bool)
        /// A TCP port of the edge; 0 for any.
        case tcpPort(Int)
    }

    /// Serves until it is told to stop.
    ///
    /// - Throws: `Failure` when there is no edge, or it will not have this connector, or the name is not to be
    ///   had.
    func run(
        _ service: OriginService,
        access: VisitorAccess,
        at place: Place
    ) async throws {
        LoggingSystem.bootstrap { [level] label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let session = self.dir == nil ? try LoggedIn.ifAny() : nil
        if case .hostname(_, isKept: true) = place, session == nil {
            throw Failure(
                "--keep keeps a name for your account at an edge: log in to one first, with `culvert login "
                    + "https://…`, and leave --dir away.",
                .notLoggedIn
            )
        }
        let (configuration, credentials, source) = try await self.edge(session)
        var options = try connectorOptions(configuration, credentials, source: source)
        var originRequest = configuration.originRequest
        originRequest.access = access
        options.rules = IngressRules(service: service, originRequest: originRequest)
        switch place {
        case .hostname(let asked, let isKept):
            let name = try await session?.hostname(
                asked,
                isKept: isKept,
                for: service,
                credentials
            )
            options.hostnames = [name ?? asked ?? RandomName.make()]
        case .tcpPort(let port):
            try await session?.noteSharing(ofPort: port, credentials)
            options.tcpPorts = [port]
        }
        let announcer = Announcer(origin: "\(service)")
        let showsRequests = isatty(STDERR_FILENO) == 1
        let logger = Logger(label: "culvert")
        let connector = PlannedConnector(
            options: options,
            logger: logger,
            onState: { announcer.tell($0) },
            onRecord: { if showsRequests { RequestLine.show($0) } }
        )
        try await runConnectors(
            [connector],
            metrics: configuration.metrics,
            grace: configuration.gracePeriod,
            logger: logger
        )
    }

    /// How to connect: to the development edge of --dir, the edge that one is logged in to, or the usual
    /// development edge, whichever comes first.
    ///
    /// - Returns: the settings, the key, and where that is from.
    private func edge(
        _ session: LoggedIn?
    ) async throws -> (ConnectorConfiguration, Credentials, String) {
        if let session {
            let credentials = try await session.machineCredentials()
            return (ConnectorConfiguration(), credentials, session.directory.path)
        }
        let directory = DevelopmentDirectory(path: self.dir ?? DevelopmentDirectory.defaultPath)
        let file = directory.connectorFile
        guard FileManager.default.fileExists(atPath: file) else {
            let other =
                self.dir == nil ? ",\nor log in to one with `culvert login https://…`," : ","
            throw Failure(
                """
                There is no edge: \(file) is missing.
                Start one with `culvert edge dev\(directory.option)`\(other) then try again.
                """,
                self.dir == nil ? .notLoggedIn : .failed
            )
        }
        let configuration = try loadConnectorConfiguration(file)
        let (credentials, origin) = try namedCredentials(configuration, file: file)
        return (configuration, credentials, origin)
    }
}
