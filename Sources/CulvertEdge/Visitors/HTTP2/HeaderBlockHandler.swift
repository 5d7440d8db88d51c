import NIOCore

/// Ends a connection whose visitor begins a header block and does not bring it to its end in time.
///
/// NIOHTTP2 says nothing of a block until all of it is there: HEADERS and its CONTINUATION frames, which
/// may trickle in for ever (RFC 9113 §4.3). So this handler, in front of it, reads frame headers along. A
/// block has `timeout`, as the head of an HTTP/1.1 request has, from the first byte behind its frame's
/// header to its last. Nothing else can be sent on the connection meanwhile, so it is closed: there
/// is nobody who could read a GOAWAY.
final class HeaderBlockHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let prefaceBytes = 24
    private static let headerBytes = 9
    private static let headers: UInt8 = 1
    private static let continuation: UInt8 = 9
    private static let endHeaders: UInt8 = 4

    private let timeout: TimeAmount
    /// Bytes before the next frame header.
    private var skip = HeaderBlockHandler.prefaceBytes
    /// The length, type and flags of a frame header that is not complete, and how much of it there is.
    private var partial: UInt64 = 0
    private var partialBytes = 0
    private var isWithinBlock = false
    /// The frame under way is the last of its block.
    private var endsBlock = false
    private var timer: DeadlineTimer?

    init(timeout: TimeAmount) { self.timeout = timeout }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        self.timer = DeadlineTimer(eventLoop: context.eventLoop) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.unwrapInboundIn(data).withUnsafeReadableBytes { self.read($0) }
        context.fireChannelRead(data)
    }

    private func read(_ bytes: UnsafeRawBufferPointer) {
        var position = 0
        while position < bytes.count {
            if self.skip > 0 {
                let step = min(self.skip, bytes.count - position)
                position += step
                self.skip -= step
            } else {
                self.partial = self.partial << 8 | UInt64(bytes[position])
                position += 1
                self.partialBytes += 1
                // The stream's id, the last four bytes, does not matter.
                if self.partialBytes == Self.headerBytes - 4 { self.beginFrame() }
            }
            if self.skip == 0, self.endsBlock { self.endBlock() }
        }
    }

    /// With the length, the type and the flags of a frame.
    private func beginFrame() {
        let type = UInt8(truncatingIfNeeded: self.partial >> 8)
        let flags = UInt8(truncatingIfNeeded: self.partial)
        self.skip = Int(self.partial >> 16) + 4
        self.partial = 0
        self.partialBytes = 0
        guard type == Self.headers || type == Self.continuation else { return }
        self.endsBlock = flags & Self.endHeaders != 0
        guard !self.isWithinBlock else { return }
        self.isWithinBlock = true
        self.timer?.set(.now() + self.timeout)
    }

    private func endBlock() {
        self.endsBlock = false
        self.isWithinBlock = false
        self.timer?.set(nil)
    }
}

@available(*, unavailable)
extension HeaderBlockHandler: Sendable {}
