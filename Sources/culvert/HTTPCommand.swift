import ArgumentParser
import ConfigurationFile
import CulvertConnector
import Foundation
import HTTPSemantics
import Logging
import TunnelWire

/// `culvert http`: one origin, one hostname, at once.
struct HTTPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http",
        abstract: "Make a local web service reachable through an edge, at once.",
        discussion: """
            Prints the public URL, alone on a line, once visitors can reach it, and stays up until \
            Ctrl-C. It uses the edge that you are logged in to, over a tunnel of this machine's own, \
            http-MACHINE; with --dir, or without a login, the edge that `culvert edge dev` runs here.

            Examples:
              culvert http 3000
              culvert http localhost:3000 --hostname shop
              culvert http https://10.0.0.5:8443
              culvert http unix:/run/app.sock
              culvert http 3000 --basic-auth ann:correct-horse --cidr-allow 203.0.113.0/24
            """
    )

    @Argument(help: "3000, HOST:PORT, http(s)://HOST[:PORT], or unix:/PATH.")
    var origin: String

    @Option(help: "The name to be reached by; a random one when not given.")
    var hostname: String?

    @Option(
        help: ArgumentHelp(
            "Ask visitors for a name and password (may be repeated). $CULVERT_BASIC_AUTH keeps it out of ps.",
            valueName: "user:password"
        )
    )
    var basicAuth: [String] = []

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

    func run() async throws {
        let service = try self.service()
        let access = try self.access()
        LoggingSystem.bootstrap { [level] label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let (configuration, found) = try await self.edge()
        var options = found
        var originRequest = configuration.originRequest
        originRequest.access = access
        options.rules = IngressRules(service: service, originRequest: originRequest)
        options.hostnames = [self.hostname ?? RandomName.make()]
        let announcer = Announcer(origin: "\(service)")
        let showsRequests = isatty(STDERR_FILENO) == 1
        try await runConnector(
            options,
            configuration: configuration,
            logger: Logger(label: "culvert"),
            onState: { announcer.tell($0) },
            onRecord: { if showsRequests { RequestLine.show($0) } }
        )
    }

    /// How to connect: to the development edge of --dir, the edge that one is logged in to, or the usual
    /// development edge, whichever comes first.
    private func edge() async throws -> (ConnectorConfiguration, Connector.Options) {
        if self.dir == nil, let session = try LoggedIn.ifAny() {
            let credentials = try await session.machineCredentials()
            let configuration = ConnectorConfiguration()
            let file = session.directory.path
            return (configuration, try connectorOptions(configuration, credentials, source: file))
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
                """
            )
        }
        let configuration = try loadConnectorConfiguration(file)
        let (credentials, origin) = try namedCredentials(configuration, file: file)
        return (configuration, try connectorOptions(configuration, credentials, source: origin))
    }

    /// Who may visit.
    ///
    /// - Throws: `Failure`, which does not repeat a password.
    private func access() throws -> VisitorAccess {
        var access = VisitorAccess()
        var sources = self.basicAuth.map { ("--basic-auth", $0) }
        if let text = ProcessInfo.processInfo.environment["CULVERT_BASIC_AUTH"], !text.isEmpty {
            sources.append(("CULVERT_BASIC_AUTH", text))
        }
        for (source, text) in sources {
            do {
                access.logins.append(try BasicLogin(text))
            } catch {
                throw Failure("\(source) \(error).")
            }
        }
        for text in self.cidrAllow {
            do {
                access.ranges.append(try AddressRange(text))
            } catch {
                throw Failure("--cidr-allow: \(error).")
            }
        }
        return access
    }

    /// The origin as people write it.
    private func service() throws -> OriginService {
        let text =
            Int(self.origin) != nil
            ? "http://localhost:\(self.origin)"
            : self.origin.contains(":/") || self.origin == "hello_world"
                ? self.origin : "http://\(self.origin)"
        do {
            return try OriginService(text)
        } catch {
            throw Failure("ORIGIN \(self.origin): \(error.message)")
        }
    }
}

/// Prints the public URL once, and what stands in the way of it.
final class Announcer: Sendable {
    private let origin: String
    private let seen = Announcements()

    init(origin: String) { self.origin = origin }

    func tell(_ state: ConnectorState) {
        switch state {
        case .connected(let welcome):
            for url in welcome.attributes.values("url") where self.seen.insert(url) {
                print(url)
                flushStandardOutput()
                note("forwarding to \(self.origin); Ctrl-C ends it")
            }
        case .connecting(let failure):
            if let failure, self.seen.noteFailure() {
                note("no connection to the edge: \(failure); trying on")
            }
        case .refused: break
        }
    }
}

/// Writes a line for a person, beside what scripts read.
func note(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}

/// A line for each request, for a person to watch.
enum RequestLine {
    static func show(_ record: ExchangeRecord) {
        let status = record.status.map(String.init) ?? "---"
        let milliseconds = record.durationNanoseconds / 1_000_000
        let failure = record.failure.map { "  \($0)" } ?? ""
        let path = record.path.unicodeScalars.map { $0.isASCII ? String($0) : "?" }.joined()
        note("\(status)  \(record.method) \(path)  \(milliseconds) ms\(failure)")
    }
}
