/// How a transport serves its connections; fixed when it is made.
package struct TransportConfiguration: Sendable {
    /// What every upgrade has to name and every client asks for.
    package static let subprotocol = "culvert.v1"
    /// Where upgrades are accepted.
    package static let path = "/culvert/v1"
    /// The room `nextMessage` gets: one frame of this size is one TLS record.
    package static let messageRoomBytes = 16_000

    /// Connections at once, those in a handshake or closing included. Beyond it `adopt` closes the
    /// socket and `connect` ends with `.overLimit`.
    package var maximumConnections = 100
    /// A longer message from the peer closes the connection with 1009.
    package var maximumMessageBytes = 16_000
    /// From the hand-over of a socket to the end of its upgrade, TLS included; beyond it the
    /// connection is dropped with `.timedOut`. Also how long a closing one may linger.
    package var handshakeTimeoutSeconds = 15
    /// A WebSocket ping goes out after this long without a word from the peer (a backstop only:
    /// the session has its own, shorter deadline).
    package var pingAfterSeconds = 45
    /// And after this long the connection is given up. More than `pingAfterSeconds`.
    package var hangUpAfterSeconds = 60
    /// What the kernel may hold unsent per connection before it stops taking more
    /// (TCP_NOTSENT_LOWAT): bytes above this wait where the scheduler still decides.
    package var notSentLowWaterBytes = 131_072
    /// Nil for a transport that only connects.
    package var server: ServerConfiguration?

    /// All limits at their defaults; they can be changed until a transport is made with it.
    package init(server: ServerConfiguration? = nil) {
        self.server = server
    }
}

/// What a transport that adopts sockets needs to know.
package struct ServerConfiguration: Sendable {
    /// Shown to clients; replaced later with `TunnelTransport.replaceCertificates`.
    package var certificates: ServerCertificates
    /// Decides about an upgrade whose method, path, version and subprotocol are right. Called on
    /// the transport's thread; must not block.
    package var accept:
        @Sendable (UpgradeRequest) -> Result<any TunnelConnectionHandler, UpgradeRefusal>

    package init(
        certificates: ServerCertificates,
        accept:
            @escaping @Sendable (UpgradeRequest) ->
            Result<any TunnelConnectionHandler, UpgradeRefusal>
    ) {
        self.certificates = certificates
        self.accept = accept
    }
}
