/// What answers the requests of an ingress rule. `ws` and `wss` origins are `http` and `https` ones:
/// a WebSocket begins as an HTTP request.
package enum OriginService: Hashable, Sendable {
    /// HTTP/1.1 over TCP. `host` is a name or an address literal without brackets.
    case http(host: String, port: Int)
    /// HTTP/1.1 over TLS over TCP.
    case https(host: String, port: Int)
    /// HTTP/1.1 over a Unix domain socket.
    case unix(path: String)
    /// HTTP/1.1 over TLS over a Unix domain socket.
    case unixTLS(path: String)
    /// An empty answer with this status, 200...999, made by the connector itself.
    case httpStatus(UInt16)
    /// A page made by the connector itself, to see that the tunnel works.
    case helloWorld

    /// Whether connections to it speak TLS.
    var isTLS: Bool {
        switch self {
        case .https, .unixTLS: true
        case .http, .unix, .httpStatus, .helloWorld: false
        }
    }
}

extension OriginService: CustomStringConvertible {
    package var description: String {
        switch self {
        case .http(let host, let port): "http://\(Self.bracketed(host)):\(port)"
        case .https(let host, let port): "https://\(Self.bracketed(host)):\(port)"
        case .unix(let path): "unix:\(path)"
        case .unixTLS(let path): "unix+tls:\(path)"
        case .httpStatus(let status): "http_status:\(status)"
        case .helloWorld: "hello_world"
        }
    }

    private static func bracketed(_ host: String) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    }
}
