public import ArgumentParser
import CulvertConnector
public import Logging

/// The options every long-running command has.
struct LoggingOptions: ParsableArguments {
    @Option(
        name: .customLong("log-level"),
        help: "trace, debug, info, notice, warning or error. Default: what the file says, or info."
    )
    var level: Logger.Level?

    /// The program's logger; `configured` is what the configuration file says, if it does: the option wins.
    func logger(configured: Logger.Level? = nil) -> Logger {
        let level = self.level ?? configured ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "culvert")
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}

extension Logger.Level {
    init(_ level: ConnectorConfiguration.LogLevel) {
        self =
            switch level {
            case .debug: .debug
            case .info: .info
            case .warn: .warning
            case .error: .error
            case .fatal: .critical
            }
    }
}
