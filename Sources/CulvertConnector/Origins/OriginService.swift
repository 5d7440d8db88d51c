/// What answers the requests of an ingress rule. `ws` and `wss` origins are `http` and `https` ones:
/// a WebSocket begins as an HTTP request.
package enum OriginService: Hashable, Sendable {
    /// HTTP over TCP: 1.1, or 2 with `http2Origin`. `host` is a name or an address literal without
    /// brackets.
    case http(host: String, port: Int)
    /// The same over TLS over TCP.
    case https(host: String, port: Int)
    /// The same over a Unix domain socket.
    case unix(path: String)
    /// The same over TLS over a Unix domain socket.
    case unixTLS(path: String)
    /// An empty answer with this status, 200...999, made by the connector itself.
    case httpStatus(UInt16)
    /// A page made by the connector itself, to see that the tunnel works.
    case helloWorld
    /// A TCP connection, carried over the visitor's WebSocket. The scheme is a word for people and a
    /// default port; what is carried is bytes.
    case tcp(TCPScheme, host: String, port: Int)
    /// The same, to the host and port that each request names.
    case bastion
    /// The same, to what the client asks for in SOCKS5 over its WebSocket.
    case socksProxy

    /// cloudflared's words for TCP services.
    package enum TCPScheme: String, Hashable, Sendable, CaseIterable {
        case tcp, ssh, rdp, smb

        /// Where the URL has no port; that of `tcp` is cloudflared's choice.
        var defaultPort: Int {
            switch self {
            case .tcp: 7864
            case .ssh: 22
            case .rdp: 3389
            case .smb: 445
            }
        }
    }

    /// Whether connections to it speak TLS.
    var isTLS: Bool {
        switch self {
        case .https, .unixTLS: true
        case .http, .unix, .httpStatus, .helloWorld, .tcp, .bastion, .socksProxy: false
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
        case .tcp(let scheme, let host, let port):
            "\(scheme.rawValue)://\(Self.bracketed(host)):\(port)"
        case .bastion: "bastion"
        case .socksProxy: "socks-proxy"
        }
    }

    private static func bracketed(_ host: String) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    }
}
