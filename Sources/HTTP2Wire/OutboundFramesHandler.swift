package import NIOCore

/// Makes what NIOHTTP2 writes fit for the wire, in three places where it differs from HTTP/2:
///
/// - It refuses to write a head that is larger than a frame, where RFC 9113 §4.3 has CONTINUATION.
///   `EarlySettingsHandler` lets it believe in large frames, and here they are cut.
/// - As a server it ends a connection that opens more streams than SETTINGS_MAX_CONCURRENT_STREAMS
///   says, where RFC 9113 §5.1.2 has an error of the stream. So it is told of more, and the SETTINGS
///   that go out say the limit, which the handler above holds by REFUSED_STREAM.
/// - A GOAWAY of its own, with an error, has 0 for the last stream that was processed, or the highest
///   there is. RFC 9113 §6.8 has the client send again what lies beyond it, so 0 would have requests
///   done twice that are under way: the true one is written over it.
///
/// NIOHTTP2 writes each frame by itself, but for DATA, whose payload follows its header as a write of its
/// own, and a client's preface. Confined to its channel's event loop.
package final class OutboundFramesHandler: ChannelOutboundHandler {
    package typealias OutboundIn = IOData
    package typealias OutboundOut = IOData

    /// Every peer takes frames of this many bytes (RFC 9113 §4.2).
    package static let frameBytes = 16_384

    private static let headerBytes = 9
    private static let data: UInt8 = 0
    private static let headers: UInt8 = 1
    private static let settings: UInt8 = 4
    private static let goAway: UInt8 = 7
    private static let continuation: UInt8 = 9
    private static let endHeaders: UInt8 = 4
    private static let maximumConcurrentStreams: UInt16 = 3

    private let concurrentStreams: UInt32
    private let lastStreamID: (() -> Int)?
    private var hasSentSettings: Bool
    /// The next write is no frame but a DATA frame's payload.
    private var isWithinData = false

    /// - Parameters:
    ///   - concurrentStreams: What the peer is told; nil: the SETTINGS are right as they are.
    ///   - lastStreamID: The highest of the peer's streams that something was done for, asked for on the
    ///     event loop when a GOAWAY with an error goes out; nil: a GOAWAY is right as it is.
    package init(concurrentStreams: Int?, lastStreamID: (() -> Int)? = nil) {
        self.concurrentStreams = UInt32(clamping: concurrentStreams ?? 0)
        self.hasSentSettings = concurrentStreams == nil
        self.lastStreamID = lastStreamID
    }

    package func write(
        context: ChannelHandlerContext,
        data: NIOAny,
        promise: EventLoopPromise<Void>?
    ) {
        guard !self.isWithinData, case .byteBuffer(var frame) = self.unwrapOutboundIn(data) else {
            self.isWithinData = false
            return context.write(data, promise: promise)
        }
        switch frame.getInteger(at: frame.readerIndex + 3, as: UInt8.self) {
        case Self.data:
            self.isWithinData = true
            return context.write(data, promise: promise)
        case Self.settings where !self.hasSentSettings:
            self.hasSentSettings = true
            self.correct(&frame)
        case Self.headers where frame.readableBytes > Self.headerBytes + Self.frameBytes:
            frame = Self.cut(frame, allocator: context.channel.allocator)
        case Self.goAway: self.correctGoAway(&frame)
        default: return context.write(data, promise: promise)
        }
        context.write(self.wrapOutboundOut(.byteBuffer(frame)), promise: promise)
    }

    /// Writes the limit that is meant over the one NIOHTTP2 was told.
    private func correct(_ frame: inout ByteBuffer) {
        let payload = frame.readerIndex + Self.headerBytes
        for entry in stride(from: payload, to: frame.writerIndex - 5, by: 6)
        where frame.getInteger(at: entry, as: UInt16.self) == Self.maximumConcurrentStreams {
            frame.setInteger(self.concurrentStreams, at: entry + 2)
        }
    }

    /// One without an error is the handler's above, and right.
    private func correctGoAway(_ frame: inout ByteBuffer) {
        let payload = frame.readerIndex + Self.headerBytes
        guard let lastStreamID, let code = frame.getInteger(at: payload + 4, as: UInt32.self),
            code != 0
        else { return }
        frame.setInteger(UInt32(clamping: lastStreamID()), at: payload)
    }

    /// HEADERS, and as many CONTINUATION frames behind it as it takes.
    private static func cut(_ frame: ByteBuffer, allocator: ByteBufferAllocator) -> ByteBuffer {
        var rest = frame
        guard let header = rest.readBytes(length: Self.headerBytes) else { return frame }
        var cut = allocator.buffer(capacity: frame.readableBytes + 64)
        var type = Self.headers
        var flags = header[4] & ~Self.endHeaders
        while let piece = rest.readSlice(length: min(Self.frameBytes, rest.readableBytes)),
            piece.readableBytes > 0
        {
            if rest.readableBytes == 0 { flags |= Self.endHeaders }
            cut.writeInteger(UInt8(piece.readableBytes >> 16))
            cut.writeInteger(UInt16(truncatingIfNeeded: piece.readableBytes))
            cut.writeInteger(type)
            cut.writeInteger(flags)
            cut.writeBytes(header[5...])
            cut.writeImmutableBuffer(piece)
            type = Self.continuation
            flags = 0
        }
        return cut
    }
}

@available(*, unavailable)
extension OutboundFramesHandler: Sendable {}
