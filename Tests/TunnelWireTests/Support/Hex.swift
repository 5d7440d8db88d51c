import NIOCore
import TunnelWire

/// Bytes as a specification prints them: hexadecimal digits, spaces anywhere.
func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map {
        UInt8(digits[$0] << 4 | digits[$0 + 1])
    }
}

extension ByteBuffer {
    init(hex: String) { self.init(bytes: TunnelWireTests.bytes(hex)) }

    var bytes: [UInt8] { Array(self.readableBytesView) }
}

extension FrameHeader {
    /// The twelve bytes.
    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        bytes.withUnsafeMutableBytes { self.write(to: $0) }
        return bytes
    }
}

/// Every frame of `bytes`, fed in pieces of `size`, and the error that ended it.
func decode(_ bytes: [UInt8], piecesOf size: Int) -> ([FrameDecoder.Frame], WireError?) {
    var decoder = FrameDecoder()
    var frames: [FrameDecoder.Frame] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
        decoder.feed(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]))
        do {
            while let frame = try decoder.next() { frames.append(frame) }
        } catch {
            return (frames, error)
        }
    }
    return (frames, nil)
}
