import HTTPSemantics
import NIOCore

/// An HTTP/1 request's head as it stood on the wire (RFC 9112 §3, §5).
struct HTTP1RequestHead: Equatable {
    var method: String
    var target: String
    /// 0 or 1: higher minor versions speak as 1.1 (RFC 9110 §2.5).
    var minorVersion: UInt8
    var fields: HTTPFields
    /// Never `.untilClose`.
    var framing: BodyFraming
}

/// What `HTTP1RequestParser` found next.
enum HTTP1RequestEvent: Equatable {
    case head(HTTP1RequestHead)
    /// A piece of the body, never empty.
    case body(ByteBuffer)
    /// The request is complete; nil without trailers.
    case end(HTTPFields?)
}

/// Reads requests off a connection: one event per call, stopping at the end of each request.
///
/// Strict where readers differ, so that nobody behind it can see other messages than it does:
/// lines end in CRLF and nothing else, no folding, no space before a colon, no control bytes, one
/// way to frame a body. Any method token is read, and `Upgrade` changes nothing: that is why the
/// decoder of NIOHTTP1 is not used (it knows a list of methods, and stops at `Upgrade`).
/// What it consumes it takes from the buffer given; the caller keeps the rest for the next call.
struct HTTP1RequestParser {
    private enum State {
        case requestLine
        case fields
        case fixedBody(remaining: Int)
        case chunkSize
        case chunkData(remaining: Int)
        case chunkDataEnd
        case trailers
        case end
        case failed
    }

    private let limits: VisitorLimits
    private var state = State.requestLine
    /// Bytes of the current line that have been searched for its end.
    private var searchedBytes = 0
    /// Bytes of the lines of this head, or trailer section, that have been taken.
    private var sectionBytes = 0
    private var emptyLines = 0
    private var chunkExtensionBytes = 0
    private var method = ""
    private var target = ""
    private var minorVersion: UInt8 = 1
    private var fields = HTTPFields()

    init(limits: VisitorLimits) { self.limits = limits }

    /// Whether a request has begun and its head is not complete.
    var isWithinHead: Bool {
        switch self.state {
        case .requestLine: self.searchedBytes > 0 || self.emptyLines > 0
        case .fields: true
        default: false
        }
    }

    /// The request line's method and target as far as they are known, for the log of a failure.
    var partialHead: (method: String, target: String) { (self.method, self.target) }

    /// The fields read so far of a head that failed, so that its answer can suit its reader.
    var partialFields: HTTPFields { self.fields }

    /// Takes the next event from `buffer`, or nil when more bytes are needed.
    ///
    /// - Throws: `EdgeFailure`; nothing more is read afterwards.
    mutating func next(_ buffer: inout ByteBuffer) throws(EdgeFailure) -> HTTP1RequestEvent? {
        do {
            return try self.advance(&buffer)
        } catch {
            self.state = .failed
            throw error
        }
    }

    private mutating func advance(
        _ buffer: inout ByteBuffer
    ) throws(EdgeFailure) -> HTTP1RequestEvent? {
        while true {
            switch self.state {
            case .requestLine:
                guard let line = try self.line(&buffer) else { return nil }
                try self.readRequestLine(line)
            case .fields:
                guard let line = try self.line(&buffer) else { return nil }
                guard line.readableBytes > 0 else {
                    return .head(try self.finishHead())
                }
                try self.readField(line)
            case .fixedBody(let remaining):
                return self.takeBody(&buffer, remaining: remaining, chunked: false)
            case .chunkSize:
                guard let line = try self.line(&buffer) else { return nil }
                try self.readChunkSize(line)
            case .chunkData(let remaining):
                return self.takeBody(&buffer, remaining: remaining, chunked: true)
            case .chunkDataEnd:
                guard let line = try self.line(&buffer) else { return nil }
                guard line.readableBytes == 0 else {
                    throw .badRequest("A chunk is longer than its size says")
                }
                self.state = .chunkSize
            case .trailers:
                guard let line = try self.line(&buffer) else { return nil }
                if line.readableBytes > 0 {
                    try self.readField(line)
                } else {
                    self.state = .end
                }
            case .end:
                let trailers = self.fields.isEmpty ? nil : self.fields
                self.reset()
                return .end(trailers)
            case .failed:
                return nil
            }
        }
    }

