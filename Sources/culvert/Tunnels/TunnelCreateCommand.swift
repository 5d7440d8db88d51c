import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient
import CulvertConnector
import Foundation

/// `culvert tunnel create`.
struct TunnelCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a tunnel, with credentials to run it on this machine.",
        discussion: """
            The key is made here and kept in ~/.culvert/ID.json; only its public half reaches the edge. \
            Another machine gets a key of its own: `culvert tunnel token`.
            """
    )

    @Argument(help: "Its name: 1 to 64 letters, digits, and . _ - @.")
    var name: String

    @Option(
        name: [.customLong("cred-file"), .customLong("credentials-file")],
        help: "The credentials file to write, with mode 0600, instead; an existing one is kept."
    )
    var credentialsFile: String?

    @OptionGroup var output: OutputOption

    func run() async throws {
        let session = try LoggedIn()
        let made = try await session.withClient { client in
            try await session.createTunnel(
                self.name,
                at: try await client.edge(),
                client,
                file: self.credentialsFile
            )
        }
        let name = made.tunnel.name
        try self.output.show(made.tunnel) { _ in
            "Created tunnel \(printable(name)) with id \(made.tunnel.id)."
        }
        note(
            """
            Its credentials are in \(made.file): they let their holder serve the tunnel, so keep them secret.
            Next, give it a hostname and run it:
              culvert tunnel route dns \(printable(name)) HOSTNAME
              culvert tunnel run \(printable(name)) --url http://localhost:3000
            """
        )
    }
}

extension LoggedIn {
    /// Makes a tunnel, and keeps its credentials in `file`, or in the usual place.
    func createTunnel(
        _ name: String,
        at edge: EdgeDocument,
        _ client: ControlClient,
        file: String? = nil
    ) async throws -> (tunnel: TunnelDocument, file: String, credentials: Credentials) {
        do {
            // A tunnel whose key cannot be kept is of no use to anybody.
            try self.directory.create()
        } catch {
            throw Failure("\(error)")
        }
        var credentials = try self.newCredentials(for: name, at: edge)
        let tunnel = try await client.createTunnel(
            NewTunnelDocument(
                name: name,
                publicKey: credentials.publicKey.base64EncodedString()
            )
        )
        credentials.tunnelID = tunnel.id
        do {
            let file = try file ?? self.credentialsFile(of: tunnel)
            try credentials.write(to: file)
            return (tunnel, file, credentials)
        } catch {
            try? await client.deleteTunnel(tunnel.id, force: true)
            throw Failure("The tunnel was not made, since its key cannot be kept: \(error)")
        }
    }
}
