package import HTTPSemantics

/// How a call of gRPC is told that it has failed before its server answered: by an answer that is a head alone
/// ("Trailers-Only"), HTTP's status 200, and gRPC's own status with words in it. Clients make `Unknown`,
/// without a reason, of most else.
///
/// After "gRPC over HTTP2" and "HTTP to gRPC Status Code Mapping", both of gRPC's documentation.
package enum GRPCAnswer {
    private static let type: StaticString = "application/grpc"

    /// The content type to answer a call in, without its parameters: `application/grpc`, or with `+proto` and
    /// the like; nil for a request that is no call. gRPC-Web is none: it has its own form of answers.
    package static func contentType(of request: HTTPFields) -> String? {
        guard let value = request.first("content-type") else { return nil }
        let end = value.utf8.firstIndex { !$0.isToken && $0 != UInt8(ascii: "/") }
        let type = String(value[..<(end ?? value.endIndex)])
        let length = Self.type.utf8CodeUnitCount
        let rest = type.utf8.dropFirst(length)
        guard type.utf8.prefix(length).equalsLowercase(Self.type),
            rest.isEmpty || rest.first == UInt8(ascii: "+")
        else { return nil }
        return type
    }

    /// The answer, which has no body.
    ///
    /// - Parameters:
    ///   - status: what HTTP would have said, 400 or higher.
    ///   - message: words for a person.
    ///   - contentType: of the call.
    /// - Returns: a head that ends its stream.
    package static func head(
        insteadOf status: UInt16,
        message: String,
        contentType: String
    ) -> ResponseHead {
        let fields: HTTPFields = [
            "Content-Type": contentType,
            "grpc-status": String(Self.code(status)),
            "grpc-message": Self.encoded(message),
        ]
        return ResponseHead(status: 200, reason: "OK", fields: fields)
    }

    /// As gRPC's table has it; where that has nothing but UNKNOWN, what says more.
    static func code(_ status: UInt16) -> Int {
        switch status {
        // DEADLINE_EXCEEDED: what was waited for did not come.
        case 408: 4
        // PERMISSION_DENIED.
        case 403: 7
        // RESOURCE_EXHAUSTED: larger than it may be, as gRPC's own servers say of messages and fields.
        case 413, 414, 431: 8
        // UNIMPLEMENTED.
        case 404, 405, 501: 12
        // INTERNAL.
        case 400, 508: 13
        // UNAVAILABLE: the client may try again; with 421, over another connection.
        case 421, 429, 502, 503, 504: 14
        // UNAUTHENTICATED.
        case 401: 16
        // UNKNOWN.
        default: 2
        }
    }

    /// Percent-encoded but for printable ASCII, without the percent sign itself.
    static func encoded(_ message: String) -> String {
        var encoded = ""
        for byte in message.utf8 {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.utf8.count < 2 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return encoded
    }
}