    private mutating func reset() {
        self.state = .requestLine
        self.searchedBytes = 0
        self.sectionBytes = 0
        self.emptyLines = 0
        self.chunkExtensionBytes = 0
        self.method = ""
        self.target = ""
        self.fields = HTTPFields()
    }

    private mutating func takeBody(
        _ buffer: inout ByteBuffer,
        remaining: Int,
        chunked: Bool
    ) -> HTTP1RequestEvent? {
        let count = min(remaining, buffer.readableBytes)
        guard count > 0, let piece = buffer.readSlice(length: count) else { return nil }
        if count < remaining {
            let rest = remaining - count
            self.state = chunked ? .chunkData(remaining: rest) : .fixedBody(remaining: rest)
        } else {
            self.state = chunked ? .chunkDataEnd : .end
        }
        return .body(piece)
    }
}

// MARK: - Lines

extension HTTP1RequestParser {
    /// Takes a line without its CRLF; nil when it is not complete.
    private mutating func line(_ buffer: inout ByteBuffer) throws(EdgeFailure) -> ByteBuffer? {
        let searched = self.searchedBytes
        let lineFeed = buffer.withUnsafeReadableBytes {
            $0.firstIndex(ofByte: 0x0A, from: searched)
        }
        guard let count = lineFeed else {
            self.searchedBytes = buffer.readableBytes
            try self.checkSize(self.sectionBytes + self.searchedBytes)
            return nil
        }
        guard count > 0, buffer.getInteger(at: buffer.readerIndex + count - 1) == 0x0D as UInt8
        else {
            throw .badRequest("A line ends in LF without CR before it")
        }
        self.searchedBytes = 0
        self.sectionBytes += count + 1
        try self.checkSize(self.sectionBytes)
        let line = buffer.readSlice(length: count - 1)
        buffer.moveReaderIndex(forwardBy: 2)
        return line
    }

    private func checkSize(_ sectionBytes: Int) throws(EdgeFailure) {
        switch self.state {
        case .requestLine where sectionBytes > self.limits.targetBytes + 64: throw .targetTooLong
        case .fields, .trailers:
            if sectionBytes > self.limits.headerBytes { throw .headerTooLarge }
        case .chunkSize where sectionBytes > self.limits.headerBytes:
            throw .badRequest("The chunk sizes carry too many extensions")
        case .chunkDataEnd where sectionBytes > self.limits.headerBytes:
            throw .badRequest("A chunk is longer than its size says")
        default: break
        }
    }

    private mutating func readRequestLine(_ line: ByteBuffer) throws(EdgeFailure) {
        guard line.readableBytes > 0 else {
            // RFC 9112 §2.2: an empty line before a request is ignored; a stream of them is not.
            self.emptyLines += 1
            guard self.emptyLines <= 4 else { throw .badRequest("There is no request line") }
            self.sectionBytes = 0
            return
        }
        let bytes = line.readableBytesView
        guard let first = bytes.firstIndex(of: 0x20), first > bytes.startIndex,
            let second = bytes[(first + 1)...].firstIndex(of: 0x20), second > first + 1
        else { throw .badRequest("The request line is not 'method target version'") }
        let version = bytes[(second + 1)...]
        guard version.starts(with: "HTTP/".utf8), version.count == 8,
            let major = version.dropFirst(5).first, major.isASCIIDigit,
            version.dropFirst(6).first == 0x2E, let minor = version.last, minor.isASCIIDigit
        else { throw .badRequest("The request line is not 'method target version'") }
        let method = bytes[..<first]
        guard method.count <= 64, method.allSatisfy({ $0.isToken }) else {
            throw .badRequest("The method is not a token")
        }
        self.method = String(decoding: method, as: UTF8.self)
        guard major == 0x31 else { throw .versionNotSupported }
        let target = bytes[(first + 1)..<second]
        guard target.allSatisfy({ $0.isVisibleASCII }) else {
            throw .badRequest("The target has bytes that must be percent-encoded")
        }
        self.target = String(decoding: target, as: UTF8.self)
        guard target.count <= self.limits.targetBytes else { throw .targetTooLong }
        self.minorVersion = minor == 0x30 ? 0 : 1
        self.fields.reserveCapacity(16)
        self.state = .fields
    }

