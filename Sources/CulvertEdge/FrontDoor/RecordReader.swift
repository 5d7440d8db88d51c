/// Takes one handshake message out of TLS records (RFC 8446 §5.1), which may cut it anywhere.
struct RecordReader {
    enum Handshake: Equatable {
        /// Nothing changes before this many bytes, counted from the first of the connection.
        case needMore(Int)
        /// The body of a ClientHello, without its four-byte header.
        case complete(ArraySlice<UInt8>)
        case malformed(String)
    }

    static let handshakeContent: UInt8 = 22
    private static let headerBytes = 5
    private static let clientHello: UInt8 = 1

    private let received: ArraySlice<UInt8>
    private var offset: Int
    /// The fragments so far. The first is a slice of what was received: nothing is copied when one
    /// record holds the whole message, as it nearly always does.
    private var message: ArraySlice<UInt8> = []

    init(_ received: ArraySlice<UInt8>) {
        self.received = received
        self.offset = received.startIndex
    }

    /// Reads records until the first handshake message is whole.
    mutating func handshake() -> Handshake {
        while true {
            var header = ByteReader(self.received[self.offset...])
            guard let type = header.uint8() else { return self.needMore(Self.headerBytes) }
            guard type == Self.handshakeContent else {
                return .malformed("a record of type \(type) within a ClientHello")
            }
            guard let major = header.uint8() else { return self.needMore(Self.headerBytes) }
            guard major == 3 else { return .malformed("a record of TLS version \(major).x") }
            guard header.uint8() != nil, let length = header.uint16() else {
                return self.needMore(Self.headerBytes)
            }
            guard (1...16_384).contains(length) else {
                return .malformed("a handshake record of \(length) bytes")
            }
            if let end = self.readFragment(length: length) { return end }
        }
    }

    /// Takes the record at `offset`; nil when it was whole and the message is not.
    private mutating func readFragment(length: Int) -> Handshake? {
        let start = self.offset + Self.headerBytes
        let fragment = self.received[start...].prefix(length)
        let before = self.message.count
        if before == 0 { self.message = fragment } else { self.message += fragment }
        if let type = self.message.first, type != Self.clientHello {
            return .malformed("a handshake that begins with message \(type)")
        }
        let wanted = self.messageBytes ?? 4
        if self.messageBytes != nil, self.message.count >= wanted {
            return .complete(self.message.prefix(wanted).dropFirst(4))
        }
        if fragment.count < length {
            return self.needMore(Self.headerBytes + min(length, wanted - before))
        }
        if let whole = self.messageBytes, whole > ClientHello.maximumBytes {
            return .malformed("a ClientHello of more than \(ClientHello.maximumBytes) bytes")
        }
        self.offset = start + length
        return nil
    }

    /// The length the message's header gives, the header itself included; nil until it is here.
    private var messageBytes: Int? {
        var header = ByteReader(self.message)
        guard header.uint8() != nil, let high = header.uint8(), let low = header.uint16() else {
            return nil
        }
        return 4 + (high << 16 | low)
    }

    private func needMore(_ bytesFromOffset: Int) -> Handshake {
        .needMore(self.offset - self.received.startIndex + bytesFromOffset)
    }
}

/// Reads big-endian fields off the front of some bytes; every read gives nil when they run out.
struct ByteReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.rest = bytes }

    var isEmpty: Bool { self.rest.isEmpty }

    mutating func uint8() -> Int? { self.rest.popFirst().map(Int.init) }

    mutating func uint16() -> Int? {
        guard let bytes = self.take(2) else { return nil }
        return bytes.reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard self.rest.count >= count else { return nil }
        defer { self.rest = self.rest.dropFirst(count) }
        return self.rest.prefix(count)
    }

    /// Bytes preceded by their number in one byte.
    mutating func vector8() -> ArraySlice<UInt8>? {
        guard let count = self.uint8() else { return nil }
        return self.take(count)
    }

    /// Bytes preceded by their number in two bytes.
    mutating func vector16() -> ArraySlice<UInt8>? {
        guard let count = self.uint16() else { return nil }
        return self.take(count)
    }
}
