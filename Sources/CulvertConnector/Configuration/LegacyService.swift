import ConfigurationFile

/// cloudflared's keys for a tunnel with a single service, from before `ingress`.
struct LegacyService {
    private let helloWorld: ConfigurationValue?
    private let bastion: ConfigurationValue?
    private let url: ConfigurationValue?
    private let unixSocket: ConfigurationValue?
    private let root: ConfigurationMapping

    init(_ root: ConfigurationMapping) {
        self.root = root
        self.helloWorld = root.take("hello-world")
        self.bastion = root.take("bastion")
        self.url = root.take("url")
        self.unixSocket = root.take("unix-socket")
    }

    /// The service, or nil when no key names one.
    func service() -> OriginService? {
        if self.helloWorld?.bool() == true { return .helloWorld }
        if self.bastion?.bool() == true { return .bastion }
        if let url, let unixSocket {
            unixSocket.report("cannot be combined with `url`, on line \(url.place.line)")
        }
        if let url, let text = url.string() {
            do {
                return try OriginService(legacyURL: text)
            } catch {
                url.report(error.message)
                return .httpStatus(503)
            }
        }
        if let unixSocket, let path = unixSocket.filePath() {
            return .unix(path: path)
        }
        return nil
    }

    /// As cloudflared does when there is `ingress`: it wins.
    func dismiss() {
        for value in [self.helloWorld, self.bastion, self.url, self.unixSocket] {
            value?.notice("ignored: the rules of `ingress` take its place")
        }
        var origin = OriginOptions()
        self.read(into: &origin)
    }

    /// The keys that say for a single service what `originRequest` says for rules.
    func read(into origin: inout OriginOptions) {
        self.root.read("proxy-connect-timeout", into: &origin.connectTimeout) { $0.duration() }
        self.root.read("proxy-tls-timeout", into: &origin.tlsTimeout) { $0.duration() }
        self.root.read("proxy-tcp-keepalive", into: &origin.tcpKeepAlive) { $0.duration() }
        self.root.read("proxy-no-happy-eyeballs", into: &origin.noHappyEyeballs) { $0.bool() }
        self.root.read("proxy-keepalive-connections", into: &origin.keepAliveConnections) {
            $0.int(0...1_000_000)
        }
        self.root.read("proxy-keepalive-timeout", into: &origin.keepAliveTimeout) {
            $0.duration()
        }
        self.root.read("http-host-header", into: &origin.httpHostHeader) { $0.fieldValue() }
        self.root.read("origin-server-name", into: &origin.originServerName) { $0.fieldValue() }
        self.root.read("match-sni-to-host", into: &origin.matchSNItoHost) { $0.bool() }
        self.root.read("origin-ca-pool", into: &origin.caPool) { $0.authorityFile() }
        self.root.read("no-tls-verify", into: &origin.noTLSVerify) { $0.bool() }
        self.root.read("no-chunked-encoding", into: &origin.disableChunkedEncoding) { $0.bool() }
        self.root.read("http2-origin", into: &origin.http2Origin) { $0.bool() }
        self.root.read("socks5", into: &origin.proxyType) { value in
            value.bool().map { $0 ? .socks : .none }
        }
    }
}
