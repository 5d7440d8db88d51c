import HTTPSemantics
import NIOCore
import TunnelWire

/// Writes a request's head and chunk framing as HTTP/1.1 (RFC 9112).
enum RequestWriter {
    /// Appends the head to `buffer`: request line, `Host`, the fields in their order without the
    /// hop-by-hop ones (`Connection` and `Upgrade` stay when an upgrade is asked for), the framing.
    ///
    /// - Returns: false when a part of the head would not stay what it is on the wire: a line
    ///   break, a control character, a name that is no token. Nothing of `buffer` may be sent then.
    static func writeHead(
        _ head: RequestHead,
        host: String,
        framing: RequestFraming,
        keepsUpgrade: Bool,
        into buffer: inout ByteBuffer
    ) -> Bool {
        guard Self.isToken(head.method), Self.isTarget(head.path) else { return false }
        let start = buffer.writerIndex
        var lines = 2
        buffer.writeString(head.method)
        buffer.writeStaticString(" ")
        buffer.writeString(head.path)
        buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
        buffer.writeString(host)
        buffer.writeStaticString("\r\n")
        for field in head.fields.storage {
            if Self.isReplaced(field.name, keepsUpgrade: keepsUpgrade) { continue }
            guard Self.isToken(field.name) else { return false }
            lines += 1
            buffer.writeString(field.name)
            buffer.writeStaticString(": ")
            buffer.writeOctets(field.value)
            buffer.writeStaticString("\r\n")
        }
        lines += 1
        switch framing {
        case .none:
            buffer.writeStaticString("\r\n")
        case .length(let length), .addedLength(let length):
            lines += 1
            buffer.writeStaticString("Content-Length: ")
            buffer.writeString(String(length))
            buffer.writeStaticString("\r\n\r\n")
        case .chunked:
            lines += 1
            buffer.writeStaticString("Transfer-Encoding: chunked\r\n\r\n")
        }
        return Self.holds(lines: lines, buffer, from: start)
    }

    /// Appends what comes before a chunk's data; `\r\n` comes after.
    static func writeChunkLine(_ size: Int, into buffer: inout ByteBuffer) {
        buffer.writeString(String(size, radix: 16))
        buffer.writeStaticString("\r\n")
    }

    /// Appends the last chunk and the trailer section.
    ///
    /// - Returns: false as in `writeHead`.
    static func writeLastChunk(trailers: HTTPFields, into buffer: inout ByteBuffer) -> Bool {
        let start = buffer.writerIndex
        var lines = 2
        buffer.writeStaticString("0\r\n")
        for field in trailers.storage {
            guard Self.isToken(field.name) else { return false }
            lines += 1
            buffer.writeString(field.name)
            buffer.writeStaticString(": ")
            buffer.writeOctets(field.value)
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("\r\n")
        return Self.holds(lines: lines, buffer, from: start)
    }

    /// Fields that this hop writes itself, or that end here.
    private static func isReplaced(_ name: String, keepsUpgrade: Bool) -> Bool {
        switch name.utf8.count {
        case 4: name.equalsIgnoringASCIICase("host")
        case 7: !keepsUpgrade && name.equalsIgnoringASCIICase("upgrade")
        case 10:
            name.equalsIgnoringASCIICase("keep-alive")
                || !keepsUpgrade && name.equalsIgnoringASCIICase("connection")
        case 14: name.equalsIgnoringASCIICase("content-length")
        default: ForwardedFields.isHopByHop(name)
        }
    }

    /// Whether `bytes` are `lines` lines: a value that carries a line break changes the count.
    private static func holds(lines: Int, _ buffer: ByteBuffer, from start: Int) -> Bool {
        buffer.withUnsafeReadableBytes { bytes in
            var breaks = 0
            var isAfterReturn = false
            for byte in bytes[(start - buffer.readerIndex)...] {
                if byte == ASCII.lf {
                    guard isAfterReturn else { return false }
                    breaks += 1
                    isAfterReturn = false
                } else {
                    guard !isAfterReturn else { return false }
                    if byte == ASCII.cr {
                        isAfterReturn = true
                    } else if !byte.isFieldValueByte {
                        return false
                    }
                }
            }
            return breaks == lines
        }
    }

    private static func isToken(_ name: String) -> Bool {
        !name.isEmpty && name.allBytes({ $0.isToken })
    }

    private static func isTarget(_ path: String) -> Bool {
        !path.isEmpty && path.utf8.allSatisfy { $0 > ASCII.space && $0 != ASCII.delete }
    }
}
