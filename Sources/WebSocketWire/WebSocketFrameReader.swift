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

/// Reads the frames of one direction from buffers, with a `WebSocketFrameParser`.
///
/// A payload is handed over as it arrives, so a frame may be of any length. After a Close or a violation
/// the rest is not looked at.
package struct WebSocketFrameReader {
    private var parser: WebSocketFrameParser
    private var buffer = ByteBuffer()

    /// - Parameter expectsMask: true at a server, whose clients must mask; false at a client, whose
    ///   server must not (RFC 6455 §5.1).
    package init(expectsMask: Bool) {
        self.parser = WebSocketFrameParser(expectsMask: expectsMask)
    }

    /// Takes what arrived; without a copy once `next()` has been asked until it gave nil.
    package mutating func append(_ bytes: ByteBuffer) {
        guard !self.parser.isOver else { return }
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
        while let event = self.parse() {
            switch event {
            case .data(let piece, let mask, _):
                if let bytes = self.take(piece, mask) { return .bytes(bytes) }
            case .ping(let payload): return .ping(ByteBuffer(bytes: payload))
            case .pong: return .pong
            case .close(let code, let reason): return .close(code: code, reason: reason)
            case .violation(let violation): throw violation
            }
        }
        return nil
    }

    /// Leaves the buffer at the piece that the event has, if it has one, else behind what was read.
    private mutating func parse() -> WebSocketFrameParser.Event? {
        let buffer = self.buffer
        var position = 0
        let event = buffer.withUnsafeReadableBytes { self.parser.next($0, at: &position) }
        if case .data(let piece, _, _) = event { position = piece.lowerBound }
        if self.parser.isOver {
            self.buffer = ByteBuffer()
        } else {
            self.buffer.moveReaderIndex(forwardBy: position)
        }
        return event
    }

    private mutating func take(_ piece: Range<Int>, _ mask: WebSocketMask?) -> ByteBuffer? {
        guard !piece.isEmpty, let slice = self.buffer.readSlice(length: piece.count) else {
            return nil
        }
        guard let mask else { return slice }
        var plain = ByteBuffer()
        mask.append(slice.readableBytesView, to: &plain)
        return plain
    }
}
