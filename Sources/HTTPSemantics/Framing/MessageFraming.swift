/// How a message's body ends (RFC 9112 §6.3).
package enum BodyFraming: Equatable, Sendable {
    /// No body: the message may not have one, or announces none or zero bytes.
    case none
    /// 0…999,999,999,999,999,999 bytes.
    case length(UInt64)
    /// Chunks, then perhaps trailers (RFC 9112 §7.1); the only coding that is taken.
    case chunked
    /// A response whose body ends with its connection: a cut cannot be told from the end.
    case untilClose
}

/// The rules a strict proxy holds heads to after they have been parsed into fields.
///
/// Stricter than RFC 9112 where two readers could differ: a list of equal `Content-Length`s is
/// refused (§6.3 lets one repair it), so is any coding but `chunked` alone, and both fields at once in
/// either direction. Values have no OWS at their ends any more: parsers trim it (§5.1), HTTP/2 forbids
/// it (RFC 9113 §8.2.1), so what is left was smuggled past one.
package enum MessageFraming {
    /// Checks an HTTP/1 request and says how its body ends.
    ///
    /// - Parameters:
    ///   - method: Case-sensitive.
    ///   - minorVersion: 0 for HTTP/1.0, 1 for HTTP/1.1.
    ///   - fields: As received, `Host` included.
    /// - Returns: Never `.untilClose`; `.none` for no body or a length of zero.
    /// - Throws: `FramingError`.
    package static func request(
        method: String,
        minorVersion: Int,
        fields: HTTPFields
    ) throws(FramingError) -> BodyFraming {
        guard !method.isEmpty, method.allBytes({ $0.isToken }) else { throw .invalidMethod }
        let summary = try FieldSummary(fields)
        if summary.hosts == 0, minorVersion > 0 { throw .missingHost }
        let framing = try Self.framing(summary, minorVersion: minorVersion) ?? .none
        if method == "CONNECT", framing != .none { throw .unexpectedBody }
        return framing
    }

    /// Checks an HTTP/1 response and says how its body ends.
    ///
    /// HEAD, 1xx, 204 and 304 have no body whatever their fields say; a 1xx or 204 with
    /// `Transfer-Encoding` is refused (RFC 9112 §6.1), with a `Content-Length` other than 0 too: a
    /// lenient origin may send that body.
    /// - Parameters:
    ///   - status: 100…999, else `.invalidStatus`.
    ///   - requestMethod: Of the request it answers.
    ///   - minorVersion: 0 for HTTP/1.0, 1 for HTTP/1.1.
    ///   - fields: As received.
    /// - Returns: How the body ends; `.untilClose` where nothing says so.
    /// - Throws: `FramingError`; answer the visitor 502.
    package static func response(
        status: UInt16,
        requestMethod: String,
        minorVersion: Int,
        fields: HTTPFields
    ) throws(FramingError) -> BodyFraming {
        guard (100...999).contains(status) else { throw .invalidStatus }
        let summary = try FieldSummary(fields)
        let framing = try Self.framing(summary, minorVersion: minorVersion)
        if status < 200 || status == 204 {
            guard framing == nil || framing == BodyFraming.none else { throw .unexpectedBody }
            return .none
        }
        if requestMethod == "HEAD" || status == 304 { return .none }
        return framing ?? .untilClose
    }

    /// Checks an HTTP/2 request's fields, pseudo-fields taken out (RFC 9113 §8.2).
    ///
    /// That `:authority` and `host` agree is `RequestControlData`'s to check.
    /// - Parameters:
    ///   - method: `:method`.
    ///   - fields: The regular fields.
    /// - Returns: The content length the DATA frames have to add up to, or nil.
    /// - Throws: `FramingError`; the stream ends with 400 or PROTOCOL_ERROR.
    package static func http2Request(
        method: String,
        fields: HTTPFields
    ) throws(FramingError) -> UInt64? {
        guard !method.isEmpty, method.allBytes({ $0.isToken }) else { throw .invalidMethod }
        for field in fields.storage {
            let name = field.name
            if name.utf8.contains(where: { (0x41...0x5A).contains($0) }) {
                throw .uppercaseFieldName
            }
            switch name {
            case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
                throw .connectionSpecificField(name)
            case "te" where !field.value.isField("trailers"):
                throw .connectionSpecificField(name)
            default:
                continue
            }
        }
        return try FieldSummary(fields).contentLength
    }

    /// Whether a text can be a field name: a non-empty token (RFC 9110 §5.1).
    package static func isFieldName(_ name: String) -> Bool {
        !name.isEmpty && name.allBytes({ $0.isToken })
    }

    /// Whether a text can be a field value: no control but HTAB, no OWS at its ends; empty is fine.
    package static func isFieldValue(_ value: String) -> Bool {
        let utf8 = value.utf8
        guard let first = utf8.first, let last = utf8.last else { return true }
        return !first.isOptionalWhitespace && !last.isOptionalWhitespace
            && value.hasOnlyFieldValueBytes
    }

    /// Reads 1*DIGIT, at most 18 digits; nil for anything else, signs, lists and blanks included.
    package static func contentLength(_ digits: some Collection<UInt8>) -> UInt64? {
        guard (1...18).contains(digits.count) else { return nil }
        var length: UInt64 = 0
        for digit in digits {
            guard digit.isASCIIDigit else { return nil }
            length = length * 10 + UInt64(digit &- 0x30)
        }
        return length
    }

    private static func framing(
        _ summary: FieldSummary,
        minorVersion: Int
    ) throws(FramingError) -> BodyFraming? {
        guard summary.isChunked else {
            return summary.contentLength.map { $0 == 0 ? .none : .length($0) }
        }
        if summary.contentLength != nil { throw .transferEncodingAndContentLength }
        if minorVersion == 0 { throw .transferEncodingInHTTP10 }
        return .chunked
    }
}

