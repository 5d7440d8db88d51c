import HTTPSemantics

/// Sends visitors without TLS to the same place with it.
enum Redirect {
    /// 308, which keeps method and body (RFC 9110 §15.4.9).
    ///
    /// - Parameters:
    ///   - request: Gives host and path.
    ///   - port: Where visitors are served over TLS; named unless it is 443.
    /// - Returns: The head; there is no body.
    static func toHTTPS(_ request: VisitorRequest, port: Int) -> ResponseHead {
        let path = request.head.path == "*" ? "/" : request.head.path
        let authority = port == 443 ? request.host : "\(request.host):\(port)"
        return ResponseHead(
            status: 308,
            reason: "Permanent Redirect",
            fields: [
                "Location": "https://\(authority)\(path)",
                "Content-Length": "0",
                "X-Request-Id": request.id,
            ]
        )
    }
}
