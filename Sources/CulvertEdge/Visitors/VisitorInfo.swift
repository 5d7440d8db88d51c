package import HTTPSemantics

/// What the front door knows of a visitor's connection.
package struct VisitorInfo: Sendable {
    /// Address, scheme, and whether its forwarding fields are believed.
    package var connection: VisitorConnection
    package var port: Int
    /// The name of the TLS ClientHello, normalised; nil without TLS or without a name.
    package var serverName: String?
    /// Given back once, when the connection is gone; nil when connections are not counted.
    package var permit: (any VisitorPermit)?

    package init(
        connection: VisitorConnection,
        port: Int,
        serverName: String? = nil,
        permit: (any VisitorPermit)? = nil
    ) {
        self.connection = connection
        self.port = port
        self.serverName = serverName
        self.permit = permit
    }
}

/// A place among the connections an edge allows.
package protocol VisitorPermit: AnyObject, Sendable {
    /// The connection is gone. Called once, on its event loop.
    func release()
}

/// The HTTP version a visitor speaks.
package enum VisitorProtocol: String, Sendable {
    case http10 = "HTTP/1.0"
    case http11 = "HTTP/1.1"
    case http2 = "HTTP/2"
}