/// What one look at the fields finds of all that framing rests on.
private struct FieldSummary {
    var hosts = 0
    var contentLength: UInt64?
    var isChunked = false
    private var connectionOptions = 0

    init(_ fields: HTTPFields) throws(FramingError) {
        for field in fields.storage {
            guard MessageFraming.isFieldName(field.name) else { throw .invalidFieldName }
            guard MessageFraming.isFieldValue(field.value) else {
                throw .invalidFieldValue(field.name)
            }
            switch field.name.utf8.count {
            case 4 where field.name.isField("host"):
                guard self.hosts == 0 else { throw .repeatedHost }
                self.hosts = 1
            case 10 where field.name.isField("connection"):
                for _ in FieldListElements(field.value) { self.connectionOptions += 1 }
                guard self.connectionOptions <= HopByHop.maxConnectionOptions else {
                    throw .tooManyConnectionOptions
                }
            case 14 where field.name.isField("content-length"):
                let digits = field.value.utf8
                guard self.contentLength == nil, !digits.isEmpty,
                    digits.allSatisfy(\.isASCIIDigit)
                else { throw .invalidContentLength }
                guard let length = MessageFraming.contentLength(digits) else {
                    throw .contentLengthTooLarge
                }
                self.contentLength = length
            case 17 where field.name.isField("transfer-encoding"):
                guard !self.isChunked, field.value.isField("chunked") else {
                    throw self.isChunked ? .chunkedNotLast : Self.fault(ofCodings: field.value)
                }
                self.isChunked = true
            default:
                continue
            }
        }
    }

    /// What is wrong with a line of codings that is not just `chunked`.
    private static func fault(ofCodings value: String) -> FramingError {
        let isChunked = FieldListElements(value).map { $0.equalsLowercase("chunked") }
        let isOnceAndLast = isChunked.firstIndex(of: true) == isChunked.count - 1
        return isOnceAndLast ? .unsupportedTransferEncoding : .chunkedNotLast
    }
}
