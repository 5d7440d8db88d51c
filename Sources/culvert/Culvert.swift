import ArgumentParser

/// The command `culvert`: arguments in, exit code out.
@main
struct Culvert: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "culvert",
        abstract:
            "Carries HTTP and TCP out from under a firewall, through a tunnel whose both ends are yours.",
        discussion: """
            A connector inside a private network dials an edge, outbound only; the edge routes \
            visitors' requests to it by hostname.

            Try it on this machine, in two terminals:
              culvert edge dev          starts a throw-away edge
              culvert http 3000         makes localhost:3000 reachable through it

            For real: `culvert edge run` on a public host, `culvert tunnel keygen` and \
            `culvert tunnel run` beside the service.
            """,
        version: buildVersion,
        subcommands: [
            HTTPCommand.self, TunnelCommand.self, AccessCommand.self, EdgeCommand.self,
        ]
    )
}

/// The version this was built as.
let buildVersion = "0.1.0"
