import ArgumentParser
import ConfigurationFile
import CulvertConnector
import Foundation
import Logging

/// `culvert tunnel run`.
struct TunnelRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Connect to the edge and serve a tunnel.",
        discussion: """
            A tunnel that `culvert tunnel create` made on this machine is run by its name. Elsewhere \
            it takes a token, of `culvert tunnel token`: in $CULVERT_TOKEN or a file it stays out of \
            `ps`, which shows --token to everybody on the machine.

            Where requests go is in the configuration file, or --url says it for a single service. The \
            file is described in conf/config.yml; one of cloudflared's works with `edge:` added, or \
            with credentials that say where the edge is. Without either the edge says where requests go             (`culvert tunnel config edit`), whoever runs it: give rules here where that is not wanted. What             it says is kept, to start with while the edge is away.

            The file is read again at SIGHUP, and when it changes: the rules change at once, nothing under \
            way is cut, and a file with a mistake is reported and changes nothing. \
            SIGTERM lets requests under way end, for the grace period at most; a second one ends at \
            once.

            Examples:
              culvert tunnel run demo --url http://localhost:3000
              culvert tunnel run --config /etc/culvert/config.yml
              CULVERT_TOKEN=cvt_… culvert tunnel run --url http://localhost:3000
              CULVERT_TOKEN=cvt_… culvert tunnel run          with the rules that the edge has
            """
    )

    @Argument(help: "The tunnel's name or id, if neither the file nor a token says it.")
    var name: String?

    @OptionGroup var configFile: ConnectorFileOption
    @OptionGroup var source: ConnectorSource

    @Option(help: "The one service to send every request to, such as http://localhost:3000.")
    var url: String?

    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        let plan = try ConnectorPlan(
            name: self.name,
            configFile: self.configFile,
            source: self.source,
            url: self.url
        )
        let logger = self.logging.logger(configured: Logger.Level(plan.configuration.logLevel))
        for notice in plan.notices { logger.notice("\(notice)") }
        try await runConnector(
            plan.options,
            configuration: plan.configuration,
            logger: logger,
            watching: plan.rulesFile,
            onState: { _ in },
            onRecord: { record in
                logger.debug(
                    "Request",
                    metadata: [
                        "method": "\(record.method)", "host": "\(record.host)",
                        "path": "\(record.path)", "origin": "\(record.origin)",
                        "status": "\(record.status.map(String.init) ?? "none")",
                        "failure": "\(record.failure.map { "\($0)" } ?? "none")",
                    ]
                )
            }
        )
    }
}
