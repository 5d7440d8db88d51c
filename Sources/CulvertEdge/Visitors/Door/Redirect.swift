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
        let path = request.head.path == "*" ? "/" : Self.escaped(request.head.path)
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

    /// A target as a URL may have it: what no URL has (RFC 3986 §2), and a page could take for markup, as `%XX`.
    private static func escaped(_ target: String) -> String {
        guard target.utf8.contains(where: Self.isEscaped) else { return target }
        var text = ""
        for byte in target.utf8 {
            if Self.isEscaped(byte) {
                let digits = String(byte, radix: 16, uppercase: true)
                text += digits.count < 2 ? "%0\(digits)" : "%\(digits)"
            } else {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return text
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        switch byte {
        case ...0x20, 0x7F..., UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"),
            UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"),
            UInt8(ascii: "|"), UInt8(ascii: "}"):
            true
        default: false
        }
    }
}
