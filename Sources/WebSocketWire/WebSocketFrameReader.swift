package import NIOCore

/// What a WebSocket that carries a stream of bytes says.
package enum WebSocketEvent: Equatable, Sendable {
    /// Bytes of binary messages, unmasked; the messages' borders mean nothing.
    case bytes(ByteBuffer)
    /// To be answered with a pong of the same payload, 125 bytes at most.
    case ping(ByteBuffer)
    case pong
    /// The peer sends no more; nil when it gave no code.
    case close(code: UInt16?, reason: String)
}

/// Reads the frames of one direction (RFC 6455 §5), at any split.
///
/// A payload is handed over as it arrives, so a frame may be of any length and nothing but its header
/// (14 bytes) or a control frame (125 bytes more) is ever kept. That, and masking by words, is why
/// this is not NIO's decoder, which collects whole frames.
///
/// Text is refused with 1003: cloudflared drops it without a word, and a stream with holes is worse
/// than none. Extensions are not negotiated, so reserved bits are refused. After a Close or a
/// violation the rest is not looked at.
package struct WebSocketFrameReader {
    private struct Frame {
        var opcode: WebSocketOpcode
        var isFinal: Bool
        var length: Int
        var remaining: Int
        var mask: WebSocketMask?
    }

    private let expectsMask: Bool
    private var buffer = ByteBuffer()
    private var frame: Frame?
    private var isInMessage = false
    private var isOver = false

    /// - Parameter expectsMask: true at a server, whose clients must mask; false at a client, whose
    ///   server must not (RFC 6455 §5.1).
    package init(expectsMask: Bool) { self.expectsMask = expectsMask }

    /// Takes what arrived; without a copy unless a header was left unfinished.
    package mutating func append(_ bytes: ByteBuffer) {
        guard !self.isOver else { return }
        if self.buffer.readableBytes == 0 {
            self.buffer = bytes
        } else {
            self.buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next event, or nil when more bytes are needed.
    ///
    /// - Throws: once, what the peer did wrong.
    package mutating func next() throws(WebSocketViolation) -> WebSocketEvent? {
        do {
            return try self.read()
        } catch {
            self.end()
            throw error
        }
    }

    private mutating func read() throws(WebSocketViolation) -> WebSocketEvent? {
        while !self.isOver {
            if self.frame == nil { self.frame = try self.readHeader() }
            guard var frame = self.frame else { return nil }
            if frame.opcode.isControl {
                guard self.buffer.readableBytes >= frame.length else { return nil }
                self.frame = nil
                return try self.control(frame, self.take(frame.length, of: &frame))
            }
            guard frame.remaining > 0 else {
                self.isInMessage = !frame.isFinal
                self.frame = nil
                continue
            }
            let count = min(frame.remaining, self.buffer.readableBytes)
            guard count > 0 else { return nil }
            let piece = self.take(count, of: &frame)
            self.frame = frame
            return .bytes(piece)
        }
        return nil
    }

    private mutating func readHeader() throws(WebSocketViolation) -> Frame? {
        var rest = self.buffer
        guard let (first, second) = rest.readMultipleIntegers(as: (UInt8, UInt8).self) else {
            return nil
        }
        guard first & 0x70 == 0 else { throw .protocolError("a reserved bit is set") }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else {
            throw .protocolError("opcode \(first & 0x0F) is unknown")
        }
        let isFinal = first & 0x80 != 0
        try self.check(opcode, isFinal: isFinal, isMasked: second & 0x80 != 0, second & 0x7F)
        let length: UInt64?
        switch second & 0x7F {
        case 126: length = rest.readInteger(as: UInt16.self).map(UInt64.init)
        case 127: length = rest.readInteger(as: UInt64.self)
        default: length = UInt64(second & 0x7F)
        }
        guard let length else { return nil }
        guard let length = Int(exactly: length) else { throw .protocolError("a length over 2^63") }
        var mask: WebSocketMask?
        if self.expectsMask {
            guard let bytes = rest.readInteger(as: UInt32.self) else { return nil }
            mask = WebSocketMask(bytes: bytes)
        }
        self.buffer = rest
        return Frame(
            opcode: opcode,
            isFinal: isFinal,
            length: length,
            remaining: length,
            mask: mask
        )
    }

    private func check(
        _ opcode: WebSocketOpcode,
        isFinal: Bool,
        isMasked: Bool,
        _ shortLength: UInt8
    ) throws(WebSocketViolation) {
        guard isMasked == self.expectsMask else {
            throw .protocolError(isMasked ? "a server's frame is masked" : "a frame is not masked")
        }
        switch opcode {
        case .text:
            throw WebSocketViolation(
                code: WebSocketCloseCode.unsupportedData,
                reason: "text was sent; a TCP connection is carried in binary messages"
            )
        case .binary:
            guard !self.isInMessage else { throw .protocolError("a message within a message") }
        case .continuation:
            guard self.isInMessage else { throw .protocolError("a continuation of no message") }
        case .close, .ping, .pong:
            guard isFinal, shortLength < 126 else {
                throw .protocolError("a control frame is fragmented or over 125 bytes")
            }
        }
    }

    /// The next `count` bytes of the frame's payload, unmasked.
    private mutating func take(_ count: Int, of frame: inout Frame) -> ByteBuffer {
        guard let slice = self.buffer.readSlice(length: count) else { return ByteBuffer() }
        let offset = frame.length - frame.remaining
        frame.remaining -= count
        guard let mask = frame.mask else { return slice }
        var plain = ByteBuffer()
        mask.append(slice.readableBytesView, to: &plain, offset: offset)
        return plain
    }

    private mutating func control(
        _ frame: Frame,
        _ payload: ByteBuffer
    ) throws(WebSocketViolation) -> WebSocketEvent {
        switch frame.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong
        default: break
        }
        self.end()
        var payload = payload
        guard payload.readableBytes > 0 else { return .close(code: nil, reason: "") }
        guard let code = payload.readInteger(as: UInt16.self), WebSocketCloseCode.isAllowed(code)
        else { throw .protocolError("a Close frame's code is none") }
        return .close(code: code, reason: String(buffer: payload))
    }

    private mutating func end() {
        self.isOver = true
        self.buffer = ByteBuffer()
        self.frame = nil
    }
}
