import ConfigurationFile
import ControlAPI
import ControlClient
import CulvertConnector
import Foundation

extension ConfigurationDirectory {
    /// The one of this process: `$CULVERT_HOME`, or `~/.culvert`.
    static let usual = ConfigurationDirectory(environment: ProcessInfo.processInfo.environment)

    /// Where this process may keep what it can do without: as a service its own directory
    /// (`$STATE_DIRECTORY`, see systemd.exec(5)), else the usual one.
    static let state: ConfigurationDirectory = {
        let own = ProcessInfo.processInfo.environment["STATE_DIRECTORY"] ?? ""
        // Several are separated by colons.
        return own.split(separator: ":").first.map { ConfigurationDirectory(path: String($0)) }
            ?? .usual
    }()
}

/// The edge that this machine is logged in to, for the length of a command.
struct LoggedIn {
    let login: Login

    /// Where it is kept, with the keys of this machine's tunnels.
    var directory: ConfigurationDirectory { .usual }

    /// - Throws: `Failure` when there is no login, or none that can be read.
    init() throws {
        guard let session = try Self.ifAny() else {
            throw Failure("You are not logged in: run `culvert login https://…`.", .notLoggedIn)
        }
        self = session
    }

    private init(_ login: Login) { self.login = login }

    /// The login that there is; nil when there is none.
    static func ifAny() throws -> LoggedIn? {
        do {
            return try Login(in: .usual).map { LoggedIn($0) }
        } catch {
            throw Failure("\(error)", .notLoggedIn)
        }
    }

    /// Runs `body` with a client of the edge's API.
    func withClient<Result>(
        _ body: (ControlClient) async throws -> Result
    ) async throws -> Result {
        try await ControlClient.with(self.login.clientOptions(), body)
    }

    /// The files with the keys of this machine's tunnels.
    var credentials: CredentialsDirectory { CredentialsDirectory(self.directory) }

    /// Credentials with a new key, for connectors that dial `edge`.
    func newCredentials(for name: String, at edge: EdgeDocument) throws -> Credentials {
        guard let address = try? HostPort(edge.connect, defaultPort: 443) else {
            throw Failure(
                "\(self.login.edge) says that connectors dial \"\(printable(edge.connect))\", which "
                    + "is no HOST:PORT."
            )
        }
        var credentials = Credentials(newFor: name, edge: address)
        credentials.edgeAddress = self.login.edgeAddress
        credentials.caCertificates = try self.caCertificates()
        return credentials
    }

    private func caCertificates() throws -> String? {
        guard let file = self.login.caFile else { return nil }
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw Failure("The CA file \(file) cannot be read: log in with another --ca-file.")
        }
        guard text.utf8.count <= Credentials.maximumCACertificatesBytes else {
            note("\(file) is too large to be kept with the key: give connectors --ca-file.")
            return nil
        }
        return text
    }

    /// The path of a tunnel's credentials; its id is the edge's word, and has to be a file's name.
    func credentialsFile(of tunnel: TunnelDocument) throws -> String {
        let isName = tunnel.id.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"): true
            default: false
            }
        }
        guard isName, (1...64).contains(tunnel.id.utf8.count) else {
            throw Failure("\(self.login.edge) gave the tunnel an id that is none.")
        }
        return self.credentials.file(ofTunnel: tunnel.id)
    }
}

extension Login {
    /// How the edge is asked, with this login.
    func clientOptions() throws(ControlClientError) -> ControlClient.Options {
        var options = try ControlClient.Options(
            edge: self.edge,
            address: self.edgeAddress,
            caFile: self.caFile
        )
        options.token = self.token
        return options
    }
}

extension ControlClient.Options {
    /// How an edge is asked from this process: with its proxy, and no token.
    init(
        edge: EdgeURL,
        address: HostPort?,
        caFile: String?
    ) throws(ControlClientError) {
        self.init(edge: edge, agent: "culvert/\(buildVersion)")
        self.address = address
        self.caFile = caFile
        self.proxy = try WebProxy(
            environment: ProcessInfo.processInfo.environment,
            hosts: [edge.host] + (address.map { [$0.host] } ?? [])
        )
    }
}

/// What this machine is called, for a person to tell it by: at most 64 bytes of ASCII.
func machineName() -> String {
    let name = ProcessInfo.processInfo.hostName.unicodeScalars.prefix(64)
    let text = String(String.UnicodeScalarView(name.filter { $0.isASCII && $0.value > 0x20 }))
    return text.isEmpty ? "localhost" : text
}
