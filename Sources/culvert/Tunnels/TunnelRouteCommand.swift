import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient
import CulvertControl
import Foundation

/// `culvert tunnel route`.
struct TunnelRouteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route",
        abstract: "Lead hostnames to a tunnel.",
        subcommands: [DNSCommand.self, ListCommand.self, DeleteCommand.self]
    )

    struct DNSCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "dns",
            abstract: "Lead a hostname to a tunnel, and say which DNS record it needs."
        )

        @OptionGroup var tunnel: TunnelArgument

        @Argument(help: "Such as app.example.com, or *.example.com.")
        var hostname: String

        @Option(
            help: ArgumentHelp(
                "How its requests are shared out among connectors: \(Balance.names).",
                discussion: """
                    To the one with the fewest under way, to each in turn, or each visitor's to the same \
                    one, by a cookie. Of a hostname that leads to the tunnel already it is changed.
                    """
            )
        )
        var balance: Balance?

        @OptionGroup var output: OutputOption

        func run() async throws {
            let change = self.balance.map { HostnameChangeDocument(balance: $0.rawValue) }
            let (edge, route, isNew) = try await LoggedIn().withClient { client in
                let edge = try await client.edge()
                let (route, isNew) = try await client.route(
                    self.hostname,
                    to: self.tunnel.name,
                    change
                )
                return (edge, route, isNew)
            }
            try self.output.show(route) { _ in
                let already = isNew ? "" : " already"
                let url = route.url.map { ": \(printable($0))" } ?? ""
                return "\(printable(route.hostname)) leads\(already) to tunnel "
                    + "\(printable(route.tunnel))\(url)"
            }
            guard let record = DNSRecord(for: route.hostname, at: edge) else {
                let wildcard = printable(edge.wildcard ?? "")
                note("It needs no DNS record: that of \(wildcard) covers it.")
                return
            }
            await DNSAdvice.give(record)
        }
    }

    struct ListCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the hostnames that lead to a tunnel."
        )

        @OptionGroup var tunnel: TunnelArgument
        @OptionGroup var output: OutputOption

        func run() async throws {
            let tunnel = try await LoggedIn().withClient {
                try await $0.tunnel(self.tunnel.name)
            }
            try self.output.show(
                ListDocument(tunnel.hostnames),
                empty: "No hostname leads to it: `culvert tunnel route dns "
                    + "\(printable(tunnel.name)) HOSTNAME` gives it one."
            ) { _ in tunnel.hostnames.map(printable).joined(separator: "\n") }
        }
    }

    struct DeleteCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete",
            abstract: "Take a hostname from a tunnel."
        )

        @OptionGroup var tunnel: TunnelArgument

        @Argument(help: "The hostname.")
        var hostname: String

        func run() async throws {
            try await LoggedIn().withClient {
                try await $0.unroute(self.hostname, from: self.tunnel.name)
            }
            note(
                "\(printable(self.hostname)) leads to \(printable(self.tunnel.name)) no more. A DNS "
                    + "record that was made for it can go."
            )
        }
    }
}

extension Balance: ExpressibleByArgument {}
