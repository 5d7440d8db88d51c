import HTTPSemantics
import NIOCore
import TunnelWire

// Bytes of a link, at splits that the input chooses: the decoder must not trap, must not care where
// the bytes were split, and must agree with what writes frames. Whole payloads then go through each
// reader that takes that type's, and what is read is written and read again.

/// The first byte of an input seeds the splits; the rest is the link's bytes.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzFrameDecoder(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let whole = decode(bytes, splitBy: [bytes.count])
    let seed = Int(start.pointee)
    let split = decode(bytes, splitBy: [seed % 17 + 1, seed / 17 + 1, 1, 4_000])
    precondition(whole.frames == split.frames, "splits change the frames")
    precondition(whole.error == split.error, "splits change the error")
    checkReencoding(of: whole.frames, asPrefixOf: bytes)
    for frame in whole.frames { read(frame) }
    return 0
}

private func decode(
    _ bytes: [UInt8],
    splitBy sizes: [Int]
) -> (frames: [FrameDecoder.Frame], error: WireError?) {
    var decoder = FrameDecoder()
    var frames: [FrameDecoder.Frame] = []
    var rest = bytes[...]
    var turn = 0
    do throws(WireError) {
        while !rest.isEmpty {
            let piece = rest.prefix(sizes[turn % sizes.count])
            turn += 1
            rest.removeFirst(piece.count)
            decoder.feed(ByteBuffer(bytes: piece))
            while let frame = try decoder.next() { frames.append(frame) }
            precondition(
                decoder.pendingBytes < WireLimits.messageBytes,
                "more than one frame waits"
            )
        }
    } catch {
        do throws(WireError) {
            _ = try decoder.next()
            preconditionFailure("a failed decoder goes on")
        } catch let again {
            precondition(again == error, "a failed decoder fails otherwise")
        }
        return (frames, error)
    }
    return (frames, nil)
}

private func checkReencoding(of frames: [FrameDecoder.Frame], asPrefixOf bytes: [UInt8]) {
    var written = ByteBuffer()
    for frame in frames {
        written.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount) {
            frame.header.write(to: $0)
            return FrameHeader.byteCount
        }
        written.writeImmutableBuffer(frame.payload)
    }
    precondition(bytes.starts(with: written.readableBytesView), "frames are not what came")
}

/// What can be read of a frame can be written, and reads the same again.
private func read(_ frame: FrameDecoder.Frame) {
    do throws(WireError) {
        switch frame.header.type {
        case .challenge:
            let challenge = try Challenge(payload: frame.payload)
            let again = try Challenge(payload: challenge.payload())
            precondition(again == challenge)
        case .login:
            let signed = try Login.Signed(payload: frame.payload)
            var payload = try signed.login.unsignedPayload()
            payload.writeBytes(signed.signature)
            let again = try Login.Signed(payload: payload)
            precondition(again.login == signed.login)
        case .welcome:
            let welcome = try Welcome(payload: frame.payload)
            let again = try Welcome(payload: welcome.payload())
            precondition(again == welcome)
        case .refused:
            let refusal = try Refusal(payload: frame.payload)
            let again = try Refusal(payload: refusal.payload())
            precondition(again == refusal)
        case .head: try readHead(frame.payload)
        case .trailers:
            let fields = try HeadCodec.decode(trailers: frame.payload)
            let section = try HeadCodec.encode(trailers: fields, allocator: ByteBufferAllocator())
            let again = try HeadCodec.decode(trailers: section)
            precondition(again == fields)
        default: break
        }
    } catch {
        precondition(!error.reason.isEmpty)
    }
}

private func readHead(_ payload: ByteBuffer) throws(WireError) {
    let head = try HeadCodec.decode(payload)
    let section: ByteBuffer
    switch head {
    case .request(let head):
        section = try HeadCodec.encode(head, allocator: ByteBufferAllocator())
    case .response(let head):
        section = try HeadCodec.encode(head, allocator: ByteBufferAllocator())
    }
    let again = try HeadCodec.decode(section)
    precondition(again == head, "a head reads otherwise when written again")
}
