internal import NIOCore
internal import TunnelWire

/// What both ends of a link share: frames out of its messages, and login frames into them.
struct LinkIO {
    private var decoder = FrameDecoder()
    private var outgoing = ByteBuffer()

    var hasOutgoing: Bool { self.outgoing.readableBytes > 0 }

    /// Queues a login frame.
    mutating func send(_ frame: ByteBuffer) { self.outgoing.writeImmutableBuffer(frame) }

    /// Fills `buffer` with login frames that wait; at most one message is ever waiting.
    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, self.outgoing.readableBytes)
        self.outgoing.readWithUnsafeReadableBytes { bytes in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            return count
        }
        return count
    }

    /// Takes bytes of a message; call ``next()`` until it returns nil.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        self.decoder.feed(ByteBuffer(bytes: bytes))
    }

    mutating func next() throws(WireError) -> FrameDecoder.Frame? { try self.decoder.next() }

    /// A message is over, which holds whole frames.
    ///
    /// - Throws: `badLength` when it ends within one.
    func messageEnded() throws(WireError) {
        guard self.decoder.pendingBytes == 0 else {
            throw WireError(
                .badLength,
                "a message ends \(self.decoder.pendingBytes) bytes into a frame"
            )
        }
    }
}
