public import ArgumentParser
public import Logging

/// The options every long-running command has.
struct LoggingOptions: ParsableArguments {
    @Option(
        name: .customLong("log-level"),
        help: "trace, debug, info, notice, warning or error."
    )
    var level: Logger.Level = .info

    func logger() -> Logger {
        let level = self.level
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "culvert")
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
