package import Logging
package import TunnelLink
package import TunnelTransport
package import TunnelWire

/// How a connector stands towards its edge.
package enum ConnectorState: Sendable, Equatable {
    /// Dialling, or waiting to dial, with the last failure if there was one.
    case connecting(lastFailure: String?)
    case connected(Welcome)
    /// The edge will not have this connector; trying again is useless.
    case refused(Refusal)
}

/// Where the edge is.
package struct EdgeAddress: Sendable {
    /// CONNECT-HOST: what the certificate must say, what the login is bound to, and the SNI.
    package var target: ClientTarget
    /// What is dialled; the target itself unless `edge-address` says otherwise.
    package var dialHost: String
    package var dialPort: UInt16

    package init(target: ClientTarget, dialHost: String, dialPort: UInt16) {
        self.target = target
        self.dialHost = dialHost
        self.dialPort = dialPort
    }
}

/// Keeps a link to the edge: dials, waits, dials again, for as long as its task lives.
package struct LinkKeeper: Sendable {
    private let endpoint: ConnectorEndpoint
    private let edge: EdgeAddress
    private let logger: Logger
    private let onState: @Sendable (ConnectorState) -> Void

    package init(
        endpoint: ConnectorEndpoint,
        edge: EdgeAddress,
        logger: Logger,
        onState: @escaping @Sendable (ConnectorState) -> Void
    ) {
        self.endpoint = endpoint
        self.edge = edge
        self.logger = logger
        self.onState = onState
    }

    /// Runs until the task is cancelled, or the edge refuses for good.
    ///
    /// - Throws: `Refusal` when trying again is useless; `CancellationError`.
    package func run() async throws {
        var schedule = ReconnectSchedule()
        while true {
            try Task.checkCancellation()
            let outcome = await self.runLink()
            try Task.checkCancellation()
            if let refusal = outcome.refusal, refusal.isPermanent {
                self.onState(.refused(refusal))
                throw refusal
            }
            var delay = schedule.delay(
                afterLinkOf: outcome.lifetime,
                now: .now,
                random: .random(in: 0...1)
            )
            if let refusal = outcome.refusal {
                delay = max(delay, .milliseconds(Int(refusal.retryAfterMilliseconds)))
            }
            self.logger.info(
                "Link to the edge lost, dialling again",
                metadata: ["reason": "\(outcome.reason)", "delay": "\(delay)"]
            )
            self.onState(.connecting(lastFailure: outcome.reason))
            if delay > .zero { try await Task.sleep(for: delay) }
        }
    }

    private struct Outcome {
        var reason: String
        /// How long the link was usable; nil when it never was.
        var lifetime: Duration?
        var refusal: Refusal?
    }

    /// One link, from the dial to its end.
    private func runLink() async -> Outcome {
        let socket: CInt
        do {
            socket = try await Dialler.connect(
                host: self.edge.dialHost,
                port: self.edge.dialPort
            )
        } catch {
            return Outcome(reason: error.description)
        }
        let (events, continuation) = AsyncStream.makeStream(of: LinkEvent.self)
        self.endpoint.connect(socket: socket, target: self.edge.target) { event in
            continuation.yield(event)
            if case .closed = event { continuation.finish() }
        }
        var outcome = Outcome(reason: "the connector stops")
        var welcomedAt: ContinuousClock.Instant?
        for await event in events {
            switch event {
            case .welcomed(let welcome):
                welcomedAt = .now
                self.logger.info(
                    welcome.isResumed ? "Session resumed" : "Connected to the edge",
                    metadata: ["session": "\(welcome.session.session)"]
                )
                self.onState(.connected(welcome))
            case .refused(let refusal):
                outcome.refusal = refusal
                outcome.reason = refusal.message
            case .closed(let failure):
                if outcome.refusal == nil { outcome.reason = "\(failure)" }
            }
        }
        outcome.lifetime = welcomedAt.map { .now - $0 }
        return outcome
    }
}
