internal import NIOCore

/// The mask of a frame (RFC 6455 §5.3): four bytes that every byte of the payload is XORed with, from a
/// place in the payload on. Masking twice gives the same again.
///
/// Eight bytes at a time: byte by byte, it would be the dearest thing that a carried byte meets.
package struct WebSocketMask: Equatable, Sendable {
    /// The mask's first byte in the lowest bits.
    private let littleEndian: UInt32

    /// Of 32 fresh random bits, nobody's to foresee.
    package init(bits: UInt32) { self.littleEndian = bits }

    /// Of the four octets of the wire.
    init(octets: some BidirectionalCollection<UInt8>) {
        self.littleEndian = octets.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// As four bytes of the wire.
    var bytes: UInt32 { self.littleEndian.byteSwapped }

    /// The same for what comes `count` bytes further on.
    func advanced(by count: Int) -> WebSocketMask {
        let shift = UInt32(truncatingIfNeeded: count & 3) * 8
        return WebSocketMask(
            bits: self.littleEndian &>> shift | self.littleEndian &<< ((32 &- shift) & 31)
        )
    }

    /// Masks bytes where they are.
    package func apply(to bytes: UnsafeMutableRawBufferPointer) {
        guard let start = bytes.baseAddress, self.littleEndian != 0 else { return }
        self.apply(from: start, to: start, count: bytes.count)
    }

    /// Appends `source`, masked, to `target`.
    func append(_ source: ByteBufferView, to target: inout ByteBuffer) {
        target.writeWithUnsafeMutableBytes(minimumWritableBytes: source.count) { output in
            source.withUnsafeBytes { input in
                if let from = input.baseAddress, let to = output.baseAddress {
                    self.apply(from: from, to: to, count: input.count)
                }
            }
            return source.count
        }
    }

    /// The two places may be the same.
    private func apply(
        from input: UnsafeRawPointer,
        to output: UnsafeMutableRawPointer,
        count: Int
    ) {
        let word = UInt64(self.littleEndian) | UInt64(self.littleEndian) << 32
        let native = UInt64(littleEndian: word)
        var done = 0
        while done &+ 8 <= count {
            let value = input.loadUnaligned(fromByteOffset: done, as: UInt64.self)
            output.storeBytes(of: value ^ native, toByteOffset: done, as: UInt64.self)
            done &+= 8
        }
        while done < count {
            let byte = input.load(fromByteOffset: done, as: UInt8.self)
            let mask = UInt8(truncatingIfNeeded: word &>> (UInt64(done & 7) &* 8))
            output.storeBytes(of: byte ^ mask, toByteOffset: done, as: UInt8.self)
            done &+= 1
        }
    }
}
