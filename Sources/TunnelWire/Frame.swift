/// A stream's number; 0 is the session itself. The connector's streams are odd, the edge's even.
package struct StreamID: RawRepresentable, Hashable, Comparable, Sendable {
    /// The number on the wire; a session never uses one twice.
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// What frames that belong to no stream carry.
    package static let session = StreamID(rawValue: 0)

    package static func < (left: StreamID, right: StreamID) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension StreamID: CustomStringConvertible {
    package var description: String { String(self.rawValue) }
}

/// What a frame is; its range says how a receiver treats one that it does not know.
package struct FrameType: RawRepresentable, Hashable, Sendable {
    /// The header's first byte, of a known type or not.
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A ``Challenge``: the edge's first frame.
    package static let challenge = FrameType(rawValue: 0x01)
    /// A ``Login`` and its signature.
    package static let login = FrameType(rawValue: 0x02)
    /// A ``Welcome``: the session begins, or goes on.
    package static let welcome = FrameType(rawValue: 0x03)
    /// A ``Refusal``; the edge then closes the link.
    package static let refused = FrameType(rawValue: 0x04)
    /// Eight opaque bytes, to be answered at once.
    package static let ping = FrameType(rawValue: 0x08)
    /// The eight bytes of a PING.
    package static let pong = FrameType(rawValue: 0x09)
    /// u64: counted frames processed, in all.
    package static let ack = FrameType(rawValue: 0x0A)
    /// A head, or a piece of one; on a new id it opens the stream.
    package static let head = FrameType(rawValue: 0x20)
    /// Body bytes; empty only with END.
    package static let data = FrameType(rawValue: 0x21)
    /// A field block, or a piece of one; ends the direction.
    package static let trailers = FrameType(rawValue: 0x22)
    /// Gives up both directions: u16 code, text(16) detail.
    package static let reset = FrameType(rawValue: 0x23)
    /// u64: DATA bytes allowed on the stream, in all.
    package static let streamCredit = FrameType(rawValue: 0x24)
    /// u64: DATA bytes allowed on all streams, in all.
    package static let sessionCredit = FrameType(rawValue: 0x25)
    /// Asks the peer to open no more streams; no payload.
    package static let drain = FrameType(rawValue: 0x26)
    /// Ends the session: u16 code, text(16) reason.
    package static let close = FrameType(rawValue: 0x27)

    /// A piece of a ``ManagedConfiguration``; edges send it.
    package static let configuration = FrameType(rawValue: 0xA0)
    /// A piece of a ``ConnectorReport``; connectors send it.
    package static let report = FrameType(rawValue: 0xA1)

    /// Whether a receiver that does not know the type skips the frame instead of refusing it.
    package var isOptional: Bool { self.rawValue & 0x80 != 0 }

    /// Whether the frame is part of the session's content, numbered and resent after a cut.
    package var isCounted: Bool { self.rawValue & 0x7F >= 0x20 }
}

extension FrameType: CustomStringConvertible {
    package var description: String {
        switch self {
        case .challenge: "CHALLENGE"
        case .login: "LOGIN"
        case .welcome: "WELCOME"
        case .refused: "REFUSED"
        case .ping: "PING"
        case .pong: "PONG"
        case .ack: "ACK"
        case .head: "HEAD"
        case .data: "DATA"
        case .trailers: "TRAILERS"
        case .reset: "RESET"
        case .streamCredit: "STREAM_CREDIT"
        case .sessionCredit: "SESSION_CREDIT"
        case .drain: "DRAIN"
        case .close: "CLOSE"
        case .configuration: "CONFIGURATION"
        case .report: "REPORT"
        default: "type 0x" + String(self.rawValue, radix: 16)
        }
    }
}

/// A frame's flag bits; undefined ones are ignored.
package struct FrameFlags: OptionSet, Sendable {
    /// The header's second byte, undefined bits included.
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// As OptionSet's own, which is not specialised beyond this module: 700 instructions a frame.
    package init(arrayLiteral flags: FrameFlags...) {
        self.init(rawValue: flags.reduce(0) { $0 | $1.rawValue })
    }

    /// The sender's direction of the stream ends with this frame.
    package static let end = FrameFlags(rawValue: 1)
    /// The head or trailer section goes on in the next frame of the stream; a CONFIGURATION or REPORT in
    /// the next of its type.
    package static let more = FrameFlags(rawValue: 2)
}

/// The twelve bytes before each payload.
package struct FrameHeader: Equatable, Sendable {
    /// Bytes a header takes on the wire.
    package static let byteCount = 12

    /// Known or not; ``validate()`` tells.
    package var type: FrameType
    /// END counts on HEAD and DATA, MORE on HEAD, TRAILERS, CONFIGURATION and REPORT; default none.
    package var flags: FrameFlags
    /// 0 for the frames of the session itself.
    package var stream: StreamID
    /// Bytes of payload that follow; at most ``WireLimits/payloadBytes``.
    package var length: Int

    package init(type: FrameType, flags: FrameFlags = [], stream: StreamID, length: Int) {
        self.type = type
        self.flags = flags
        self.stream = stream
        self.length = length
    }

    /// Writes the header to the first twelve bytes of `target`.
    ///
    /// - Precondition: `target` holds at least ``byteCount`` bytes, and `length` is within its limit.
    @inlinable
    package func write(to target: UnsafeMutableRawBufferPointer) {
        target.storeBytes(of: self.type.rawValue, toByteOffset: 0, as: UInt8.self)
        target.storeBytes(of: self.flags.rawValue, toByteOffset: 1, as: UInt8.self)
        target.storeBytes(of: UInt16(self.length).bigEndian, toByteOffset: 2, as: UInt16.self)
        target.storeBytes(of: self.stream.rawValue.bigEndian, toByteOffset: 4, as: UInt64.self)
    }
}

/// Limits that both ends of `culvert.v1` hold each other to.
package enum WireLimits {
    /// Bytes in one WebSocket message: one TLS record.
    package static let messageBytes = 16_000
    /// Bytes of payload in one frame.
    package static let payloadBytes = messageBytes - FrameHeader.byteCount
    /// Bytes of a whole head or trailer section, over all its pieces.
    package static let sectionBytes = 65_536
    /// Interim (1xx) heads that may precede a final one.
    package static let interimHeads = 32
    /// Bytes of the attributes in CHALLENGE, LOGIN and WELCOME.
    package static let attributeBytes = 8_192
    /// Fields in one field block.
    package static let fields = 1_024
}
