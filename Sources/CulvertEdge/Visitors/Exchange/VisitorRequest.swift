import HTTPSemantics

/// A request that has been let in: what goes to the origin, and what its answer depends on.
struct VisitorRequest {
    /// As it is sent into the tunnel.
    let head: RequestHead
    /// The route key: the normalised host without port.
    let host: String
    let id: String
    let version: VisitorProtocol
    /// What its failures are rendered for.
    let accept: String
    /// Of a call of gRPC, its content type, which its failures are answered in; nil of any other request.
    var callType: String?
    /// It asks for another protocol (RFC 9110 §7.8), and the edge passes that on.
    let wantsUpgrade: Bool
    /// Whether the visitor waits for 100 before it sends its body (RFC 9110 §10.1.1).
    let expectsContinue: Bool
    /// Whether there is a body to come.
    let hasBody: Bool

    var isHead: Bool { self.head.method == "HEAD" }

    /// Whether doing it twice is the same as doing it once (RFC 9110 §9.2.2).
    var isIdempotent: Bool {
        switch self.head.method {
        case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE": true
        default: false
        }
    }
}
