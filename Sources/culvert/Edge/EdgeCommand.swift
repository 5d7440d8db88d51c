import ArgumentParser
import ConfigurationFile
import CulvertEdge
import Foundation
import HTTPSemantics
import Logging
import NIOCore
import NIOPosix
import StatusServer

/// `culvert edge`: the public side.
struct EdgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edge",
        abstract: "Run an edge: the public side, which visitors and connectors connect to.",
        subcommands: [
            EdgeRunCommand.self, EdgeDevCommand.self, EdgeInviteCommand.self,
            EdgeBackupCommand.self, EdgeRestoreCommand.self,
        ]
    )
}

/// `culvert edge run`: an edge by its configuration file.
struct EdgeRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run an edge with a configuration file.",
        discussion: """
            The file is described in conf/edge.yml. It is read again at SIGHUP, and when it changes: the \
            tunnels it declares change at once, the rest at the next start; a file with a mistake is \
            reported and changes nothing. SIGTERM lets requests under way end, for the \
            grace period at most; a second one ends at once.

            Listening sockets that systemd passes (sd_listen_fds(3), culvert-edge.socket) are used \
            instead of own ones, by port or by FileDescriptorName=https, http, metrics: connections wait \
            in them while the edge is restarted.
            """
    )

    @Option(help: "The configuration file.")
    var config = "edge.yml"

    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        ConfigurationWatch.ignoreEarlySignals()
        let passed = try passedSockets()
        let manager = ServiceManager(group: MultiThreadedEventLoopGroup.singleton)
        let signals = await Service.trapSignals()
        let file = WatchedFile(self.config)
        var configuration: EdgeConfiguration
        do {
            configuration = try EdgeConfiguration.load(file: file.path)
        } catch {
            throw Failure("\(error)", .badFile)
        }
        let logger = self.logging.logger()
        if let words = configuration.limits.fit(openFiles: OpenFileLimit.raise()) {
            logger.notice("\(words)")
        }
        for notice in configuration.notices { logger.notice("\(notice)") }
        let edge = try await startEdge(configuration, issued: nil, passed: passed, logger: logger)
        logger.info(
            "Edge started",
            metadata: [
                "https": "\(edge.addresses.https)",
                "http": "\(edge.addresses.http.map { "\($0)" } ?? "off")",
                "metrics": "\(edge.addresses.metrics.map { "\($0)" } ?? "off")",
            ]
        )
        let address = HostPort(
            host: edge.addresses.https.ipAddress ?? configuration.listen.https.host,
            port: edge.addresses.https.port ?? configuration.listen.https.port
        )
        manager.ready("Listening on \(address)")
        try await Service.run(
            until: signals,
            serve: {
                await withDiscardingTaskGroup { group in
                    group.addTask { await edge.maintain() }
                    group.addTask { await Self.watch(file, edge, logger) }
                }
            },
            drain: { [grace = configuration.gracePeriod] in
                manager.stopping(grace: grace)
                await edge.drain()
            }
        )
    }

    /// Reads the file again when it changes; what it has that is wrong is logged, and changes nothing.
    private static func watch(_ file: WatchedFile, _ edge: Edge, _ logger: Logger) async {
        await ConfigurationWatch(file: file, logger: logger).run {
            let later = try edge.reload(try EdgeConfiguration.load(file: file.path))
            logger.info("Read the configuration again", metadata: ["file": "\(file.path)"])
            guard !later.isEmpty else { return }
            logger.notice(
                "Some of it counts from the next start on",
                metadata: ["keys": "\(later.joined(separator: ", "))"]
            )
        }
    }
}

/// The listening sockets that this process was started with.
///
/// - Throws: `Failure` naming what is none.
private func passedSockets() throws -> PassedSockets {
    do {
        return try PassedSockets(environment: ProcessInfo.processInfo.environment)
    } catch {
        throw Failure("The edge cannot start: \(error)")
    }
}

/// Starts an edge on the process's event loops; its failure is for a person.
func startEdge(
    _ configuration: EdgeConfiguration,
    issued: IssuedCertificates?,
    passed: PassedSockets = PassedSockets(),
    logger: Logger
) async throws -> Edge {
    let writeLine: @Sendable (AccessRecord) -> Void = { AccessLog.write($0, to: logger) }
    do {
        return try await Edge(
            configuration,
            agent: "culvert/\(buildVersion)",
            issued: issued,
            passed: passed,
            metrics: EdgeMetrics(version: buildVersion),
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            accessLog: configuration.accessLog ? writeLine : nil
        )
    } catch let error as CertificateStoreError {
        throw Failure("The edge cannot start: \(error)", .badFile)
    } catch {
        throw Failure("The edge cannot start: \(error)")
    }
}

/// The access log: a line for each request.
enum AccessLog {
    static func write(_ record: AccessRecord, to logger: Logger) {
        var metadata: Logger.Metadata = [
            "id": "\(record.requestID)", "visitor": "\(record.visitorAddress)",
            "method": "\(record.method)", "host": "\(record.host)", "path": "\(record.path)",
            "protocol": "\(record.protocol.rawValue)", "status": "\(record.status)",
            "bytes-in": "\(record.requestBytes)", "bytes-out": "\(record.responseBytes)",
            "ms": "\(record.durationNanoseconds / 1_000_000)",
        ]
        if let code = record.errorCode { metadata["error"] = "\(code)" }
        logger.info("Request", metadata: metadata)
    }
}
