import ConfigurationFile
import CulvertConnector
import Foundation
import Logging
import NIOPosix
import StatusServer
import Synchronization
import TunnelLink
import TunnelTransport
import TunnelWire

// What `culvert http` and `culvert tunnel run` share: from a configuration file to a running
// connector.

/// - Throws: `Failure` with every problem of the file.
func loadConnectorConfiguration(_ file: String) throws -> ConnectorConfiguration {
    do {
        return try ConnectorConfiguration.load(file: file)
    } catch {
        throw Failure("\(error)")
    }
}

/// The credentials that a configuration file names, and their own file.
///
/// - Throws: `Failure` naming the key or file that is missing or wrong.
func namedCredentials(
    _ configuration: ConnectorConfiguration,
    file: String
) throws -> (credentials: Credentials, origin: String) {
    guard let credentialsFile = configuration.credentialsFile else {
        throw Failure(
            "\(file): credentials-file is missing; `culvert tunnel keygen NAME --out NAME.json` "
                + "makes one."
        )
    }
    let credentials: Credentials
    do {
        credentials = try Credentials(file: credentialsFile)
    } catch {
        throw Failure("\(error)")
    }
    guard configuration.edge ?? credentials.edge != nil else {
        throw Failure("\(file): edge is missing: where is the edge? Say `edge: HOST:443`.")
    }
    return (credentials, credentialsFile)
}

/// What a connector needs, from its configuration and its credentials; `source` is what they are called in
/// an error. What the configuration does not say of the edge, they say.
///
/// - Throws: `Failure` naming what is missing or wrong.
func connectorOptions(
    _ configuration: ConnectorConfiguration,
    _ credentials: Credentials,
    source: String
) throws -> Connector.Options {
    guard let edge = configuration.edge ?? credentials.edge else {
        throw Failure("\(source) does not say where the edge is, and no configuration file does.")
    }
    guard let identity = TunnelIdentity(privateKey: Array(credentials.privateKey)) else {
        throw Failure("\(source): the private key is damaged.")
    }
    // What the credentials say of their edge is said of no other.
    let isTheirs = edge == credentials.edge
    let known = isTheirs ? credentials.edgeAddress : nil
    let dialled = configuration.edgeAddress ?? known ?? edge
    do {
        let trust = try ClientTrust(
            additionalFile: configuration.caFile,
            additionalText: isTheirs && configuration.caFile == nil
                ? credentials.caCertificates : nil
        )
        let target = try ClientTarget(
            hostname: edge.host,
            port: UInt16(clamping: edge.port),
            trust: trust
        )
        return Connector.Options(
            identity: identity,
            edge: EdgeAddress(
                target: target,
                dialHost: dialled.host,
                dialPort: UInt16(clamping: dialled.port)
            ),
            rules: configuration.ingress,
            agent: "culvert/\(buildVersion)"
        )
    } catch {
        throw Failure("\(error)")
    }
}

/// Runs a connector until it is told to stop, or the edge refuses it for good. The rules of `file` are taken
/// over when it changes.
///
/// - Throws: `Failure` with the edge's words.
func runConnector(
    _ options: Connector.Options,
    configuration: ConnectorConfiguration,
    logger: Logger,
    watching file: String? = nil,
    onState: @escaping @Sendable (ConnectorState) -> Void,
    onRecord: @escaping @Sendable (ExchangeRecord) -> Void
) async throws {
    let manager = ServiceManager(group: MultiThreadedEventLoopGroup.singleton)
    let signals = await Service.trapSignals()
    let connector: Connector
    let edge = HostPort(host: options.edge.dialHost, port: Int(options.edge.dialPort))
    let status = ConnectorStatus()
    do {
        connector = try Connector(
            options,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            onState: { state in
                status.note(state)
                manager.show(state, edge: edge)
                onState(state)
            },
            onRecord: { record in
                status.note(record)
                onRecord(record)
            },
            onHealth: { status.note(unhealthy: $0) }
        )
        if let address = try configuration.metrics ?? metricsVariable() {
            try await status.serve(on: address, logger: logger)
        }
    } catch {
        throw Failure("\(error)")
    }
    // Before there is a connection: a network that is not there yet is no reason to be killed.
    manager.ready("Dialling \(edge)")
    // However it ends: the transport's thread must not outlive what the process's exit takes down.
    defer { connector.stop() }
    do {
        try await Service.run(
            until: signals,
            serve: {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await connector.run() }
                    if let file {
                        group.addTask { await connector.follow(file, logger) }
                    }
                    // The edge's refusal ends both.
                    try await group.next()
                    group.cancelAll()
                }
            },
            drain: {
                manager.stopping(grace: configuration.gracePeriod)
                await connector.drain(grace: configuration.gracePeriod)
            }
        )
    } catch let refusal as Refusal {
        throw Failure("The edge refuses this connector: \(refusal.message)")
    }
}

/// What `CULVERT_METRICS` says, for a container whose every connector is asked at the same place.
private func metricsVariable() throws -> HostPort? {
    let text = ProcessInfo.processInfo.environment["CULVERT_METRICS"] ?? ""
    guard !text.isEmpty else { return nil }
    do {
        return try HostPort(text)
    } catch {
        throw Failure("CULVERT_METRICS: \(error.message).")
    }
}

extension Connector {
    /// Takes over the rules of a configuration file when it changes, until the task is cancelled.
    fileprivate func follow(_ file: String, _ logger: Logger) async {
        // What options have overridden is not the file's to change.
        let running = try? ConnectorConfiguration.load(file: file)
        await ConfigurationWatch(file: file, logger: logger).run {
            let fresh = try ConnectorConfiguration.load(file: file)
            for notice in fresh.notices { logger.notice("\(notice)") }
            self.replace(fresh.ingress)
            logger.info("Read the configuration again", metadata: ["file": "\(file)"])
            let later = running.map { fresh.keysThatDiffer(from: $0) } ?? []
            guard !later.isEmpty else { return }
            logger.notice(
                "Some of it counts from the next start on",
                metadata: ["keys": "\(later.joined(separator: ", "))"]
            )
        }
    }
}

/// The URLs that were announced, and whether a failure was.
final class Announcements: Sendable {
    private let contents = Mutex<(urls: Set<String>, hasFailed: Bool)>(([], false))

    /// True the first time.
    func insert(_ url: String) -> Bool {
        self.contents.withLock { contents in
            contents.hasFailed = false
            return contents.urls.insert(url).inserted
        }
    }

    /// True for the first failure since a connection.
    func noteFailure() -> Bool {
        self.contents.withLock { contents in
            defer { contents.hasFailed = true }
            return !contents.hasFailed
        }
    }
}
