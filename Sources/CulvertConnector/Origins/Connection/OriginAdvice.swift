import NIOSSL

/// Words for the log about an origin that the configuration does not fit, with the key that would.
enum OriginAdvice {
    static let http2Only = "it speaks HTTP/2 only: set originRequest.http2Origin: true"

    /// What is wrong with a TLS handshake.
    ///
    /// - Parameters:
    ///   - error: of NIOSSL.
    ///   - serverName: that the certificate was to carry; nil: the address that was dialled.
    ///   - offersHTTP2: whether ALPN named HTTP/2 beside HTTP/1.1.
    /// - Returns: a clause, to follow the origin's name.
    static func tls(_ error: any Error, serverName: String?, offersHTTP2: Bool) -> String {
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            return "its certificate is not for \(serverName ?? "the address in its URL"): "
                + "set originRequest.originServerName to a name that it is for"
        }
        let text = "\(error)"
        if text.contains("NO_APPLICATION_PROTOCOL") {
            return offersHTTP2 ? "it speaks neither HTTP/2 nor HTTP/1.1" : Self.http2Only
        }
        return Self.withoutSources(text)
    }

    /// BoringSSL's words without the file and line of its own source that they end in.
    private static func withoutSources(_ text: String) -> String {
        let pieces = text.split(separator: " at /", omittingEmptySubsequences: false)
        guard let first = pieces.first else { return text }
        return pieces.dropFirst().reduce(String(first)) { words, piece in
            words + piece.drop { $0 != "]" && $0 != "," && $0 != ")" }
        }
    }
}
