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
            abstract: "Lead a hostname to a tunnel, and see to its DNS record.",
            discussion: """
                The record is made through the provider of its zone in ~/.culvert/dns.yml: a dynamic update \
                (RFC 2136) with nsupdate, or a program of your own; conf/dns.yml describes both. Without one \
                you are told which record to make. Then DNS is asked whether the name leads to the edge; a \
                wildcard record that leads it there will do.

                  providers:
                    - {zone: example.com, nsupdate: {server: 192.0.2.1, key-file: tsig.key}}
                    - {zone: example.org, hook: [/usr/local/libexec/culvert-dns]}

                Exit codes: 0 the hostname leads to the tunnel, and its record is there, is not needed, or is \
                yours to make; 5 the hostname leads to the tunnel, but the provider did not make its record, \
                or the name has another one; otherwise it does not lead there.
                """
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

        @Flag(
            name: [.customShort("f"), .customLong("overwrite-dns")],
            help: ArgumentHelp(
                "Take the hostname from another tunnel of yours, and put the record in place of another.",
                discussion: "The hostname leads to one tunnel or the other at every moment."
            )
        )
        var overwriteDNS = false

        @OptionGroup var output: OutputOption

        func run() async throws {
            let change = HostnameChangeDocument(
                balance: self.balance?.rawValue,
                moves: self.overwriteDNS ? true : nil
            )
            // A file with a mistake is to be known before anything is changed.
            let desk = try RecordDesk()
            let (edge, route, isNew) = try await LoggedIn().withClient { client in
                let edge = try await client.edge()
                let (route, isNew) = try await client.route(
                    self.hostname,
                    to: self.tunnel.name,
                    change
                )
                return (edge, route, isNew)
            }
            let already = isNew ? "" : " already"
            let url = route.url.map { ": \(printable($0))" } ?? ""
            if self.output.output == .text {
                print(
                    "\(printable(route.hostname)) leads\(already) to tunnel "
                        + "\(printable(route.tunnel))\(url)"
                )
                flushStandardOutput()
            }
            let report = try await desk.settle(
                route.hostname,
                at: edge,
                replacing: self.overwriteDNS
            )
            if self.output.output == .json {
                try self.output.show(RoutedDocument(route, report)) { _ in "" }
            }
            if let problem = TunnelText.certificateProblem(route, edge) { note(printable(problem)) }
            if report.isFailure { throw Failure(report.text, .noRecord) }
            note(report.text)
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
            ) { _ in
                TunnelText.routes(tunnel).split(separator: "\n").map { printable(String($0)) }
                    .joined(separator: "\n")
            }
        }
    }

    struct DeleteCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete",
            abstract: "Take a hostname from a tunnel.",
            discussion: """
                Its DNS record is removed, too, if its zone has a provider in ~/.culvert/dns.yml and it leads to \
                the edge; if that fails, you are told.
                """
        )

        @OptionGroup var tunnel: TunnelArgument

        @Argument(help: "The hostname.")
        var hostname: String

        func run() async throws {
            let edge = try await LoggedIn().withClient { client in
                let edge = try await client.edge()
                try await client.unroute(self.hostname, from: self.tunnel.name)
                return edge
            }
            note("\(printable(self.hostname)) leads to \(printable(self.tunnel.name)) no more.")
            await RecordDesk.clear([self.hostname], at: edge)
        }
    }
}

extension Balance: ExpressibleByArgument {}
/// A route, with what became of its DNS record.
private struct RoutedDocument: Encodable {
    let hostname: String
    let tunnel: String
    let url: String?
    let balance: String?
    let hasCertificate: Bool?
    let dns: RecordReport

    init(_ route: HostnameDocument, _ report: RecordReport) {
        self.hostname = route.hostname
        self.tunnel = route.tunnel
        self.url = route.url
        self.balance = route.balance
        self.hasCertificate = route.hasCertificate
        self.dns = report
    }
}
