package import HTTPSemantics

/// What the front door knows of a visitor's connection.
package struct VisitorInfo: Sendable {
    /// Address, scheme, and whether its forwarding fields are believed.
    package var connection: VisitorConnection
    /// The name of the TLS ClientHello, normalised; nil without TLS or without a name.
    package var serverName: String?

    package init(connection: VisitorConnection, serverName: String? = nil) {
        self.connection = connection
        self.serverName = serverName
    }
}

/// What a visitor speaks: a version of HTTP, or anything over a public TCP port.
package enum VisitorProtocol: String, Sendable {
    case http10 = "HTTP/1.0"
    case http11 = "HTTP/1.1"
    case http2 = "HTTP/2"
    case tcp = "TCP"
}
