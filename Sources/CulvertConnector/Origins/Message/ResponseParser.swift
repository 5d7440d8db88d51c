import HTTPSemantics
import NIOCore

/// Reads the answers of an HTTP/1.1 origin (RFC 9112) from the bytes of its connection, one exchange
/// after the other.
///
/// It is not NIOHTTP1's decoder because that one drops the reason phrase, replaces octets that are
/// not UTF-8, has to see the request in its own representation, and leaves the connection's
/// pipeline to be rebuilt after 101. It is strict where leniency would let the two ends disagree
/// about where a message stops: bare CR or LF, obs-fold, control characters, more than one way of
/// framing, and lengths that differ are all faults. Whitespace before a colon is removed, as
/// RFC 9112 §5.1 asks of a proxy.
///
/// Use: `begin` per exchange, then `append` and `next` until `needsMore`; `finish` at the end of the
/// connection's input. Bytes that follow a complete answer stay unread: `hasSurplus`.
struct ResponseParser: ~Copyable {
    enum Event {
        case needsMore
        /// A 1xx head other than 101; the final head follows.
        case interim(ResponseHead)
        case head(ResponseHead)
        /// A piece of the body, never empty.
        case body(ByteBuffer)
        /// The answer is complete; nil without a trailer section.
        case end(trailers: HTTPFields?)
        /// 101: what follows is no longer HTTP; `takeRest` has what was received of it.
        case switched(ResponseHead)
        case malformed(ResponseFault)
    }

    enum State: Equatable {
        case idle
        case head
        case fixed(remaining: Int)
        case untilClose
        case chunkLine
        case chunkData(remaining: Int)
        case chunkEnd
        case trailers
        case complete
        case switched
        case failed(ResponseFault)
    }

    var state: State = .idle
    var input = ByteBuffer()
    var section = SectionScanner()
    private var isHeadRequest = false
    private var sawBytes = false
    private var interimHeads = 0

    /// Whether the origin will take another request after this answer; meaningful once it is complete.
    private(set) var isPersistent = false
    /// `Keep-Alive: timeout` of the latest final head, in seconds (RFC 2068 §19.7.1).
    private(set) var keepAliveSeconds: Int?

    /// Whether bytes were received that belong to no answer, or have not been read.
    var hasSurplus: Bool { self.input.readableBytes > 0 }

    /// Whether the answer of the latest exchange is complete.
    var isComplete: Bool { self.state == .complete || self.state == .idle }

    /// Expects the answer to a request that has just been sent.
    mutating func begin(isHeadRequest: Bool) {
        self.isHeadRequest = isHeadRequest
        self.sawBytes = false
        self.interimHeads = 0
        self.isPersistent = false
        self.keepAliveSeconds = nil
        self.section = SectionScanner()
        self.state = .head
    }

