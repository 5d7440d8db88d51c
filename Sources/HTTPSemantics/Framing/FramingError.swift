/// Why a message's head cannot be trusted to say where the message ends, or is malformed.
package enum FramingError: Error, Equatable, Sendable {
    /// Empty, or not a token (RFC 9110 §9.1).
    case invalidMethod
    /// Empty, or not a token (RFC 9110 §5.1).
    case invalidFieldName
    /// The name of the field; its value has a CR, LF, NUL, another control, or OWS at an end.
    case invalidFieldValue(String)
    /// An HTTP/1.1 request without `Host` (RFC 9112 §3.2); HTTP/1.0 may do without.
    case missingHost
    /// More than one `Host` line, equal ones too (RFC 9112 §3.2).
    case repeatedHost
    /// Not 1*DIGIT, a list, or twice.
    case invalidContentLength
    /// Over 18 digits: a number, but more than is counted here (RFC 9110 §8.6).
    case contentLengthTooLarge
    /// A coding beside `chunked`, which is the last one (RFC 9112 §6.1).
    case unsupportedTransferEncoding
    /// Not `chunked` in the end, or twice: nobody knows where the body ends (RFC 9112 §6.3).
    case chunkedNotLast
    /// The framing counts as faulty, whatever the coding (RFC 9112 §6.1).
    case transferEncodingInHTTP10
    /// The request smuggler's classic (RFC 9112 §6.3, item 3): refused, never repaired.
    case transferEncodingAndContentLength
    /// CONNECT with content, or an interim or 204 answer with a body's framing.
    case unexpectedBody
    /// More options than `HopByHop.maxConnectionOptions`.
    case tooManyConnectionOptions
    /// Outside 100…999.
    case invalidStatus
    /// A connection-specific field in HTTP/2 (RFC 9113 §8.2.2), `te` other than `trailers` included.
    case connectionSpecificField(String)
    /// A capital in an HTTP/2 field name (RFC 9113 §8.2.1).
    case uppercaseFieldName

    /// The status a request's sender gets: 501 for a coding that is not known, else 400. A response with one of these is a 502 to the visitor, whatever this says.
    package var status: UInt16 {
        switch self {
        case .unsupportedTransferEncoding: 501
        default: 400
        }
    }
}

extension FramingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidMethod: "the method is not a token"
        case .invalidFieldName: "a field name is empty or has a character that none may have"
        case .invalidFieldValue(let name):
            "field '\(name)' has a control character or stray white space"
        case .missingHost: "an HTTP/1.1 request needs a Host field"
        case .repeatedHost: "there is more than one Host field"
        case .invalidContentLength: "Content-Length is not one decimal number"
        case .contentLengthTooLarge: "Content-Length has more than 18 digits"
        case .unsupportedTransferEncoding: "Transfer-Encoding is not exactly 'chunked'"
        case .chunkedNotLast: "Transfer-Encoding does not end with a single 'chunked'"
        case .transferEncodingInHTTP10: "Transfer-Encoding has no meaning in HTTP/1.0"
        case .transferEncodingAndContentLength:
            "Transfer-Encoding and Content-Length contradict each other"
        case .unexpectedBody: "this message cannot have a body, but says it has one"
        case .tooManyConnectionOptions:
            "Connection lists more than \(HopByHop.maxConnectionOptions) options"
        case .invalidStatus: "the status is outside 100 to 999"
        case .connectionSpecificField(let name): "field '\(name)' must not appear in HTTP/2"
        case .uppercaseFieldName: "HTTP/2 field names must be lower-case"
        }
    }
}
