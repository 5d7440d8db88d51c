import HTTPSemantics

/// A response head, and what its connection fields say about the message's framing (RFC 9112 §6).
struct ParsedHead {
    var head: ResponseHead
    var contentLength: Int?
    var isChunked = false
    var isPersistent = true
    var keepAliveSeconds: Int?
    private var closes = false

    /// Reads a head from its status line to its empty line; `lineCount` lines come before that one,
    /// the status line included.
    static func parse(
        _ bytes: UnsafeRawBufferPointer,
        _ lineCount: Int
    ) -> Result<ParsedHead, ResponseFault> {
        guard let end = bytes.firstIndex(ofByte: ASCII.lf),
            let line = StatusLine(UnsafeRawBufferPointer(rebasing: bytes[..<(end - 1)]))
        else {
            return .failure(.badStatusLine)
        }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[(end + 1)...])
        switch FieldLines.parse(rest, lineCount - 1) {
        case .failure(let fault): return .failure(fault)
        case .success(let fields):
            let head = ResponseHead(status: line.status, reason: line.reason, fields: fields)
            var parsed = ParsedHead(head: head)
            parsed.isPersistent = line.isVersion11
            if let fault = parsed.readFraming(isVersion11: line.isVersion11) {
                return .failure(fault)
            }
            return .success(parsed)
        }
    }

    private mutating func readFraming(isVersion11: Bool) -> ResponseFault? {
        var lengthFields = 0
        var codingFields = 0
        for field in self.head.fields.storage {
            // Lengths first: most names are none of these.
            switch field.name.utf8.count {
            case 14 where field.name.equalsIgnoringASCIICase("content-length"):
                lengthFields += 1
                guard let length = Self.contentLength(field.value),
                    length == self.contentLength ?? length
                else {
                    return .badContentLength
                }
                self.contentLength = length
                if field.value.utf8.contains(ASCII.comma) { lengthFields += 1 }
            case 17 where field.name.equalsIgnoringASCIICase("transfer-encoding"):
                codingFields += 1
                guard field.value.equalsIgnoringASCIICase("chunked") else { return .badFraming }
                self.isChunked = true
            case 10 where field.name.equalsIgnoringASCIICase("connection"):
                self.readConnection(field.value)
            case 10 where field.name.equalsIgnoringASCIICase("keep-alive"):
                self.keepAliveSeconds = Self.keepAliveTimeout(field.value)
            default: break
            }
        }
        // A length beside a coding, a coding twice, or one from HTTP/1.0: two readers could
        // disagree about the end of the message (RFC 9112 §6.1, §6.3).
        if codingFields > 1 { return .badFraming }
        if codingFields > 0, lengthFields > 0 || !isVersion11 { return .badFraming }
        self.repairLength(lengthFields)
        return nil
    }

    /// Leaves one Content-Length at most, and none where RFC 9110 §8.6 forbids it.
    private mutating func repairLength(_ lengthFields: Int) {
        guard lengthFields > 0, let length = self.contentLength else { return }
        let status = self.head.status
        if status < 200 || status == 204 {
            self.head.fields.remove("content-length")
        } else if lengthFields > 1 {
            self.head.fields.replace("Content-Length", String(length))
        }
    }

    private mutating func readConnection(_ value: String) {
        for option in FieldListElements(value) {
            if option.equalsLowercase("close") {
                self.closes = true
            } else if option.equalsLowercase("keep-alive") {
                self.isPersistent = true
            }
        }
        if self.closes { self.isPersistent = false }
    }

    /// The length all members of the list agree on; nil when they do not or one is no number.
    static func contentLength(_ value: String) -> Int? {
        if let length = MessageFraming.contentLength(value.utf8) { return Int(length) }
        var length: UInt64?
        for member in value.utf8.split(separator: ASCII.comma, omittingEmptySubsequences: false) {
            let digits = member.trimmingOptionalWhitespace
            guard let number = MessageFraming.contentLength(digits), number == length ?? number
            else { return nil }
            length = number
        }
        return length.map { Int($0) }
    }

    private static func keepAliveTimeout(_ value: String) -> Int? {
        for parameter in FieldListElements(value)
        where parameter.prefix(8).equalsLowercase("timeout=") {
            let digits = parameter.dropFirst(8)
            guard digits.count <= 9, let seconds = MessageFraming.contentLength(digits) else {
                return nil
            }
            return Int(seconds)
        }
        return nil
    }
}

/// `HTTP/1.1 200 OK` (RFC 9112 §4); the phrase, and the space before it, may be missing.
struct StatusLine {
    var isVersion11: Bool
    var status: UInt16
    var reason: String

    init?(_ line: UnsafeRawBufferPointer) {
        guard line.count >= 12, line.starts(likeStatusLine: ()), line[8] == ASCII.space else {
            return nil
        }
        switch line[7] {
        case UInt8(ascii: "1"): self.isVersion11 = true
        case UInt8(ascii: "0"): self.isVersion11 = false
        default: return nil
        }
        var status: UInt16 = 0
        for index in 9..<12 {
            guard line[index].isASCIIDigit else { return nil }
            status = status * 10 + UInt16(line[index] - 0x30)
        }
        guard status >= 100 else { return nil }
        self.status = status
        guard line.count > 12 else {
            self.reason = ""
            return
        }
        guard line[12] == ASCII.space else { return nil }
        for index in 13..<line.count where !line[index].isFieldValueByte { return nil }
        self.reason = String(octets: UnsafeRawBufferPointer(rebasing: line[13...]))
    }
}

/// `1a;name=value` (RFC 9112 §7.1); extensions are ignored.
enum ChunkLine {
    enum Result: Equatable {
        case incomplete
        case complete(length: Int, size: Int)
        case fault(ResponseFault)
    }

    static func parse(_ bytes: UnsafeRawBufferPointer) -> Result {
        var size = 0
        var index = 0
        while index < bytes.count, let digit = bytes[index].hexadecimalValue {
            // Fifteen digits: no overflow, and beyond any body.
            guard index < 15 else { return .fault(.badChunk) }
            size = size << 4 | Int(digit)
            index += 1
        }
        guard index < bytes.count else { return .incomplete }
        guard index > 0 else { return .fault(.badChunk) }
        switch bytes[index] {
        case ASCII.cr, ASCII.semicolon, ASCII.space, ASCII.tab: break
        default: return .fault(.badChunk)
        }
        while index < bytes.count, bytes[index].isFieldValueByte {
            guard index < OriginLimits.chunkLineBytes else { return .fault(.badChunk) }
            index += 1
        }
        guard index < bytes.count else { return .incomplete }
        guard bytes[index] == ASCII.cr else { return .fault(.badChunk) }
        guard index + 1 < bytes.count else { return .incomplete }
        guard bytes[index + 1] == ASCII.lf else { return .fault(.badChunk) }
        return .complete(length: index + 2, size: size)
    }
}
