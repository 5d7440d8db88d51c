/// Why a connection is over, or never came to be.
package enum TransportCloseReason: Sendable, Equatable {
    /// This end called `close` or `abort`.
    case closedHere
    /// This transport shuts down.
    case shutdown
    /// The peer's close frame; 1005 when it carried no code (RFC 6455 §7.1.5).
    case closedByPeer(code: UInt16, reason: String)
    /// The connection broke without a close frame: reset, end of stream, dead path.
    case lost(String)
    /// The handshake took longer than the configuration's timeout.
    case timedOut
    /// The server's certificate was not believed.
    case untrustedCertificate(UntrustedCertificate)
    /// TLS failed for another reason, or the peer does not speak it.
    case tlsFailed(String)
    /// The server answered the upgrade with something else than 101.
    case refused(RefusedUpgrade)
    /// The peer broke WebSocket or the transport's rules; it was told so with a close frame.
    case violation(String)
    /// `maximumConnections` are there already.
    case overLimit
}

/// A certificate that verification stopped at.
package struct UntrustedCertificate: Sendable, Equatable {
    /// OpenSSL's X509_V_ERR_… number: 10 expired, 18…20 unknown issuer, 62 other hostname.
    package let code: Int
    /// OpenSSL's words for it.
    package let reason: String
    /// The subject of the certificate at fault, RFC 2253 style.
    package let subject: String
    /// 0 for the server's own certificate, above it the chain's.
    package let depth: Int
}

/// A server's answer that is no upgrade. Its body is not available.
package struct RefusedUpgrade: Sendable, Equatable {
    /// The HTTP status, never 101.
    package let status: Int
    /// `Culvert-Error`, the code an edge gives; nil when something else answered.
    package let errorCode: String?
    /// `Retry-After` as it came.
    package let retryAfter: String?
    /// `Location`: a captive portal's page, for example.
    package let location: String?
}

extension TransportCloseReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .closedHere: "closed here"
        case .shutdown: "the transport shuts down"
        case .closedByPeer(let code, let reason):
            reason.isEmpty
                ? "closed by the peer (\(code))" : "closed by the peer (\(code) \(reason))"
        case .lost(let words): "connection lost: \(words)"
        case .timedOut: "the handshake timed out"
        case .untrustedCertificate(let certificate):
            "the certificate of \(certificate.subject) is not trusted: \(certificate.reason)"
        case .tlsFailed(let words): "TLS failed: \(words)"
        case .refused(let answer):
            "the upgrade was answered with HTTP \(answer.status)"
                + (answer.errorCode.map { " (\($0))" } ?? "")
        case .violation(let words): "the peer broke the protocol: \(words)"
        case .overLimit: "too many connections"
        }
    }
}