    private mutating func readField(_ line: ByteBuffer) throws(EdgeFailure) {
        guard self.fields.count < self.limits.headerFields else { throw .headerTooLarge }
        switch line.withUnsafeReadableBytes(Self.field) {
        case .success(let field): self.fields.storage.append(field)
        case .failure(let failure): throw failure
        }
    }

    /// Reads `name ":" OWS value OWS` (RFC 9112 §5.1); folded lines begin with a space and so have
    /// no token for a name.
    private static func field(
        _ line: UnsafeRawBufferPointer
    ) -> Result<HTTPFields.Field, EdgeFailure> {
        guard let colon = line.firstIndex(where: { !$0.isToken }), line[colon] == 0x3A, colon > 0
        else { return .failure(.badRequest("A header field is not 'name: value'")) }
        let value = UnsafeRawBufferPointer(
            rebasing: line[(colon + 1)...].trimmingOptionalWhitespace
        )
        guard value.isFieldValue else {
            return .failure(
                .badRequest("A header field has control characters in its value")
            )
        }
        return .success(
            (
                name: String(octets: UnsafeRawBufferPointer(rebasing: line[..<colon])),
                value: String(octets: value)
            )
        )
    }

    private mutating func finishHead() throws(EdgeFailure) -> HTTP1RequestHead {
        let framing: BodyFraming
        do {
            framing = try MessageFraming.request(
                method: self.method,
                minorVersion: Int(self.minorVersion),
                fields: self.fields
            )
        } catch {
            throw EdgeFailure(error)
        }
        if case .length(let count) = framing, let limit = self.limits.bodyBytes, count > limit {
            throw .bodyTooLarge
        }
        let head = HTTP1RequestHead(
            method: self.method,
            target: self.target,
            minorVersion: self.minorVersion,
            fields: self.fields,
            framing: framing
        )
        self.fields = HTTPFields()
        self.sectionBytes = 0
        switch framing {
        case .none, .untilClose: self.state = .end
        case .length(let count): self.state = .fixedBody(remaining: Int(count))
        case .chunked: self.state = .chunkSize
        }
        return head
    }

    /// Reads `1*HEXDIG [chunk-ext]` (RFC 9112 §7.1); extensions are checked and dropped.
    private mutating func readChunkSize(_ line: ByteBuffer) throws(EdgeFailure) {
        let bytes = line.readableBytesView
        var size = 0
        var index = bytes.startIndex
        while index < bytes.endIndex, let digit = bytes[index].hexadecimalValue {
            guard index - bytes.startIndex < 15 else {
                throw .badRequest("A chunk size has too many digits")
            }
            size = size << 4 | Int(digit)
            index += 1
        }
        guard index > bytes.startIndex else { throw .badRequest("A chunk size is no number") }
        let rest = bytes[index...]
        let blank = rest.prefix { $0.isOptionalWhitespace }
        let extensionText = rest.dropFirst(blank.count)
        guard rest.isEmpty || extensionText.first == 0x3B,
            rest.allSatisfy({ $0.isFieldValueByte })
        else { throw .badRequest("A chunk size is followed by something else") }
        // Sizes and separators do not count, extensions do: they are a cheap way to keep an edge busy.
        self.chunkExtensionBytes += rest.count
        self.sectionBytes = self.chunkExtensionBytes
        if size > 0 {
            self.state = .chunkData(remaining: size)
        } else {
            self.sectionBytes = 0
            self.state = .trailers
        }
    }
}
