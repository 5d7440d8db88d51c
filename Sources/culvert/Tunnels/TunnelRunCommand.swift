import ArgumentParser
import ConfigurationFile
import CulvertConnector
import Foundation
import Logging

/// `culvert tunnel run`.
struct TunnelRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Connect to the edge and serve a tunnel, or several.",
        discussion: """
            A tunnel that `culvert tunnel create` made on this machine is run by its name. Elsewhere \
            it takes a token, of `culvert tunnel token`: in $CULVERT_TOKEN or a file it stays out of \
            `ps`, which shows --token to everybody on the machine.

            Where requests go is in the configuration file, or --url says it for a single service. The \
            file is described in conf/config.yml; one of cloudflared's works with `edge:` added, or \
            with credentials that say where the edge is. Without either the edge says where requests go \
            (`culvert tunnel config edit`), whoever runs it: give rules here where that is not wanted. What \
            it says is kept, to start with while the edge is away.

            Several tunnels run in one process when several names are given, or several --config, each for \
            its own tunnel, or several --token-file, or tokens with spaces between them in $CULVERT_TOKEN. \
            With several --config, tokens are the keys of those files that say `tunnel` as they do. A file \
            without `tunnel` may be that of all. One that its edge refuses leaves the others alone.

            The file is read again at SIGHUP, and when it changes: the rules change at once, nothing under \
            way is cut, and a file with a mistake is reported and changes nothing. Without one SIGHUP has \
            it try the edge's rules again that it could not run. \
            SIGTERM lets requests under way end, for the grace period at most; a second one ends at \
            once.

            Examples:
              culvert tunnel run demo --url http://localhost:3000
              culvert tunnel run demo shop
              culvert tunnel run --config /etc/culvert/config.yml
              culvert tunnel run --config demo.yml --config shop.yml
              CULVERT_TOKEN=cvt_… culvert tunnel run --url http://localhost:3000
              CULVERT_TOKEN=cvt_… culvert tunnel run          with the rules that the edge has
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The tunnels' names or ids, if neither the files nor tokens say them.",
            valueName: "name"
        )
    )
    var names: [String] = []

    @Option(
        name: .customLong("config"),
        help: """
            The configuration file (may be repeated, a tunnel each); without it the usual places are \
            looked in.
            """
    )
    var configs: [String] = []

    @OptionGroup var source: ConnectorSource

    @Option(help: "The one service to send every request to, such as http://localhost:3000.")
    var url: String?

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        let mistakes = TunnelSelection(
            names: self.names,
            files: self.configs,
            tokens: self.source.tokenFile + (self.source.token == nil ? [] : ["--token"]),
            hasCredentialsFile: self.source.credentialsFile != nil,
            hasURL: self.url != nil
        ).mistakes
        guard mistakes.isEmpty else {
            throw ValidationError(mistakes.joined(separator: "\n"))
        }
    }

    func run() async throws {
        ConfigurationWatch.ignoreEarlySignals()
        let plan = try RunPlan(
            names: self.names,
            configs: self.configs,
            source: self.source,
            url: self.url
        )
        let logger = self.logging.logger(configured: plan.level)
        let connectors = plan.tunnels.map { name, plan in
            self.connector(plan, name, logger)
        }
        try await runConnectors(
            connectors,
            metrics: plan.metrics,
            grace: plan.grace,
            logger: logger
        )
    }

    /// One of the tunnels, whose notices are logged. Of several, each logs with its name, at its own level.
    private func connector(
        _ plan: ConnectorPlan,
        _ name: String?,
        _ process: Logger
    ) -> PlannedConnector {
        var logger = process
        if let name {
            logger[metadataKey: "tunnel"] = "\(name)"
            logger.logLevel = self.logging.level ?? Logger.Level(plan.configuration.logLevel)
        }
        for notice in plan.notices { logger.notice("\(notice)") }
        let troubles = OriginTroubles(logger)
        return PlannedConnector(
            name: name,
            options: plan.options,
            rulesFile: plan.rulesFile,
            logger: logger,
            onRecord: { [logger] record in
                troubles.note(record)
                Self.log(record, logger)
            }
        )
    }

    private static func log(_ record: ExchangeRecord, _ logger: Logger) {
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
}