    mutating func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        self.sawBytes = true
        if self.input.readableBytes == 0 {
            self.input = bytes
        } else {
            self.input.discardReadBytes()
            self.input.writeImmutableBuffer(bytes)
        }
    }

    mutating func next() -> Event {
        switch self.state {
        case .idle, .complete, .switched: return .needsMore
        case .failed(let fault): return .malformed(fault)
        case .head: return self.readHead()
        case .untilClose: return self.readBody(limit: Int.max).map(Event.body) ?? .needsMore
        case .fixed(let remaining): return self.readFixed(remaining)
        case .chunkLine: return self.readChunkLine()
        case .chunkData(let remaining): return self.readChunkData(remaining)
        case .chunkEnd: return self.readChunkEnd()
        case .trailers: return self.readTrailers()
        }
    }

    /// The input is over; `clean` when the peer closed in order (FIN; with TLS, `close_notify`).
    mutating func finish(clean: Bool) -> AnswerEnding {
        defer { if self.state != .idle { self.state = .complete } }
        switch self.state {
        case .idle, .complete, .switched: return .nothing
        case .head: return self.sawBytes ? .partialHead : .noAnswer
        case .untilClose: return clean ? .bodyEnd : .truncated
        case .fixed, .chunkLine, .chunkData, .chunkEnd, .trailers, .failed: return .truncated
        }
    }

    /// The bytes after a 101 head, at most once.
    mutating func takeRest() -> ByteBuffer {
        defer { self.input = ByteBuffer() }
        return self.input
    }

    private mutating func fail(_ fault: ResponseFault) -> Event {
        self.state = .failed(fault)
        return .malformed(fault)
    }

    // MARK: The head

    private mutating func readHead() -> Event {
        let scan = self.input.withUnsafeReadableBytes { bytes -> SectionScanner.Result in
            if !bytes.starts(likeStatusLine: ()) {
                return .fault(Self.isHTTP2(bytes) ? .speaksHTTP2 : .badStatusLine)
            }
            return self.section.scan(bytes)
        }
        switch scan {
        case .incomplete: return .needsMore
        case .fault(let fault): return self.fail(fault)
        case .complete(let length, let lineCount):
            self.section = SectionScanner()
            let parsed = self.input.withUnsafeReadableBytes { bytes in
                ParsedHead.parse(UnsafeRawBufferPointer(rebasing: bytes[..<length]), lineCount)
            }
            self.input.moveReaderIndex(forwardBy: length)
            switch parsed {
            case .failure(let fault): return self.fail(fault)
            case .success(let parsed): return self.accept(parsed)
            }
        }
    }

    /// Whether a server of HTTP/2 has begun with its SETTINGS (RFC 9113 §3.4), as it does unasked.
    private static func isHTTP2(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4 && bytes[0] == 0 && bytes[3] == 4
    }

    private mutating func accept(_ parsed: ParsedHead) -> Event {
        let head = parsed.head
        if head.isInterim {
            self.interimHeads += 1
            guard self.interimHeads <= OriginLimits.interimHeads else {
                return self.fail(.tooManyInterimHeads)
            }
            return .interim(head)
        }
        self.isPersistent = parsed.isPersistent
        self.keepAliveSeconds = parsed.keepAliveSeconds
        if head.status == 101 {
            self.state = .switched
            return .switched(head)
        }
        // RFC 9112 §6.3, in its order.
        if self.isHeadRequest || head.status == 204 || head.status == 304 {
            self.state = .fixed(remaining: 0)
        } else if parsed.isChunked {
            self.state = .chunkLine
        } else if let length = parsed.contentLength {
            self.state = .fixed(remaining: length)
        } else {
            self.state = .untilClose
            self.isPersistent = false
        }
        return .head(head)
    }

    // MARK: Bodies

    /// Up to `limit` bytes of what is there, or nil when nothing is.
    private mutating func readBody(limit: Int) -> ByteBuffer? {
        let length = min(limit, self.input.readableBytes)
        guard length > 0 else { return nil }
        let piece = self.input.readSlice(length: length)
        if self.input.readableBytes == 0 { self.input = ByteBuffer() }
        return piece
    }

    private mutating func readFixed(_ remaining: Int) -> Event {
        guard remaining > 0 else {
            self.state = .complete
            return .end(trailers: nil)
        }
        guard let piece = self.readBody(limit: remaining) else { return .needsMore }
        self.state = .fixed(remaining: remaining - piece.readableBytes)
        return .body(piece)
    }

    private mutating func readChunkLine() -> Event {
        switch self.input.withUnsafeReadableBytes(ChunkLine.parse) {
        case .incomplete: return .needsMore
        case .fault(let fault): return self.fail(fault)
        case .complete(let length, let size):
            self.input.moveReaderIndex(forwardBy: length)
            if size == 0 {
                self.section = SectionScanner()
                self.state = .trailers
                return self.readTrailers()
            }
            self.state = .chunkData(remaining: size)
            return self.readChunkData(size)
        }
    }

    private mutating func readChunkData(_ remaining: Int) -> Event {
        guard let piece = self.readBody(limit: remaining) else { return .needsMore }
        let left = remaining - piece.readableBytes
        self.state = left == 0 ? .chunkEnd : .chunkData(remaining: left)
        return .body(piece)
    }

    private mutating func readChunkEnd() -> Event {
        let isFault = self.input.withUnsafeReadableBytes { bytes in
            (bytes.count > 0 && bytes[0] != ASCII.cr) || (bytes.count > 1 && bytes[1] != ASCII.lf)
        }
        if isFault { return self.fail(.badChunk) }
        guard self.input.readableBytes >= 2 else { return .needsMore }
        self.input.moveReaderIndex(forwardBy: 2)
        self.state = .chunkLine
        return self.readChunkLine()
    }

    private mutating func readTrailers() -> Event {
        let scan = self.input.withUnsafeReadableBytes { self.section.scan($0) }
        switch scan {
        case .incomplete: return .needsMore
        case .fault(let fault): return self.fail(fault)
        case .complete(let length, let lineCount):
            let parsed = self.input.withUnsafeReadableBytes { bytes in
                FieldLines.parse(UnsafeRawBufferPointer(rebasing: bytes[..<length]), lineCount)
            }
            self.input.moveReaderIndex(forwardBy: length)
            switch parsed {
            case .failure(let fault): return self.fail(fault)
            case .success(let fields):
                self.state = .complete
                return .end(trailers: fields.isEmpty ? nil : fields)
            }
        }
    }
}

/// What is wrong with an origin's answer.
enum ResponseFault: String, Error {
    case badStatusLine
    /// It is HTTP/2, which was not asked for.
    case speaksHTTP2
    case badLineEnd
    case badField
    case badFraming
    case badContentLength
    case badChunk
    case headTooLarge
    case tooManyFields
    case tooManyInterimHeads
}

extension ResponseFault: CustomStringConvertible {
    /// For a log; where there is something to be done about it, what.
    var description: String {
        self == .speaksHTTP2 ? OriginAdvice.http2Only : self.rawValue
    }
}
