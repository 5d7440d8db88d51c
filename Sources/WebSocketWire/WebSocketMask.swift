internal import NIOCore

/// The mask of one frame (RFC 6455 §5.3): four bytes that every byte of the payload is XORed with.
package struct WebSocketMask: Equatable, Sendable {
    /// The mask's first byte in the lowest bits.
    private let littleEndian: UInt32

    /// Of 32 fresh random bits, nobody's to foresee.
    package init(bits: UInt32) { self.littleEndian = bits }

    /// As four bytes of the wire.
    init(bytes: UInt32) { self.littleEndian = bytes.byteSwapped }

    var bytes: UInt32 { self.littleEndian.byteSwapped }

    /// Appends the masked `source` to `target`; masking twice gives the source again. `offset` is
    /// where in its frame's payload the source begins.
    ///
    /// Eight bytes at a time: byte by byte, it would be the dearest thing that a carried byte meets.
    func append(_ source: ByteBufferView, to target: inout ByteBuffer, offset: Int) {
        let count = source.count
        let shift = UInt32(truncatingIfNeeded: offset & 3) * 8
        let turned = self.littleEndian &>> shift | self.littleEndian &<< ((32 &- shift) & 31)
        let word = UInt64(turned) | UInt64(turned) << 32
        target.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { output in
            source.withUnsafeBytes { input in
                var index = 0
                while index &+ 8 <= count {
                    let value = input.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    let masked = (UInt64(littleEndian: value) ^ word).littleEndian
                    output.storeBytes(of: masked, toByteOffset: index, as: UInt64.self)
                    index &+= 8
                }
                while index < count {
                    let byte = UInt8(truncatingIfNeeded: word &>> (UInt64(index & 7) &* 8))
                    output[index] = input[index] ^ byte
                    index &+= 1
                }
            }
            return count
        }
    }
}
