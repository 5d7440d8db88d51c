package import HTTPSemantics
package import NIOCore

/// A run of fields as HEAD, TRAILERS and attributes carry it.
package enum FieldBlock {
    /// Appends `fields` to `buffer`.
    ///
    /// - Throws: `badLength` when a name is empty or over 32,767 bytes, a value over 65,535, or there
    ///   are more than ``WireLimits/fields``.
    package static func write(
        _ fields: HTTPFields,
        to buffer: inout ByteBuffer
    ) throws(WireError) {
        guard fields.count <= WireLimits.fields else {
            throw WireError(.badLength, "\(fields.count) fields")
        }
        var fault: WireError?
        // Two lengths of two bytes take no more than what a line has beside name and value.
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: fields.linesBytes) { room in
            var text = TextWriter(room)
            for field in fields.storage {
                guard Self.write(name: field.name, to: &text) else {
                    fault = WireError(.badLength, "a field name of no or too many bytes")
                    return 0
                }
                guard Self.write(value: field.value, to: &text) else {
                    fault = WireError(.badLength, "a field value of over 65,535 bytes")
                    return 0
                }
            }
            return text.count
        }
        if let fault { throw fault }
    }

    private static func write(name: String, to text: inout TextWriter) -> Bool {
        var name = name
        return name.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            let index = FieldNameTable.index(of: bytes)
            if index != 0 {
                text.put(index)
                return true
            }
            guard (1...0x7FFF).contains(bytes.count) else { return false }
            text.put(UInt8(bytes.count >> 8) | 0x80)
            text.put(UInt8(bytes.count & 0xFF))
            text.put(bytes)
            return true
        }
    }

    private static func write(value: String, to text: inout TextWriter) -> Bool {
        let start = text.count
        text.put(0)
        text.put(0)
        text.putOctets(value)
        guard let length = UInt16(exactly: text.count - start - 2) else { return false }
        text.set(length, at: start)
        return true
    }

    /// Reads fields to the end of `buffer`.
    ///
    /// - Throws: `malformed` when a name is no token, a value has NUL, CR or LF, a length points
    ///   beyond the end, or there are more than ``WireLimits/fields``.
    package static func read(from buffer: inout ByteBuffer) throws(WireError) -> HTTPFields {
        var fields = HTTPFields()
        fields.reserveCapacity(16)
        while buffer.readableBytes > 0 {
            guard fields.count < WireLimits.fields else {
                throw WireError(.malformed, "more than \(WireLimits.fields) fields")
            }
            let name = try Self.readName(from: &buffer)
            guard let length = buffer.readInteger(as: UInt16.self),
                let value = buffer.readOctets(Int(length))
            else { throw WireError(.malformed, "the value of field \(name) does not parse") }
            fields.append(name, value)
        }
        return fields
    }

    private static func readName(from buffer: inout ByteBuffer) throws(WireError) -> String {
        guard let first = buffer.readInteger(as: UInt8.self) else { throw Self.badName }
        guard first & 0x80 != 0 else {
            let name = FieldNameTable.byIndex[Int(first)]
            guard !name.isEmpty else { throw Self.badName }
            return name
        }
        guard let second = buffer.readInteger(as: UInt8.self) else { throw Self.badName }
        let length = Int(first & 0x7F) << 8 | Int(second)
        guard length > 0, let name = buffer.readText(length, where: { $0.isToken }) else {
            throw Self.badName
        }
        return name
    }

    private static var badName: WireError { WireError(.malformed, "a field name does not parse") }
}

/// What may not be in a field, or any other text of a frame.
enum FieldSyntax {
    /// NUL, CR and LF: what would end a field, or a message, on its way to HTTP/1.1.
    static func isForbidden(_ byte: UInt8) -> Bool { byte == 0 || byte == 0x0D || byte == 0x0A }
}

extension ByteBuffer {
    /// Appends `text(16)`.
    ///
    /// - Throws: `badLength` when the text is over 65,535 bytes.
    mutating func writeText16(_ text: String) throws(WireError) {
        guard let count = UInt16(exactly: text.utf8.count) else {
            throw WireError(.badLength, "a text of \(text.utf8.count) bytes")
        }
        self.writeInteger(count)
        self.writeString(text)
    }

    /// Appends `text(8)`.
    ///
    /// - Throws: `badLength` when the text is over 255 bytes.
    mutating func writeText8(_ text: String) throws(WireError) {
        guard let count = UInt8(exactly: text.utf8.count) else {
            throw WireError(.badLength, "a text of \(text.utf8.count) bytes")
        }
        self.writeInteger(count)
        self.writeString(text)
    }

    /// Appends `octets(8)`.
    ///
    /// - Throws: `badLength` when there are over 255.
    mutating func writeOctets8(_ text: String) throws(WireError) {
        let lengthIndex = self.writerIndex
        self.writeInteger(UInt8(0))
        let written = self.writeOctets(text)
        guard let count = UInt8(exactly: written) else {
            throw WireError(.badLength, "a reason phrase of \(written) bytes")
        }
        self.setInteger(count, at: lengthIndex)
    }

    /// Appends the octets of a field's value or a reason phrase, as they are on the wire; see
    /// `String.init(octets:)`.
    ///
    /// - Returns: how many.
    @discardableResult
    package mutating func writeOctets(_ text: String) -> Int {
        text.withOctets { self.writeBytes($0) }
    }

    /// Reads `length` octets without NUL, CR and LF, or nil.
    @inline(__always)
    mutating func readOctets(_ length: Int) -> String? {
        guard length <= self.readableBytes else { return nil }
        let text = self.withUnsafeReadableBytes { bytes -> String? in
            let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            guard !bytes.contains(where: FieldSyntax.isForbidden) else { return nil }
            return String(octets: bytes)
        }
        self.moveReaderIndex(forwardBy: length)
        return text
    }

    /// Reads `octets(8)` that has no NUL, CR or LF, or nil.
    mutating func readOctets8() -> String? {
        guard let length = self.readInteger(as: UInt8.self) else { return nil }
        return self.readOctets(Int(length))
    }

    /// Reads `length` bytes of UTF-8 that all satisfy `isAllowed`, or nil.
    @inline(__always)
    mutating func readText(_ length: Int, where isAllowed: (UInt8) -> Bool) -> String? {
        guard length <= self.readableBytes else { return nil }
        let text = self.withUnsafeReadableBytes { bytes -> String? in
            let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            guard bytes.allSatisfy(isAllowed) else { return nil }
            return String(utf8: bytes)
        }
        self.moveReaderIndex(forwardBy: length)
        return text
    }

    /// Reads `text(16)` that has no NUL, CR or LF, or nil.
    mutating func readText16() -> String? {
        guard let length = self.readInteger(as: UInt16.self) else { return nil }
        return self.readText(Int(length), where: { !FieldSyntax.isForbidden($0) })
    }
}
