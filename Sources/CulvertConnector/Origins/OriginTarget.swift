import HTTPSemantics

/// One origin as the exchanges see it: a service with its options, made once per ingress rule when a
/// configuration is loaded, and shared by all event loops. Its identity is what connections are
/// pooled by.
package final class OriginTarget: Sendable {
    /// Where connections are made to, or what the connector answers itself.
    package let service: OriginService
    /// How connections are made, kept and spoken over.
    package let options: OriginOptions
    /// The service in words, for logs.
    let name: String
    /// The rule's hostname, `*` for one without.
    let hostname: String

    /// A target of its own, even for the same service: connections are not shared with another one.
    /// `hostname` is for records.
    package init(
        service: OriginService,
        options: OriginOptions = OriginOptions(),
        hostname: String = "*"
    ) {
        self.service = service
        self.options = options
        self.hostname = hostname
        self.name = service.description
    }

    /// Whether bodies of unknown length are collected: `disableChunkedEncoding`, unless the origin is
    /// spoken to in HTTP/2 by prior knowledge, where there are no chunks.
    var collectsBodies: Bool {
        let isHTTP2 = self.options.http2Origin && !self.service.isTLS
        return self.options.disableChunkedEncoding && !isHTTP2
    }

    /// The SNI and the name the certificate must carry; nil without TLS, and for an address, which
    /// SNI cannot name (RFC 6066 §3) and the certificate must then list. `host` is the request's
    /// `Host`, with or without a port.
    func serverName(host: String) -> String? {
        let name: String
        switch self.service {
        case .http, .unix, .httpStatus, .helloWorld, .tcp, .bastion, .socksProxy: return nil
        case .https(let serviceHost, _):
            name =
                self.options.matchSNItoHost
                ? Self.withoutPort(host) : self.options.originServerName ?? serviceHost
        case .unixTLS:
            // A socket has no name of its own: the visitor's, as cloudflared has it.
            let own = self.options.matchSNItoHost ? nil : self.options.originServerName
            name = own ?? Self.withoutPort(host)
        }
        return Self.isAddress(name) ? nil : name
    }

    private static func withoutPort(_ host: String) -> String {
        if host.utf8.first == UInt8(ascii: "[") {
            return String(host.dropFirst().prefix { $0 != "]" })
        }
        return String(host.prefix { $0 != ":" })
    }

    private static func isAddress(_ name: String) -> Bool {
        name.isEmpty || name.utf8.contains(ASCII.colon)
            || name.utf8.allSatisfy { $0.isASCIIDigit || $0 == UInt8(ascii: ".") }
    }
}
