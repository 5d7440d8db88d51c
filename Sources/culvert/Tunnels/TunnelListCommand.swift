import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient
import CulvertConnector

/// `culvert tunnel list`.
struct TunnelListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List your tunnels at the edge."
    )

    @Flag(help: "Everybody's; for admins.")
    var all = false

    @OptionGroup var output: OutputOption

    func run() async throws {
        let tunnels = try await LoggedIn().withClient { try await $0.tunnels(all: self.all) }
        try self.output.show(
            tunnels,
            empty: "There is no tunnel yet: `culvert tunnel create NAME` makes one."
        ) { TunnelText.list(tunnels.items, owners: self.all, $0) }
    }
}

/// The tunnel that a command is about.
struct TunnelArgument: ParsableArguments {
    @Argument(help: "The tunnel's name or id; an admin may say ACCOUNT/NAME.")
    var name: String
}

/// `culvert tunnel info`.
struct TunnelInfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Show a tunnel, with the connectors that serve it and its keys."
    )

    @OptionGroup var tunnel: TunnelArgument
    @OptionGroup var output: OutputOption

    func run() async throws {
        let tunnel = try await LoggedIn().withClient { try await $0.tunnel(self.tunnel.name) }
        try self.output.show(tunnel) { TunnelText.details(tunnel, $0) }
    }
}

/// `culvert tunnel delete`.
struct TunnelDeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a tunnel with its keys and hostnames, and its credentials here.",
        discussion: """
            The DNS records of its hostnames are removed, too, where a zone has a provider in \
            ~/.culvert/dns.yml and they lead to the edge; where that fails, you are told.
            """
    )

    @Flag(name: .shortAndLong, help: "Even while connectors serve it.")
    var force = false

    @OptionGroup var tunnel: TunnelArgument
    @OptionGroup var output: OutputOption

    func run() async throws {
        let session = try LoggedIn()
        let (tunnel, edge) = try await session.withClient { client in
            let tunnel = try await client.tunnel(self.tunnel.name)
            let edge = try await client.edge()
            try await client.deleteTunnel(tunnel.id, force: self.force)
            return (tunnel, edge)
        }
        do {
            try PrivateFile.remove(session.credentialsFile(of: tunnel))
            try PrivateFile.remove(KeptConfiguration(tunnel: tunnel.id, in: .state).file)
        } catch {
            note("\(error)")
        }
        note("Deleted tunnel \(printable(tunnel.name)).")
        if self.output.output == .json { try self.output.show(tunnel) { _ in "" } }
        await RecordDesk.clear(tunnel.hostnames, at: edge)
    }
}

/// `culvert tunnel cleanup`.
struct TunnelCleanupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cleanup",
        abstract: "End the sessions of a tunnel's connectors.",
        discussion: """
            A connector that still runs comes back at once: take its key to keep it away \
            (`culvert tunnel token --revoke`).
            """
    )

    @OptionGroup var tunnel: TunnelArgument
    @OptionGroup var output: OutputOption

    func run() async throws {
        let tunnel = try await LoggedIn().withClient { client in
            let tunnel = try await client.tunnel(self.tunnel.name)
            try await client.disconnect(tunnel.id)
            return tunnel
        }
        note("Ended the sessions of tunnel \(printable(tunnel.name)).")
        if self.output.output == .json { try self.output.show(tunnel) { _ in "" } }
    }
}
