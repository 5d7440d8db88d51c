package import ControlAPI
package import CulvertControl
package import HTTPSemantics

/// The connectors of an edge, as its API sees them. Any thread.
package protocol TunnelPresence: Sendable {
    /// The sessions that serve a tunnel now, the oldest first.
    func connectors(of tunnel: TunnelID) async -> [ConnectorDocument]

    /// Whose connectors serve a host now that is in no store and in no file, as `culvert http` asks for them;
    /// nil when none do.
    func holder(of host: NormalizedHost) -> LiveHolder?

    /// What happens to a tunnel from now on, until its reader leaves; nil now and then when nothing did. It
    /// ends when the edge stops.
    ///
    /// Nil when as many watch as may.
    func events(of tunnel: TunnelID) -> AsyncStream<EventDocument?>?

    /// Ends the sessions of a tunnel. Whoever has a key that is good may come back.
    func disconnect(_ tunnel: TunnelID) async
}
