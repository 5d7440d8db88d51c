import ConfigurationFile
import CulvertConnector
import Foundation
import Logging
import NIOPosix
import TunnelLink
import TunnelWire
import UnixSignals

/// One of the connectors that a process is to run.
struct PlannedConnector {
    /// What to tell it apart by; nil for the only one of a process.
    var name: String?
    var options: Connector.Options
    /// A file whose rules are taken over when it changes.
    var rulesFile: WatchedFile?
    /// For what becomes of it.
    var logger: Logger
    /// Told how it stands towards its edge; any thread.
    var onState: @Sendable (ConnectorState) -> Void = { _ in }
    /// Told of each exchange at its end, on an event loop.
    var onRecord: @Sendable (ExchangeRecord) -> Void = { _ in }

    /// Where it dials.
    var edge: HostPort {
        HostPort(host: self.options.edge.dialHost, port: Int(self.options.edge.dialPort))
    }
}

extension [PlannedConnector] {
    /// Lets each have as many requests under way as there are descriptors for: each may need a connection to its
    /// service, and a quarter is for idle ones and this process's own.
    fileprivate func sharing(openFiles: Int) -> [PlannedConnector] {
        let most = Swift.max(8, (openFiles - 128) * 3 / 4 / Swift.max(1, self.count))
        return self.map { planned in
            var planned = planned
            planned.options.maximumStreams = Swift.min(planned.options.maximumStreams, most)
            return planned
        }
    }
}

/// Runs connectors until the process is told to stop, or their edges have refused each of them for good.
///
/// - Parameters:
///   - planned: At least one.
///   - metrics: Where their metrics are, if not where `CULVERT_METRICS` says.
///   - grace: How long requests may go on after the first signal.
///   - logger: For what is no connector's own.
/// - Throws: `Failure` with the edges' words.
func runConnectors(
    _ planned: [PlannedConnector],
    metrics: HostPort?,
    grace: Duration,
    logger: Logger
) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let manager = ServiceManager(group: group)
    let signals = await Service.trapSignals(hangsUp: true)
    let planned = planned.sharing(openFiles: OpenFileLimit.raise())
    let board = ConnectorBoard(planned, manager)
    let running: RunningConnectors
    do {
        running = try RunningConnectors(
            planned,
            over: ConnectorTransport(connectors: planned.count, group: group, logger: logger),
            board
        )
        if let address = try metrics ?? metricsVariable() {
            try await board.serve(on: address, logger: logger)
        }
    } catch {
        throw error as? Failure ?? Failure("\(error)")
    }
    // Before there is a connection: a network that is not there yet is no reason to be killed.
    board.ready()
    // However it ends: the transport's thread must not outlive what the process's exit takes down.
    defer { running.stop() }
    try await Service.run(
        until: signals,
        serve: { try await running.serve() },
        drain: {
            manager.stopping(grace: grace)
            await running.drain(grace: grace)
        }
    )
}

/// What `CULVERT_METRICS` says, for a container whose every connector is asked at the same place.
private func metricsVariable() throws -> HostPort? {
    let text = ProcessInfo.processInfo.environment["CULVERT_METRICS"] ?? ""
    guard !text.isEmpty else { return nil }
    do {
        return try HostPort(text)
    } catch {
        throw Failure("CULVERT_METRICS: \(error.message).", .usage)
    }
}

/// The connectors of a process, over one transport.
private struct RunningConnectors: Sendable {
    fileprivate struct Member: Sendable {
        let name: String?
        let connector: Connector
        let rulesFile: WatchedFile?
        let isManaged: Bool
        let logger: Logger
    }

    private let members: [Member]
    private let transport: ConnectorTransport

    init(
        _ planned: [PlannedConnector],
        over transport: ConnectorTransport,
        _ board: ConnectorBoard
    ) {
        self.transport = transport
        transport.start()
        self.members = planned.enumerated().map { place, plan in
            let status = board.statuses[place]
            let connector = Connector(
                plan.options,
                over: transport,
                logger: plan.logger,
                onState: { state in
                    board.note(state, of: place)
                    plan.onState(state)
                },
                onRecord: { record in
                    status.note(record)
                    plan.onRecord(record)
                },
                onHealth: { status.note(unhealthy: $0) }
            )
            return Member(
                name: plan.name,
                connector: connector,
                rulesFile: plan.rulesFile,
                isManaged: plan.options.isManaged,
                logger: plan.logger
            )
        }
    }

    /// Serves until the task is cancelled, or no connector is left. One that its edge refuses for good ends,
    /// and the others go on.
    ///
    /// - Throws: `Failure` with the edges' words; `CancellationError`.
    func serve() async throws {
        try await withThrowingTaskGroup(of: (Member, Refusal?).self) { group in
            for member in self.members {
                group.addTask { (member, try await member.serve()) }
            }
            var refusals: [(name: String?, refusal: Refusal)] = []
            for try await (member, refusal) in group {
                guard let refusal else { continue }
                member.connector.stop()
                refusals.append((member.name, refusal))
                guard refusals.count < self.members.count else { throw Self.failure(refusals) }
                member.logger.error(
                    "The edge refuses this tunnel for good, the others go on",
                    metadata: ["reason": "\(refusal.message)"]
                )
            }
        }
    }

    private static func failure(_ refusals: [(name: String?, refusal: Refusal)]) -> Failure {
        guard refusals.count > 1 else {
            return Failure(
                "The edge refuses this connector: \(refusals.first?.refusal.message ?? "")",
                .refused
            )
        }
        let lines = refusals.map { "\($0.name ?? ""): \($0.refusal.message)" }
        return Failure(
            "No tunnel is left, each is refused by its edge:\n" + lines.joined(separator: "\n"),
            .refused
        )
    }

    /// Waits until what is under way is over in each, at most for `grace`.
    func drain(grace: Duration) async {
        await withDiscardingTaskGroup { group in
            for member in self.members {
                group.addTask { await member.connector.drain(grace: grace) }
            }
        }
    }

    /// Ends all at once; waits for the transport's thread.
    func stop() {
        for member in self.members { member.connector.stop() }
        self.transport.shutdown()
    }
}

extension RunningConnectors.Member {
    /// Serves, with the rules of its file as they change, until its edge refuses it for good.
    ///
    /// - Returns: the edge's refusal.
    /// - Throws: `CancellationError`.
    fileprivate func serve() async throws -> Refusal? {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.connector.run() }
                if let file = self.rulesFile {
                    group.addTask { await self.connector.follow(file, self.logger) }
                } else if self.isManaged {
                    group.addTask {
                        for await _ in await UnixSignalsSequence(trapping: .sighup) {
                            self.connector.tryConfigurationAgain()
                        }
                    }
                }
                // The edge's refusal ends both.
                try await group.next()
                group.cancelAll()
            }
            return nil
        } catch let refusal as Refusal {
            return refusal
        }
    }
}
