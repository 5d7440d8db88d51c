@testable import HTTPSemantics

extension RequestHeadGuard {
    /// The limits of a request's head; the defaults are the product's.
    struct Limits: Sendable {
        /// The request line, the fields and the empty line at the end, in bytes; beyond it 431.
        /// Chunk trailers are held to the same, counted anew. Default 32 KiB.
        var headBytes: Int
        /// The request target; beyond it 414. Default 16 KiB.
        var targetBytes: Int
        /// Fields of a head, and of a trailer section; beyond it 431. Default 100.
        var fields: Int

        init(headBytes: Int = 32 * 1024, targetBytes: Int = 16 * 1024, fields: Int = 100) {
            self.headBytes = headBytes
            self.targetBytes = targetBytes
            self.fields = fields
        }
    }

    /// What came of feeding one buffer.
    enum Outcome: Equatable, Sendable {
        /// All of it may go to the parser.
        case ok
        /// Nothing from the offence on may, and nothing that is fed later.
        case refused(Refusal)
    }

    /// An offence.
    struct Refusal: Equatable, Sendable {
        let reason: Reason
        /// How many bytes of the buffer just fed come before the offending one. They never complete
        /// the head at fault: whatever a parser makes of them had been accepted before.
        let bytesBefore: Int

        /// The status to answer with, after the answers to earlier requests.
        var status: UInt16 { self.reason.status }
    }

    /// Why a request was refused.
    enum Reason: String, Sendable, CaseIterable {
        case surplusEmptyLine = "more than one empty line before the request line"
        case bareCarriageReturn = "CR without LF"
        case bareLineFeed = "LF without CR"
        case controlByte = "a control character in the head"
        case invalidMethod = "the request line does not begin with a method and one space"
        case methodTooLong = "the method is longer than 32 bytes"
        case invalidTarget = "a byte in the request target that must be percent-encoded"
        case fragmentInTarget = "a fragment ('#') in the request target"
        case targetTooLong = "the request target is too long"
        case missingVersion = "HTTP/0.9: the request line has no version"
        case invalidRequestLine = "the request line is not METHOD SP TARGET SP HTTP/1.x"
        case unsupportedVersion = "the version is neither HTTP/1.0 nor HTTP/1.1"
        case leadingWhitespace = "white space before the first field"
        case obsoleteFolding = "a field line continued on the next line"
        case emptyFieldName = "a field without a name"
        case whitespaceBeforeColon = "white space in or after a field name"
        case invalidFieldName = "a character in a field name that none may have"
        case headTooLarge = "the head is too large"
        case tooManyFields = "too many fields"
        case missingHost = "an HTTP/1.1 request without Host"
        case repeatedHost = "more than one Host"
        case invalidContentLength = "Content-Length is not one decimal number"
        case repeatedContentLength = "more than one Content-Length"
        case unsupportedTransferEncoding = "Transfer-Encoding is not exactly 'chunked'"
        case repeatedTransferEncoding = "more than one Transfer-Encoding"
        case transferEncodingInHTTP10 = "Transfer-Encoding in HTTP/1.0"
        case transferEncodingAndContentLength = "both Transfer-Encoding and Content-Length"
        case contentInConnect = "CONNECT with content"
        case invalidChunkSize = "a chunk size that is not 1 to 15 hexadecimal digits"
        case invalidChunkExtension = "a chunk extension with other than visible ASCII"
        case chunkExtensionTooLong = "chunk extensions that are too long"
        case missingChunkEnd = "a chunk that is not followed by CRLF"
        case forbiddenTrailer = "a trailer that would change framing or routing"
        /// Bytes after an upgrade or CONNECT that has not been answered.
        case dataBeforeSwitch = "bytes after an upgrade request that is not answered yet"
        /// Bytes after a request that said it was the last: drop them, answer nothing (RFC 9112 §9.6).
        case dataAfterClose = "bytes after the last request of the connection"

        var status: UInt16 {
            switch self {
            case .targetTooLong: 414
            case .headTooLarge, .tooManyFields: 431
            case .methodTooLong, .unsupportedTransferEncoding: 501
            case .unsupportedVersion: 505
            default: 400
            }
        }
    }
}
