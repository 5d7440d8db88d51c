/// Takes a peer's WebSocket frames (RFC 6455 §5) out of the bytes of its connection, however they are
/// cut. Pure: payloads stay where they are, and are handed on in pieces as they come, with the mask to be
/// taken off them; nothing is kept but a header (14 bytes) or a control frame (125 bytes more).
///
/// That is why this is not NIO's decoder, which collects whole frames.
///
/// What no peer may send is a violation, after which nothing more is read, as after a Close: a client's
/// frames without a mask and a server's with one (§5.1), reserved bits (no extension is negotiated) and
/// opcodes, control frames that are long or in pieces, a message within a message. Text is refused, too,
/// with 1003: both that use this carry bytes, and a stream with holes is worse than none. Messages over
/// the limit are refused with 1009, before they come.
package struct WebSocketFrameParser {
    package enum Event: Equatable {
        /// A piece of a binary message; empty only to end one. The mask is for the piece's first byte on.
        case data(Range<Int>, mask: WebSocketMask?, endsMessage: Bool)
        /// To be answered with a pong of the same payload.
        case ping([UInt8])
        case pong
        /// The peer sends no more; no code when it gave none.
        case close(code: UInt16?, reason: String)
        case violation(WebSocketViolation)
    }

    private let expectsMask: Bool
    private let maximumMessageBytes: Int
    /// The bytes of a header that is not complete.
    private var header: [UInt8] = []
    /// What is missing of the frame under way; nil between frames.
    private var remaining: Int?
    private var mask: WebSocketMask?
    private var opcode = WebSocketOpcode.continuation
    private var isFinal = false
    private var isWithinMessage = false
    private var messageBytes = 0
    private var control: [UInt8] = []
    /// Nothing more is read.
    private(set) var isOver = false

    /// - Parameters:
    ///   - expectsMask: true at a server, whose clients must mask; false at a client, whose server must
    ///     not (§5.1).
    ///   - maximumMessageBytes: of all frames of a message; no limit where messages mean nothing.
    package init(expectsMask: Bool, maximumMessageBytes: Int = .max) {
        self.expectsMask = expectsMask
        self.maximumMessageBytes = maximumMessageBytes
        self.header.reserveCapacity(14)
    }

    /// The next event in `bytes`, from `position` on, which moves forward; nil when all is read. The ranges
    /// of data are of `bytes`.
    package mutating func next(
        _ bytes: UnsafeRawBufferPointer,
        at position: inout Int
    ) -> Event? {
        while !self.isOver {
            if let remaining = self.remaining {
                let end = position + min(remaining, bytes.count - position)
                guard end > position || remaining == 0 else { return nil }
                let piece = position..<end
                position = end
                if let event = self.took(piece, of: bytes, remaining: remaining) { return event }
            } else {
                guard position < bytes.count else { return nil }
                self.header.append(bytes[position])
                position += 1
                if let violation = self.readHeader() {
                    self.isOver = true
                    return .violation(violation)
                }
            }
        }
        return nil
    }

    /// Begins a frame once its header is complete.
    private mutating func readHeader() -> WebSocketViolation? {
        guard self.header.count >= 2 else { return nil }
        let (first, second) = (self.header[0], self.header[1])
        let extended = second & 0x7F == 127 ? 8 : second & 0x7F == 126 ? 2 : 0
        if self.header.count == 2, let violation = self.fault(first, second) { return violation }
        let maskStart = 2 + extended
        guard self.header.count >= maskStart else { return nil }
        var length = UInt64(second & 0x7F)
        if extended > 0 {
            length = self.header[2..<maskStart].reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard let count = Int(exactly: length) else { return .protocolError("a length over 2^63") }
        let opcode = WebSocketOpcode(rawValue: first & 0x0F) ?? .continuation
        guard opcode.isControl || count <= self.maximumMessageBytes - self.messageBytes else {
            return WebSocketViolation(
                code: WebSocketCloseCode.messageTooBig,
                reason: "a message is too long"
            )
        }
        guard self.header.count == maskStart + (self.expectsMask ? 4 : 0) else { return nil }
        self.mask = self.expectsMask ? WebSocketMask(octets: self.header[maskStart...]) : nil
        self.header.removeAll(keepingCapacity: true)
        self.opcode = opcode
        self.isFinal = first & 0x80 != 0
        if !opcode.isControl {
            self.messageBytes += count
            self.isWithinMessage = true
        }
        self.remaining = count
        return nil
    }

    private func fault(_ first: UInt8, _ second: UInt8) -> WebSocketViolation? {
        if first & 0x70 != 0 { return .protocolError("a reserved bit is set") }
        guard (second & 0x80 != 0) == self.expectsMask else {
            return .protocolError(
                self.expectsMask ? "a client's frame is not masked" : "a server's frame is masked"
            )
        }
        switch WebSocketOpcode(rawValue: first & 0x0F) {
        case .continuation:
            return self.isWithinMessage ? nil : .protocolError("a continuation of no message")
        case .binary:
            return self.isWithinMessage ? .protocolError("a message within a message") : nil
        case .close, .ping, .pong:
            guard first & 0x80 != 0, second & 0x7F <= 125 else {
                return .protocolError("a control frame is in pieces or over 125 bytes")
            }
            return nil
        case .text:
            return WebSocketViolation(
                code: WebSocketCloseCode.unsupportedData,
                reason: "text was sent; only binary messages are understood"
            )
        case nil: return .protocolError("opcode \(first & 0x0F) is unknown")
        }
    }

    /// Accounts for a piece of the frame under way.
    private mutating func took(
        _ piece: Range<Int>,
        of bytes: UnsafeRawBufferPointer,
        remaining: Int
    ) -> Event? {
        let isFrameOver = piece.count == remaining
        self.remaining = isFrameOver ? nil : remaining - piece.count
        let mask = self.mask
        self.mask = mask?.advanced(by: piece.count)
        guard self.opcode.isControl else {
            let endsMessage = isFrameOver && self.isFinal
            if endsMessage {
                self.isWithinMessage = false
                self.messageBytes = 0
            }
            guard !piece.isEmpty || endsMessage else { return nil }
            return .data(piece, mask: mask, endsMessage: endsMessage)
        }
        let start = self.control.count
        self.control += bytes[piece]
        self.control.withUnsafeMutableBytes {
            mask?.apply(to: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
        }
        guard isFrameOver else { return nil }
        defer { self.control.removeAll() }
        switch self.opcode {
        case .ping: return .ping(self.control)
        case .pong: return .pong
        default:
            self.isOver = true
            return Self.close(self.control)
        }
    }

    /// RFC 6455 §5.5.1.
    private static func close(_ payload: [UInt8]) -> Event {
        guard !payload.isEmpty else { return .close(code: nil, reason: "") }
        let code = payload.prefix(2).reduce(0) { $0 << 8 | UInt16($1) }
        guard payload.count >= 2, WebSocketCloseCode.isAllowed(code) else {
            return .violation(.protocolError("a Close frame's code is none"))
        }
        return .close(code: code, reason: String(decoding: payload.dropFirst(2), as: UTF8.self))
    }
}
