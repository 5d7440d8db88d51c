import HTTPSemantics
import NIOCore
import TunnelWire

/// How the end of an HTTP/1 answer's body is marked (RFC 9112 §6.3).
enum HTTP1BodyStyle: Equatable {
    case none
    case length
    case chunked
    case untilClose
}

extension ByteBuffer {
    /// Writes status line and end-to-end fields, without the empty line.
    ///
    /// - Returns: whether one of the fields is Content-Length; it is left out where a message of
    ///   this status cannot have one (RFC 9110 §8.6).
    @discardableResult
    mutating func writeHead(_ head: ResponseHead) -> Bool {
        var hasLength = false
        let room = head.fields.linesBytes + head.reason.utf8.count + 24
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { room in
            var text = TextWriter(room)
            text.put("HTTP/1.1 ")
            text.put(String(head.status))
            text.put(" ")
            text.putOctets(head.reason)
            text.put("\r\n")
            for field in head.fields.storage where !HopByHop.isHopByHop(field.name) {
                if field.name.utf8.count == 14, field.name.utf8.equalsLowercase("content-length") {
                    if head.status < 200 || head.status == 204 { continue }
                    hasLength = true
                }
                text.putLine(field)
            }
            return text.count
        }
        return hasLength
    }

    mutating func writeUpgrade(_ head: ResponseHead) {
        self.writeStaticString("connection: Upgrade\r\nupgrade: ")
        self.writeOctets(head.fields.first("Upgrade") ?? "websocket")
        self.writeStaticString("\r\n")
    }

    mutating func writeChunkSize(_ count: Int) {
        self.writeString(String(count, radix: 16))
        self.writeStaticString("\r\n")
    }

    mutating func writeLastChunk(trailers: HTTPFields?) {
        self.writeStaticString("0\r\n")
        for field in trailers?.storage ?? [] { self.writeField(field) }
        self.writeStaticString("\r\n")
    }

    private mutating func writeField(_ field: HTTPFields.Field) {
        self.writeString(field.name)
        self.writeStaticString(": ")
        self.writeOctets(field.value)
        self.writeStaticString("\r\n")
    }
}
