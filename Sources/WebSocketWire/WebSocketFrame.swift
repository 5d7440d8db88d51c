package import NIOCore

/// Writes frames of a WebSocket that carries a stream of bytes (RFC 6455 §5.2).
///
/// A client gives each frame a mask of its own, a server none.
package enum WebSocketFrame {
    /// A binary message of one frame; `payload` is not empty.
    package static func binary(_ payload: ByteBuffer, mask: WebSocketMask? = nil) -> ByteBuffer {
        self.frame(.binary, payload, mask)
    }

    /// A ping without payload.
    package static func ping(mask: WebSocketMask? = nil) -> ByteBuffer {
        self.frame(.ping, ByteBuffer(), mask)
    }

    /// The answer to a ping: its payload again, 125 bytes at most.
    package static func pong(_ payload: ByteBuffer, mask: WebSocketMask? = nil) -> ByteBuffer {
        self.frame(.pong, payload, mask)
    }

    /// The end; nothing is sent after it. A reason beyond 123 bytes is cut.
    package static func close(
        _ code: UInt16,
        reason: String = "",
        mask: WebSocketMask? = nil
    ) -> ByteBuffer {
        var payload = ByteBuffer()
        payload.writeInteger(code)
        var text = Substring(reason)
        while text.utf8.count > 123 { text.removeLast() }
        payload.writeSubstring(text)
        return self.frame(.close, payload, mask)
    }

    private static func frame(
        _ opcode: WebSocketOpcode,
        _ payload: ByteBuffer,
        _ mask: WebSocketMask?
    ) -> ByteBuffer {
        let count = payload.readableBytes
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        var frame = ByteBuffer()
        frame.reserveCapacity(count + 14)
        frame.writeInteger(0x80 | opcode.rawValue)
        if count < 126 {
            frame.writeInteger(maskBit | UInt8(count))
        } else if count <= UInt16.max {
            frame.writeInteger(maskBit | 126)
            frame.writeInteger(UInt16(count))
        } else {
            frame.writeInteger(maskBit | 127)
            frame.writeInteger(UInt64(count))
        }
        if let mask {
            frame.writeInteger(mask.bytes)
            mask.append(payload.readableBytesView, to: &frame)
        } else {
            frame.writeImmutableBuffer(payload)
        }
        return frame
    }
}

/// RFC 6455 §11.8.
enum WebSocketOpcode: UInt8 {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    var isControl: Bool { self.rawValue & 0x8 != 0 }
}
