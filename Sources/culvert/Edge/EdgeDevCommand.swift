import ArgumentParser
import ConfigurationFile
import CulvertConnector
import CulvertControl
import CulvertEdge
import Foundation
import HTTPSemantics
import Logging
import NIOCore

/// `culvert edge dev`: a throw-away edge on loopback.
struct EdgeDevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Run a throw-away edge on this machine, for trying things out.",
        discussion: """
            Serves https://NAME.localhost for whatever `culvert http` connects. It has a certificate \
            authority of its own, good for localhost only, kept in the directory; so are the \
            credentials that connectors on this machine use.
            """
    )

    @Option(help: "Where the authority and the credentials are kept.")
    var dir = DevelopmentDirectory.defaultPath

    @Option(help: "Where to listen for https and for connectors; port 0 takes a free one.")
    var https = "127.0.0.1:8443"

    @Option(help: "Where to listen for http, which is redirected to https; `off` for nowhere.")
    var http = "127.0.0.1:8080"

    @Option(
        help: "Where `culvert tcp` gets ports, as 127.0.0.1:20000-20099; 0 is any; `off` for none."
    )
    var tcpPorts = "127.0.0.1:0"

    @Option(help: "Where /metrics, /healthz and /readyz are; `off` for nowhere.")
    var metrics = "off"

    @Flag(help: "Log a line for each request.")
    var accessLog = false

    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        let signals = await Service.trapSignals()
        let logger = self.logging.logger()
        let directory = DevelopmentDirectory(path: self.dir)
        let authority: DevelopmentAuthority
        do {
            authority = try DevelopmentAuthority(directory: directory.path)
        } catch {
            throw Failure("\(error)")
        }
        let credentials = try directory.credentials()
        var configuration = try self.configuration(authority, credentials)
        if let words = configuration.limits.fit(openFiles: OpenFileLimit.raise()) {
            logger.notice("\(words)")
        }
        let edge = try await startEdge(
            configuration,
            issued: authority.issuedCertificates(logger: logger),
            logger: logger
        )
        let port = edge.addresses.https.port ?? 0
        try directory.writeConnectorFile(port: port, address: self.https)
        print(
            """
            Edge for development: https://NAME.localhost:\(port)
              connect something:  culvert http 3000\(directory.option)
              its authority:      \(authority.authorityPath)
              trust it in curl:   curl --cacert \(authority.authorityPath) https://…
              http redirects:     \(edge.addresses.http.map { "port \($0.port ?? 0)" } ?? "off")
            """
        )
        flushStandardOutput()
        try await Service.run(
            until: signals,
            serve: { await edge.maintain() },
            drain: { await edge.drain() }
        )
    }

    private func configuration(
        _ authority: DevelopmentAuthority,
        _ credentials: Credentials
    ) throws -> EdgeConfiguration {
        var configuration = EdgeConfiguration(connect: try NormalizedHost("connect.localhost"))
        configuration.domain = try NormalizedHost("localhost")
        do {
            configuration.listen.https = try HostPort(self.https)
            configuration.listen.http = self.http == "off" ? nil : try HostPort(self.http)
            configuration.listen.metrics = self.metrics == "off" ? nil : try HostPort(self.metrics)
        } catch {
            throw Failure("--https, --http and --metrics take HOST:PORT: \(error.message)", .usage)
        }
        if self.tcpPorts != "off" {
            do {
                configuration.listen.tcpPorts = try TCPPortRange(
                    self.tcpPorts,
                    defaultHost: configuration.listen.https.host
                )
            } catch {
                throw Failure("--tcp-ports: \(error).", .usage)
            }
        }
        configuration.accessLog = self.accessLog
        configuration.certificates = [authority.edgeFiles]
        guard let key = TunnelPublicKey(credentials.publicKey) else {
            throw Failure(
                "The credentials in \(self.dir) are damaged; remove them and start again.",
                .badFile
            )
        }
        configuration.tunnels = [.init(name: "dev", publicKey: key, hostnames: [])]
        return configuration
    }
}

/// What `culvert edge dev` leaves for connectors on the same machine.
struct DevelopmentDirectory {
    static let defaultPath = "~/.culvert/dev"

    let path: String

    init(path: String) {
        self.path =
            path == Self.defaultPath ? Self.usualPath : homeExpanded(path)
    }

    private static var usualPath: String { ConfigurationDirectory.usual.file("dev") }

    /// What to add to other commands so that they use this directory.
    var option: String { self.path == Self.usualPath ? "" : " --dir \(self.path)" }

    /// A connector's configuration, without ingress.
    var connectorFile: String { self.path + "/connector.yml" }

    private var credentialsFile: String { self.path + "/connector.json" }

    /// The connectors' credentials, made when they are missing.
    func credentials() throws -> Credentials {
        do {
            if FileManager.default.fileExists(atPath: self.credentialsFile) {
                return try Credentials(file: self.credentialsFile)
            }
            let credentials = Credentials(newFor: "dev", edge: nil)
            try credentials.write(to: self.credentialsFile)
            return credentials
        } catch {
            throw Failure("\(error)")
        }
    }

    /// Tells connectors where the edge is now.
    func writeConnectorFile(port: Int, address: String) throws {
        let host = (try? HostPort(address))?.host ?? "127.0.0.1"
        let dialled = HostPort(host: host == "0.0.0.0" ? "127.0.0.1" : host, port: port)
        let text = """
            # Written by `culvert edge dev` when it starts.
            tunnel: dev
            credentials-file: connector.json
            edge: connect.localhost:\(port)
            edge-address: \(dialled)
            ca-file: ca.pem

            """
        do {
            try Data(text.utf8).write(
                to: URL(fileURLWithPath: self.connectorFile),
                options: .atomic
            )
        } catch {
            throw Failure("\(self.connectorFile): \(error.localizedDescription)")
        }
    }
}

/// Lines reach a pipe when they are printed, not when a buffer is full.
func flushStandardOutput() { fflush(nil) }

/// The same, at a command's end.
///
/// - Throws: `Failure` when it cannot be written: a token that a full disk has not taken is no success. That
///   nobody reads any more is none.
func finishStandardOutput() throws {
    guard fflush(nil) != 0, errno != EPIPE else { return }
    throw Failure(
        "What there was to print could not be written: \(String(cString: strerror(errno)))."
    )
}
