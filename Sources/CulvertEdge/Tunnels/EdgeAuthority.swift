internal import Foundation
internal import HTTPSemantics
package import Logging
package import StatusServer
internal import Synchronization
package import TunnelLink
package import TunnelSession
package import TunnelWire

/// Lets connectors in by the directory, and keeps the directory's pools in step with their sessions.
package final class EdgeAuthority: SessionAuthority {
    private let directory: TunnelDirectory
    /// Where visitors reach a hostname, for a person to click.
    private let publicURL: @Sendable (String) -> String
    private let metrics: SessionMetrics
    private let logger: Logger

    /// Keeps the sessions of one endpoint in `directory`. `publicURL` makes the URL a connector is
    /// told of for each hostname it asked for; it is called in a turn of the transport.
    package init(
        directory: TunnelDirectory,
        publicURL: @escaping @Sendable (_ host: String) -> String,
        metrics: SessionMetrics,
        logger: Logger
    ) {
        self.metrics = metrics
        self.directory = directory
        self.publicURL = publicURL
        self.logger = logger
    }

    package func authorize(_ login: Login, peer: String) -> Result<SessionGrant, Refusal> {
        switch self.directory.admit(login, at: Date()) {
        case .success(let admission):
            var attributes: HTTPFields = ["tunnel": admission.name]
            for host in admission.hosts { attributes.append("url", self.publicURL(host.name)) }
            return .success(
                SessionGrant(tunnel: admission.name, attributes: attributes, peer: peer)
            )
        case .failure(let refusal): return .failure(refusal)
        }
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
        guard case .success(let admission) = self.directory.admit(login, at: Date()) else { return }
        let agent = login.attributes.first("agent") ?? "unknown"
        self.directory.add(
            session,
            of: login.connector,
            admission,
            agent: agent,
            address: grant.peer,
            at: Date()
        )
        self.metrics.sessionOpened()
        self.wake(session)
        self.logger.info(
            "Connector connected",
            metadata: [
                "tunnel": "\(grant.tunnel)", "session": "\(session.id)",
                "agent": "\(agent)",
            ]
        )
    }

    package func sessionChanged(_ session: SessionDriver, to availability: SessionAvailability) {
        switch availability {
        case .connected:
            self.log("Connector is back", session)
            self.metrics.sessionResumed()
            self.wake(session)
        case .waiting:
            self.log("Connector has lost its link", session)
            self.metrics.linkLost()
            self.offerMove(from: session)
        case .draining: self.log("Connector takes no more requests", session)
        case .closed: break
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
        self.directory.remove(session)
        self.metrics.sessionClosed()
        self.logger.info(
            "Connector gone",
            metadata: ["session": "\(session.id)", "reason": "\(reason)"]
        )
    }
}
