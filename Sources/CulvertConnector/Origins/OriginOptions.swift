/// How an origin is reached: the `originRequest` keys of a configuration, with cloudflared's names and
/// defaults.
package struct OriginOptions: Hashable, Sendable {
    /// Time for the TCP (or Unix) connection, name resolution included. Past it:
    /// `ResetCode.originTimeout`.
    package var connectTimeout: Duration = .seconds(30)
    /// Time for the TLS handshake after that. Past it: `ResetCode.originTimeout`.
    package var tlsTimeout: Duration = .seconds(10)
    /// Idle time before, and interval between, TCP keep-alive probes; zero turns them off.
    package var tcpKeepAlive: Duration = .seconds(30)
    /// Idle connections kept to the origin, over all event loops; zero keeps none. It does not
    /// limit how many are in use.
    package var keepAliveConnections = 100
    /// How long an idle connection is kept, at most; an origin's own `Keep-Alive: timeout` shortens it.
    package var keepAliveTimeout: Duration = .seconds(90)
    /// Dial the addresses of a name one after the other, in the resolver's order, and never two at
    /// a time (RFC 8305 off).
    package var noHappyEyeballs = false
    /// Sent as `Host` instead of the visitor's authority.
    package var httpHostHeader: String?
    /// The name the origin's certificate must carry, and the SNI; nil: the service's host.
    package var originServerName: String?
    /// Use the request's `Host` (without its port) as the SNI and the certificate's name.
    package var matchSNItoHost = false
    /// PEM file of authorities trusted beside the system's; nil: none.
    package var caPool: String?
    /// Accept any certificate.
    package var noTLSVerify = false
    /// Never send `Transfer-Encoding: chunked`: a body of unknown length is collected, up to
    /// `OriginLimits.collectedBodyBytes`, and sent with its length.
    package var disableChunkedEncoding = false
    /// Speak HTTP/2 if the origin does: over TLS as ALPN agrees, in the clear by prior knowledge (h2c),
    /// where cloudflared speaks HTTP/1.1. Upgrades (WebSocket) go over connections of HTTP/1.1.
    package var http2Origin = false
    /// Where the `bastion` and `socks-proxy` services may connect to. Empty: a bastion anywhere, a
    /// SOCKS proxy nowhere, as in cloudflared.
    package var ipRules: [IPRule] = []
    /// How it is asked whether it is well; nil: it is not.
    package var healthCheck: HealthCheckOptions?
    /// What is spoken with the visitor of a TCP service before its bytes are carried.
    package var proxyType = ProxyType.none
    /// Whether the rule is a bastion whatever its service says.
    package var bastionMode = false

    /// Who may visit; anybody by default.
    package var access = VisitorAccess()

    /// What is spoken ahead of the bytes.
    package enum ProxyType: String, Hashable, Sendable {
        /// Nothing.
        case none = ""
        /// SOCKS5; whatever the client asks for, it is connected to the service.
        case socks
    }

    /// What holds where a configuration says nothing: cloudflared's defaults.
    package init() {}
}

/// Limits that no configuration changes.
enum OriginLimits {
    /// A status line and fields, or a trailer section; past it the answer is malformed.
    static let headBytes = 64 * 1024
    /// Fields of a head or trailer section; past it the answer is malformed.
    static let fieldCount = 200
    /// Interim heads before an answer; past it the answer is malformed.
    static let interimHeads = 256
    /// A chunk's size line with its extensions; past it the answer is malformed.
    static let chunkLineBytes = 1024
    /// Body bytes collected for `disableChunkedEncoding`; past it `ResetCode.overLimit`.
    static let collectedBodyBytes = 64 * 1024
    /// Body bytes kept after they were written on a reused connection, which the origin may be about to close,
    /// until the answer begins; past it the request is not repeated.
    static let repeatableBodyBytes = 64 * 1024
    /// Unwritten bytes above which a connection takes no more: credit is withheld from there until
    /// fewer than `writeLowWaterBytes` are left.
    static let writeHighWaterBytes = 64 * 1024
    static let writeLowWaterBytes = 16 * 1024
    /// HTTP/2 streams at a time on one connection; fewer where the origin's SETTINGS say so.
    static let http2Streams = 100
    /// HTTP/2 connections to one origin from one event loop, without those that the origin has told to
    /// go away. Beyond it a request waits for a stream to end, for as long as `connectTimeout`, then:
    /// `ResetCode.overLimit`.
    static let http2Connections = 32
    /// What an origin may send on one HTTP/2 stream beyond what the tunnel has taken.
    static let http2StreamWindowBytes = 256 * 1024
    /// What it may send on all of a connection's before they are read; a stalled stream takes none
    /// of it.
    static let http2ConnectionWindowBytes = 1024 * 1024
    /// RST_STREAM, and PING, SETTINGS and PRIORITY, in one second each, of the latter one more for each DATA
    /// frame either way; past it the connection ends. gRPC measures its path with a PING in every round trip.
    static let http2FramesPerSecond = 5_000
    /// WINDOW_UPDATE frames beyond four for each frame that was sent; past it the connection ends.
    static let http2WindowUpdates = 10_000
}
