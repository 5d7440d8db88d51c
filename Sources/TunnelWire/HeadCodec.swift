package import HTTPSemantics
package import NIOCore

/// A head as HEAD frames carry it.
package enum MessageHead: Equatable, Sendable {
    /// What a stream's opener sends, once.
    case request(RequestHead)
    /// What the accepting end sends: interim ones (1xx), then the final one.
    case response(ResponseHead)
}

/// Heads to bytes and back (see <doc:Protocol>); the reader believes nothing.
package enum HeadCodec {
    private static let requestKind: UInt8 = 1
    private static let responseKind: UInt8 = 2

    private static let methods = ["", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
    private static let schemes = ["", "http", "https"]

    /// The section for `head`.
    ///
    /// - Throws: `badLength` when a part, or the whole, is over its limit; `malformed` for a scheme
    ///   other than http and https.
    package static func encode(
        _ head: RequestHead,
        allocator: ByteBufferAllocator
    ) throws(WireError) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 512)
        buffer.writeInteger(Self.requestKind)
        let method = Self.methods.firstIndex(of: head.method) ?? 0
        buffer.writeInteger(UInt8(method))
        if method == 0 { try buffer.writeText8(head.method) }
        guard let scheme = Self.schemes.firstIndex(of: head.scheme), scheme > 0 else {
            throw WireError(.malformed, "a request with scheme \(head.scheme)")
        }
        buffer.writeInteger(UInt8(scheme))
        try buffer.writeText16(head.authority)
        try buffer.writeText16(head.path)
        try FieldBlock.write(head.fields, to: &buffer)
        try Self.checkSize(buffer)
        return buffer
    }

    /// The section for `head`. A reason phrase of more than 255 bytes is left out: nobody needs it (RFC
    /// 9112 §4).
    ///
    /// - Throws: `badLength` when another part, or the whole, is over its limit.
    package static func encode(
        _ head: ResponseHead,
        allocator: ByteBufferAllocator
    ) throws(WireError) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 512)
        buffer.writeInteger(Self.responseKind)
        buffer.writeInteger(head.status)
        try buffer.writeOctets8(head.reason.utf8.count <= 255 ? head.reason : "")
        try FieldBlock.write(head.fields, to: &buffer)
        try Self.checkSize(buffer)
        return buffer
    }

    /// The section for trailer `fields`.
    ///
    /// - Throws: `badLength` when a part, or the whole, is over its limit.
    package static func encode(
        trailers fields: HTTPFields,
        allocator: ByteBufferAllocator
    ) throws(WireError) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 128)
        try FieldBlock.write(fields, to: &buffer)
        try Self.checkSize(buffer)
        return buffer
    }

    private static func checkSize(_ buffer: ByteBuffer) throws(WireError) {
        guard buffer.readableBytes <= WireLimits.sectionBytes else {
            throw WireError(.badLength, "a head of \(buffer.readableBytes) bytes")
        }
    }

    /// The head in a whole section.
    ///
    /// - Throws: `malformed`, naming what does not parse.
    package static func decode(_ section: ByteBuffer) throws(WireError) -> MessageHead {
        var section = section
        switch section.readInteger(as: UInt8.self) {
        case Self.requestKind: return .request(try Self.readRequest(&section))
        case Self.responseKind: return .response(try Self.readResponse(&section))
        default: throw WireError(.malformed, "a head of an unknown kind")
        }
    }

    /// The fields of a whole trailer section.
    ///
    /// - Throws: `malformed`, naming what does not parse.
    package static func decode(trailers section: ByteBuffer) throws(WireError) -> HTTPFields {
        var section = section
        return try FieldBlock.read(from: &section)
    }

    private static func readRequest(_ section: inout ByteBuffer) throws(WireError) -> RequestHead {
        guard let method = Self.readMethod(&section) else {
            throw WireError(.malformed, "the method of a request does not parse")
        }
        guard let scheme = section.readInteger(as: UInt8.self), (1...2).contains(scheme),
            let authority = section.readText16()
        else { throw WireError(.malformed, "the scheme or authority of a request does not parse") }
        guard let path = section.readText16(), !path.isEmpty,
            path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
        else { throw WireError(.malformed, "the path of a request does not parse") }
        return RequestHead(
            method: method,
            scheme: Self.schemes[Int(scheme)],
            authority: authority,
            path: path,
            fields: try FieldBlock.read(from: &section)
        )
    }

    private static func readMethod(_ section: inout ByteBuffer) -> String? {
        guard let index = section.readInteger(as: UInt8.self) else { return nil }
        guard index == 0 else {
            return Int(index) < Self.methods.count ? Self.methods[Int(index)] : nil
        }
        guard let length = section.readInteger(as: UInt8.self), length > 0 else { return nil }
        return section.readText(Int(length), where: { $0.isToken })
    }

    private static func readResponse(_ section: inout ByteBuffer) throws(WireError) -> ResponseHead
    {
        guard let status = section.readInteger(as: UInt16.self), (100...999).contains(status),
            let reason = section.readOctets8()
        else { throw WireError(.malformed, "the status of a response does not parse") }
        return ResponseHead(
            status: status,
            reason: reason,
            fields: try FieldBlock.read(from: &section)
        )
    }
}
