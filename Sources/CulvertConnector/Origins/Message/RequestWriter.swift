import HTTPSemantics
import NIOCore

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
        guard Self.isToken(head.method), Self.isTarget(head.path), host.hasOnlyFieldValueBytes
        else { return false }
        // The request line, `Host` and the framing beside the fields.
        let room =
            head.fields.linesBytes + head.method.utf8.count + head.path.utf8.count
            + host.utf8.count + 80
        var isSafe = true
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { room in
            var text = TextWriter(room)
            text.put(head.method)
            text.put(" ")
            text.put(head.path)
            text.put(" HTTP/1.1\r\nHost: ")
            text.put(host)
            text.put("\r\n")
            for field in head.fields.storage {
                if Self.isReplaced(field.name, keepsUpgrade: keepsUpgrade) { continue }
                guard Self.isToken(field.name), field.value.hasOnlyFieldValueBytes else {
                    isSafe = false
                    return 0
                }
                text.putLine(field)
            }
            Self.write(framing, of: head, keepsUpgrade: keepsUpgrade, to: &text)
            return text.count
        }
        return isSafe
    }

    /// The field that says how the body ends, and the empty line.
    private static func write(
        _ framing: RequestFraming,
        of head: RequestHead,
        keepsUpgrade: Bool,
        to text: inout TextWriter
    ) {
        switch framing {
        case .none:
            // RFC 9110 §8.6: some origins answer 411 to a method that is expected to have a body.
            let expectsBody = ["POST", "PUT", "PATCH"].contains(head.method)
            if expectsBody, !keepsUpgrade { text.put("Content-Length: 0\r\n") }
        case .length(let length), .addedLength(let length):
            text.put("Content-Length: ")
            text.put(String(length))
            text.put("\r\n")
        case .chunked:
            text.put("Transfer-Encoding: chunked\r\n")
        }
        text.put("\r\n")
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
        for field in trailers.storage {
            guard Self.isToken(field.name), field.value.hasOnlyFieldValueBytes else { return false }
        }
        buffer.writeStaticString("0\r\n")
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: trailers.linesBytes + 2) { room in
            var text = TextWriter(room)
            for field in trailers.storage { text.putLine(field) }
            text.put("\r\n")
            return text.count
        }
        return true
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
        default: HopByHop.isHopByHop(name)
        }
    }

    static func isToken(_ name: String) -> Bool {
        !name.isEmpty && name.allBytes({ $0.isToken })
    }

    static func isTarget(_ path: String) -> Bool {
        !path.isEmpty && path.utf8.allSatisfy { $0 > ASCII.space && $0 != ASCII.delete }
    }
}
