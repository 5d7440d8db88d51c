internal import ControlAPI
internal import Foundation
internal import HTTPSemantics
internal import Logging
internal import StatusServer
internal import Synchronization
package import TunnelLink
package import TunnelSession
package import TunnelWire

/// Lets connectors in by the directory, and keeps the directory's pools in step with their sessions.
package final class EdgeAuthority: SessionAuthority {
    private let directory: TunnelDirectory
    private let events: TunnelEvents
    /// Where visitors reach a hostname, for a person to click.
    private let publicURL: @Sendable (String) -> String
    /// Nil when the edge gives none.
    private let ports: TCPPorts?
    private let metrics: SessionMetrics
    private let logger: Logger
    /// Of sessions that have said something of themselves.
    private let reportLogs = Mutex<[SessionID: ReportLog]>([:])

    /// Keeps the sessions of one endpoint in `directory`. `publicURL` makes the URL a connector is
    /// told of for each hostname it asked for; it is called in a turn of the transport.
    init(
        directory: TunnelDirectory,
        events: TunnelEvents,
        ports: TCPPorts?,
        publicURL: @escaping @Sendable (_ host: String) -> String,
        metrics: SessionMetrics,
        logger: Logger
    ) {
        self.metrics = metrics
        self.ports = ports
        self.directory = directory
        self.events = events
        self.publicURL = publicURL
        self.logger = logger
    }

    package func authorize(_ login: Login, peer: String) -> Result<SessionGrant, Refusal> {
        switch self.directory.admit(login, at: Date()) {
        case .success(let admission):
            var attributes: HTTPFields = ["tunnel": admission.name]
            for host in admission.hosts { attributes.append("url", self.publicURL(host.name)) }
            return self.openPorts(of: admission).map { ports in
                for port in ports { attributes.append("url", self.ports?.url(of: port) ?? "") }
                return SessionGrant(
                    tunnel: admission.name,
                    attributes: attributes,
                    ports: ports,
                    peer: peer
                )
            }
        case .failure(let refusal): return .failure(refusal)
        }
    }

    private func openPorts(of admission: TunnelDirectory.Admission) -> Result<[Int], Refusal> {
        guard !admission.askedPorts.isEmpty else { return .success([]) }
        guard let ports else { return .failure(.noPorts) }
        return ports.open(admission.askedPorts, for: admission.tunnel)
    }

    package func loginRefused(_ refusal: Refusal, peer: String) {
        self.metrics.loginRefused(code: refusal.code.rawValue)
        self.logger.info(
            "Login refused",
            metadata: ["peer": "\(peer)", "reason": "\(refusal.message)"]
        )
    }

    package func sessionOpened(_ session: SessionDriver, grant: SessionGrant, login: Login) {
        // Who has lost his right since has no service, and is ended like all that have none.
        guard case .success(let admission) = self.directory.admit(login, at: Date()) else {
            self.directory.addStray(session)
            self.ports?.close(grant.ports)
            return
        }
        let agent = login.attributes.first("agent") ?? "unknown"
        self.directory.add(
            session,
            of: login.connector,
            admission,
            agent: agent,
            address: grant.peer,
            ports: grant.ports,
            configurationVersion: login.attributes.first("configuration-version").flatMap(
                UInt64.init
            ),
            at: Date()
        )
        self.metrics.sessionOpened()
        self.tell("connected", of: session, "\(agent) from \(grant.peer)")
        self.wake(session)
        self.logger.info(
            "Connector connected",
            metadata: [
                "tunnel": "\(grant.tunnel)", "session": "\(session.id)",
                "agent": "\(agent)",
            ]
        )
    }

    package func configuration(for session: SessionDriver) -> ManagedConfiguration? {
        self.directory.configuration(for: session.id)
    }

    package func sessionChanged(_ session: SessionDriver, to availability: SessionAvailability) {
        switch availability {
        case .connected:
            self.log("Connector is back", session)
            self.tell("back", of: session)
            self.metrics.sessionResumed()
            self.wake(session)
        case .waiting:
            self.log("Connector has lost its link", session)
            self.tell("lost", of: session)
            self.metrics.linkLost()
            self.offerMove(from: session)
        case .draining:
            self.log("Connector takes no more requests", session)
            self.tell("draining", of: session)
        case .closed: break
        }
    }

    /// Tells those who watch the session's tunnel.
    private func tell(_ kind: String, of session: SessionDriver, _ detail: String? = nil) {
        guard self.events.hasWatchers, let tunnel = self.directory.tunnel(of: session) else {
            return
        }
        self.events.tell(tunnel) {
            EventDocument(kind, at: Date(), connector: "\(session.id)", detail: detail)
        }
    }

    private func log(_ message: Logger.Message, _ session: SessionDriver) {
        self.logger.info(message, metadata: ["session": "\(session.id)"])
    }

    /// A session can be used: for requests that wait, and for those of other sessions that are away.
    private func wake(_ session: SessionDriver) {
        for pool in self.directory.pools(of: session) {
            pool.isBack(session)
            pool.wakeWaiters()
            for other in pool.sessions where other.availability == .waiting {
                self.offerMove(from: other)
            }
        }
    }

    /// A session whose link is gone for a second is likely gone with its process: requests without an
    /// answer may go to another connector, if one is there, and visitors that stick to it do.
    private func offerMove(from session: SessionDriver) {
        session.ifAway(after: .seconds(1)) { [directory] session in
            let pools = directory.pools(of: session)
            for pool in pools { pool.giveUp(session) }
            if pools.contains(where: \.hasConnected) { session.announceAbsence() }
        }
    }

    package func sessionClosed(_ session: SessionDriver, reason: CloseReason) {
        self.tell("gone", of: session, "\(reason)")
        let ports = self.directory.remove(session)
        self.ports?.close(ports)
        self.metrics.sessionClosed()
        let log = self.reportLogs.withLock { $0.removeValue(forKey: session.id) }
        self.tellOmitted(log?.omitted ?? 0, session)
        self.logger.info(
            "Connector gone",
            metadata: ["session": "\(session.id)", "reason": "\(reason)"]
        )
    }
}

