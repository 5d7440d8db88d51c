package import ControlAPI
package import CulvertControl

/// The connectors of an edge, as its API sees them. Any thread.
package protocol TunnelPresence: Sendable {
    /// The sessions that serve a tunnel now, the oldest first.
    func connectors(of tunnel: TunnelID) async -> [ConnectorDocument]

    /// Ends the sessions of a tunnel. Whoever has a key that is good may come back.
    func disconnect(_ tunnel: TunnelID) async
}
