/// Lays texts side by side in memory that has room for all of them.
///
/// For heads: their many small pieces would each ask a growing buffer for room. Running out of room is
/// a fault of the caller's count and traps, in release too.
package struct TextWriter: ~Copyable {
    @usableFromInline let room: UnsafeMutableRawBufferPointer
    /// Bytes written.
    package private(set) var count = 0

    /// Writes from the start of `room`, which is the caller's and has to outlive the writer.
    package init(_ room: UnsafeMutableRawBufferPointer) { self.room = room }

    /// One byte.
    package mutating func put(_ byte: UInt8) {
        precondition(self.count < self.room.count)
        self.room[self.count] = byte
        self.count += 1
    }

    /// Bytes as they are.
    package mutating func put(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= self.room.count - self.count)
        UnsafeMutableRawBufferPointer(rebasing: self.room[self.count...]).copyMemory(from: bytes)
        self.count += bytes.count
    }

    /// A literal's UTF-8, straight from the binary.
    package mutating func put(_ text: StaticString) {
        self.put(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// The text's UTF-8.
    package mutating func put(_ text: String) {
        var text = text
        text.withUTF8 { self.put(UnsafeRawBufferPointer($0)) }
    }

    /// What a field's value, or a reason phrase, is on the wire.
    package mutating func putOctets(_ text: String) { text.withOctets { self.put($0) } }

    /// A field line (RFC 9112 §5).
    package mutating func putLine(_ field: HTTPFields.Field) {
        self.put(field.name)
        self.put(": ")
        self.putOctets(field.value)
        self.put("\r\n")
    }

    /// Writes a big-endian integer over two bytes that are there.
    package func set(_ integer: UInt16, at index: Int) {
        precondition(index >= 0 && index + 2 <= self.count)
        self.room[index] = UInt8(truncatingIfNeeded: integer >> 8)
        self.room[index + 1] = UInt8(truncatingIfNeeded: integer)
    }
}

extension HTTPFields {
    /// Bytes that are enough for the fields as lines.
    package var linesBytes: Int {
        self.storage.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
    }
}
