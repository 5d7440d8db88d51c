import HTTP2Wire
import HTTPSemantics
import NIOHPACK

/// The pseudo-fields of a request (RFC 9113 §8.3.1); NIOHTTP2 has checked that they are complete.
struct HTTP2PseudoFields: Equatable {
    var method = ""
    var path = ""
    var authority: String?
}

extension HTTP2PseudoFields {
    /// Splits a header block; cookie crumbs are joined again (RFC 9113 §8.2.3).
    ///
    /// - Returns: the fields without the pseudo-fields, and the block's size as
    ///   SETTINGS_MAX_HEADER_LIST_SIZE counts it (§6.5.2).
    static func split(
        _ headers: HPACKHeaders
    ) -> (pseudo: HTTP2PseudoFields, fields: HTTPFields, bytes: Int) {
        var pseudo = HTTP2PseudoFields()
        var fields = HTTPFields()
        fields.reserveCapacity(headers.count)
        var cookies: String?
        var bytes = 0
        for (name, value, _) in headers {
            bytes += name.utf8.count + value.utf8.count + 32
            switch name {
            case ":method": pseudo.method = value
            case ":path": pseudo.path = value
            case ":authority": pseudo.authority = value
            case ":scheme", ":protocol": break
            case "cookie": cookies = cookies.map { "\($0); \(value)" } ?? value
            default: fields.append(name, value)
            }
        }
        if let cookies { fields.append("cookie", cookies) }
        return (pseudo, fields, bytes)
    }
}

extension HPACKHeaders {
    /// The header block of an answer: status, then the end-to-end fields in lower case.
    init(_ head: ResponseHead) {
        self.init()
        self.reserveCapacity(head.fields.count + 1)
        self.add(name: ":status", value: String(head.status))
        for field in head.fields.storage where !HopByHop.isHopByHop(field.name) {
            let isLength =
                field.name.utf8.count == 14 && field.name.utf8.equalsLowercase("content-length")
            if isLength, head.status < 200 || head.status == 204 { continue }
            self.add(field)
        }
    }

    /// The header block of trailers.
    init(trailers: HTTPFields) {
        self.init()
        for field in trailers.storage { self.add(field) }
    }
}
