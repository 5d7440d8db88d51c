package import Logging
package import NIOCore
package import TunnelTransport

/// What all connectors of a process share: one transport with its thread, and the sessions that it carries to
/// the event loops. Any thread.
package final class ConnectorTransport: Sendable {
    /// Links of one connector at once: the one in use, another that is to take over, and those that are left.
    private static let linksPerConnector = 8

    /// Where the streams of the connectors live.
    package let group: any EventLoopGroup
    let host: SessionHost
    let transport: TunnelTransport

    /// A transport for so many connectors, whose streams live on the loops of `group`.
    ///
    /// - Throws: `TransportError` when libwebsockets cannot be started.
    package init(
        connectors count: Int = 1,
        group: any EventLoopGroup,
        logger: Logger
    ) throws(TransportError) {
        var configuration = TransportConfiguration()
        configuration.maximumConnections = max(
            configuration.maximumConnections,
            count * Self.linksPerConnector
        )
        self.group = group
        self.host = SessionHost(group: group, logger: logger)
        self.transport = try TunnelTransport(configuration, logger: logger)
        self.host.bind(to: self.transport)
    }

    /// Starts the thread, without which no link is made; a second call does nothing.
    package func start() { self.transport.start(driver: self.host) }

    /// Ends all links and the thread; waits for it.
    package func shutdown() { self.transport.shutdown() }
}
