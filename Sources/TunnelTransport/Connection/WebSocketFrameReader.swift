/// Reads the peer's WebSocket frames (RFC 6455 §5) from the bytes of its connection, however they
/// are cut. Pure; payloads are unmasked where they lie and handed through in pieces.
///
/// What no peer may send is a violation, after which nothing more is read: a client's frames without
/// a mask and a server's with one (§5.1), reserved bits and opcodes, control frames that are long or
/// in pieces, a message within a message. Text frames are too, with 1003, and messages over the
/// limit, with 1009.
struct WebSocketFrameReader {
    enum Event: Equatable {
        /// A piece of a binary message; empty only to end one.
        case data(Range<Int>, endsMessage: Bool)
        case ping([UInt8])
        /// The peer's close frame; 1005 when it carries no code.
        case close(code: UInt16, reason: String)
        case violation(code: UInt16, words: String)
    }

    private enum Opcode {
        static let continuation: UInt8 = 0
        static let text: UInt8 = 1
        static let binary: UInt8 = 2
        static let close: UInt8 = 8
        static let ping: UInt8 = 9
        static let pong: UInt8 = 10
    }

    private let expectsMasks: Bool
    private let maximumMessageBytes: Int
    /// The bytes of a header that is not complete.
    private var header: [UInt8] = []
    /// What is missing of the frame under way; nil between frames.
    private var remaining: Int?
    private var mask = FrameMask()
    private var opcode: UInt8 = 0
    private var isFinal = false
    private var isWithinMessage = false
    private var messageBytes = 0
    private var control: [UInt8] = []
    private var isOver = false

    /// Reads what a peer sends whose role is `peer`.
    init(peer: TunnelConnection.Role, maximumMessageBytes: Int) {
        self.expectsMasks = peer == .client
        self.maximumMessageBytes = maximumMessageBytes
        self.header.reserveCapacity(14)
    }

    /// The next event in `bytes`, from `position` on, which moves forward; nil when all is read.
    ///
    /// The ranges of data are of `bytes`, and what is in them has lost its mask.
    mutating func next(_ bytes: UnsafeMutableRawBufferPointer, at position: inout Int) -> Event? {
        while !self.isOver {
            if let remaining = self.remaining {
                let end = position + min(remaining, bytes.count - position)
                guard end > position || remaining == 0 else { return nil }
                let piece = position..<end
                position = end
                if self.expectsMasks {
                    self.mask.apply(to: UnsafeMutableRawBufferPointer(rebasing: bytes[piece]))
                }
                if let event = self.took(piece, of: bytes, remaining: remaining) { return event }
            } else {
                guard position < bytes.count else { return nil }
                self.header.append(bytes[position])
                position += 1
                if let event = self.readHeader() {
                    self.isOver = true
                    return event
                }
            }
        }
        return nil
    }

    /// Begins a frame once its header is complete; its violation, if it is one.
    private mutating func readHeader() -> Event? {
        guard self.header.count >= 2 else { return nil }
        let (first, second) = (self.header[0], self.header[1])
        let extended = second & 0x7F == 127 ? 8 : second & 0x7F == 126 ? 2 : 0
        if self.header.count == 2, let words = self.fault(first, second) {
            return .violation(code: first & 0x0F == Opcode.text ? 1003 : 1002, words: words)
        }
        let maskStart = 2 + extended
        guard self.header.count == maskStart + (self.expectsMasks ? 4 : 0) else { return nil }
        var length = UInt64(second & 0x7F)
        if extended > 0 {
            length = self.header[2..<maskStart].reduce(0) { $0 << 8 | UInt64($1) }
        }
        if self.expectsMasks { self.mask = FrameMask(self.header[maskStart...]) }
        self.header.removeAll(keepingCapacity: true)
        self.opcode = first & 0x0F
        self.isFinal = first & 0x80 != 0
        if self.opcode < 8 {
            guard length <= UInt64(self.maximumMessageBytes - self.messageBytes) else {
                return .violation(code: 1009, words: "a message is too long")
            }
            self.messageBytes += Int(length)
            self.isWithinMessage = true
        }
        self.remaining = Int(length)
        return nil
    }

    private func fault(_ first: UInt8, _ second: UInt8) -> String? {
        if first & 0x70 != 0 { return "a frame has reserved bits" }
        guard (second & 0x80 != 0) == self.expectsMasks else {
            return self.expectsMasks
                ? "a client's frame is not masked" : "a server's frame is masked"
        }
        switch first & 0x0F {
        case Opcode.continuation:
            return self.isWithinMessage ? nil : "a message begins with a continuation"
        case Opcode.binary:
            return self.isWithinMessage ? "a message begins within another" : nil
        case Opcode.close, Opcode.ping, Opcode.pong:
            guard first & 0x80 != 0, second & 0x7F <= 125 else {
                return "a control frame is too long"
            }
            return nil
        case Opcode.text: return "text frames are not understood"
        default: return "a frame has an unknown opcode"
        }
    }

    /// Accounts for a piece of the frame under way.
    private mutating func took(
        _ piece: Range<Int>,
        of bytes: UnsafeMutableRawBufferPointer,
        remaining: Int
    ) -> Event? {
        let isFrameOver = piece.count == remaining
        self.remaining = isFrameOver ? nil : remaining - piece.count
        guard self.opcode >= 8 else {
            let endsMessage = isFrameOver && self.isFinal
            if endsMessage {
                self.isWithinMessage = false
                self.messageBytes = 0
            }
            return piece.isEmpty && !endsMessage ? nil : .data(piece, endsMessage: endsMessage)
        }
        self.control += bytes[piece]
        guard isFrameOver else { return nil }
        defer { self.control.removeAll() }
        switch self.opcode {
        case Opcode.ping: return .ping(self.control)
        case Opcode.close:
            self.isOver = true
            return Self.close(self.control)
        default: return nil
        }
    }

    /// RFC 6455 §5.5.1, §7.4: which codes may be on the wire.
    private static func close(_ payload: [UInt8]) -> Event {
        guard !payload.isEmpty else { return .close(code: 1005, reason: "") }
        let code = payload.prefix(2).reduce(0) { $0 << 8 | UInt16($1) }
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default: return .violation(code: 1002, words: "the close frame's code is not one")
        }
        return .close(code: code, reason: String(decoding: payload.dropFirst(2), as: UTF8.self))
    }
}

/// The masking key of a frame (RFC 6455 §5.3), and how far into it the payload has come.
private struct FrameMask {
    /// The key twice, so that its next octet is the lowest one.
    private var key: UInt64 = 0

    init() {}

    /// The key's four octets, in the order of the wire.
    init(_ octets: some Collection<UInt8>) {
        let key = octets.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        self.key = key << 32 | key
    }

    /// Unmasks the payload's next piece in place, eight octets at a time.
    mutating func apply(to piece: UnsafeMutableRawBufferPointer) {
        guard self.key != 0, let start = piece.baseAddress else { return }
        let key = UInt64(littleEndian: self.key)
        var done = 0
        while piece.count - done >= 8 {
            let word = (start + done).loadUnaligned(as: UInt64.self)
            (start + done).storeBytes(of: word ^ key, as: UInt64.self)
            done += 8
        }
        while done < piece.count {
            piece[done] ^= UInt8(truncatingIfNeeded: self.key)
            self.key = self.key >> 8 | self.key << 56
            done += 1
        }
    }
}
