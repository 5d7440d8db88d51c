package import HTTPSemantics

/// What the front door knows of a visitor's connection.
package struct VisitorInfo: Sendable {
    /// Address, scheme, and whether its forwarding fields are believed.
    package var connection: VisitorConnection
    /// The name of the TLS ClientHello, normalised; nil without TLS or without a name.
    package var serverName: String?
    /// The requests in progress of the visitor's address, where they are limited.
    let requests: RequestCount?

    /// A trusted proxy's requests are those of many visitors: there is no limit to `requests` of one.
    package init(
        connection: VisitorConnection,
        serverName: String? = nil,
        requests: RequestCount? = nil
    ) {
        self.connection = connection
        self.serverName = serverName
        self.requests = connection.isTrustedProxy ? nil : requests
    }
}

/// What a visitor speaks: a version of HTTP, or anything over a public TCP port.
package enum VisitorProtocol: String, Sendable {
    case http10 = "HTTP/1.0"
    case http11 = "HTTP/1.1"
    case http2 = "HTTP/2"
    case tcp = "TCP"
}