// MARK: - What connectors say of themselves

extension EdgeAuthority {
    package func sessionReported(_ session: SessionDriver, _ report: ConnectorReport) {
        guard let former = self.directory.note(report, of: session.id) else { return }
        if report.unhealthyHostnames != former.unhealthyHostnames {
            self.healthChanged(report.unhealthyHostnames, of: session)
        }
        if !report.configurationProblems.isEmpty {
            if report != former { self.configurationFailed(report, of: session) }
        } else if let version = report.configurationVersion,
            version != former.configurationVersion || !former.configurationProblems.isEmpty
        {
            self.log(
                .info,
                "Connector runs another configuration",
                of: session,
                ["version": "\(version)"]
            )
            self.tell("configuration", of: session, "runs version \(version)")
        }
    }

    private func healthChanged(_ unhealthy: [String], of session: SessionDriver) {
        let names = unhealthy.prefix(8).joined(separator: ", ")
        self.log(
            .info,
            unhealthy.isEmpty
                ? "All of a connector's origins pass their health checks again"
                : "Some of a connector's origins fail their health checks: it is passed over",
            of: session,
            ["hostnames": "\(names)"]
        )
        if unhealthy.isEmpty {
            self.tell("healthy", of: session)
        } else {
            self.tell("unhealthy", of: session, names)
        }
    }

    private func configurationFailed(_ report: ConnectorReport, of session: SessionDriver) {
        self.log(
            .warning,
            "Connector cannot apply its configuration",
            of: session,
            [
                "problem": "\(report.configurationProblems.first ?? "")",
                "problems": "\(report.configurationProblems.count)",
            ]
        )
        let running =
            report.configurationVersion.map { "goes on with version \($0)" } ?? "runs none"
        let problems = report.configurationProblems.joined(separator: "; ")
        self.tell("configuration", of: session, "\(running): \(problems)")
    }

    /// Logs what a connector says of itself, unless it has said enough for now.
    private func log(
        _ level: Logger.Level,
        _ message: Logger.Message,
        of session: SessionDriver,
        _ details: Logger.Metadata
    ) {
        let result = self.reportLogs.withLock {
            $0[session.id, default: ReportLog()].next(now: SessionHost.now)
        }
        guard case .log(let omitted) = result else { return }
        self.tellOmitted(omitted, session)
        var metadata = details
        metadata["session"] = "\(session.id)"
        self.logger.log(level: level, message, metadata: metadata)
    }

    private func tellOmitted(_ count: Int, _ session: SessionDriver) {
        guard count > 0 else { return }
        self.logger.info(
            "A connector reports more than is logged",
            metadata: [
                "session": "\(session.id)", "omitted": "\(count)",
                "lines-per-minute": "\(ReportLog.linesPerMinute)",
            ]
        )
    }
}
