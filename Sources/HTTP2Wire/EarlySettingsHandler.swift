package import NIOCore

/// Lets NIOHTTP2 write heads that are longer than a frame, and a server use its own SETTINGS for a
/// visitor's very first requests.
///
/// NIOHTTP2 decodes heads within HTTP/2's defaults, 16 KiB of fields, until the visitor has acknowledged
/// SETTINGS; but visitors send requests without waiting for them, and RFC 9113 §6.5.3 wants nobody
/// to: a first request with many cookies would end the connection. So this handler, in front of
/// NIOHTTP2, acknowledges in the visitor's name right behind the visitor's own SETTINGS, takes the
/// real acknowledgement out when it comes, and is gone. It also adds to the peer's SETTINGS that
/// frames may be large, see `OutboundFramesHandler`; that is all it does for a client.
///
/// It acknowledges only settings that are no narrower than HTTP/2's defaults, so that no visitor can
/// have broken them before it knew: see `isHarmless(streamWindowBytes:)`. (Streams beyond the limit are
/// refused, not an error.) Looks at frame headers only; what is no HTTP/2 is passed on for NIOHTTP2 to
/// refuse. Confined to its channel's event loop.
package final class EarlySettingsHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    private static let prefaceBytes = 24
    private static let headerBytes = 9
    private static let settings: UInt8 = 4
    private static let acknowledgement: [UInt8] = [0, 0, 0, 4, 1, 0, 0, 0, 0]
    /// SETTINGS_MAX_FRAME_SIZE: 1 MiB.
    private static let largeFrames: [UInt8] = [0, 5, 0, 0x10, 0, 0]

    private enum State {
        /// Neither the preface nor the peer's SETTINGS are complete.
        case preface
        /// Acknowledged here; the visitor's own acknowledgement is to come.
        case acknowledged
    }

    /// Whether it acknowledges; if not, it is gone once the peer's SETTINGS are through.
    private let acknowledges: Bool
    private var state = State.preface
    /// Bytes before the next frame header.
    private var skip: Int
    /// A frame header that is not complete.
    private var partial = ByteBuffer()
    /// The frame under way is the peer's SETTINGS.
    private var isWithinSettings = false

    /// Whether a server's settings allow all that HTTP/2 allows by default (RFC 9113 §6.5.2).
    package static func isHarmless(streamWindowBytes: Int) -> Bool { streamWindowBytes >= 65_535 }

    /// For a server, whose client's first bytes are the preface (RFC 9113 §3.4).
    package init(acknowledges: Bool) {
        self.acknowledges = acknowledges
        self.skip = Self.prefaceBytes
    }

    private init() {
        self.acknowledges = false
        self.skip = 0
    }

    /// For a client: a server begins with its SETTINGS.
    package static func client() -> EarlySettingsHandler { EarlySettingsHandler() }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var input = self.unwrapInboundIn(data)
        if self.partial.readableBytes > 0 {
            self.partial.writeBuffer(&input)
            swap(&self.partial, &input)
            self.partial = ByteBuffer()
        }
        var output = context.channel.allocator.buffer(
            capacity: input.readableBytes + Self.headerBytes
        )
        let isDone = self.pass(&input, to: &output)
        if output.readableBytes > 0 { context.fireChannelRead(self.wrapInboundOut(output)) }
        if isDone {
            if input.readableBytes > 0 { context.fireChannelRead(self.wrapInboundOut(input)) }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
    }

    /// Moves what is understood; true when this handler has nothing left to do.
    private func pass(_ input: inout ByteBuffer, to output: inout ByteBuffer) -> Bool {
        while true {
            if self.skip > 0 {
                guard var piece = input.readSlice(length: min(self.skip, input.readableBytes)),
                    piece.readableBytes > 0
                else { return false }
                self.skip -= piece.readableBytes
                output.writeBuffer(&piece)
            }
            guard self.skip == 0 else { return false }
            if self.isWithinSettings {
                self.isWithinSettings = false
                output.writeBytes(Self.largeFrames)
                guard self.acknowledges else { return true }
                output.writeBytes(Self.acknowledgement)
                self.state = .acknowledged
            }
            guard let header = input.readSlice(length: Self.headerBytes) else {
                self.partial = input
                input = ByteBuffer()
                return false
            }
            if self.readHeader(header, to: &output) { return true }
        }
    }

    /// True for the acknowledgement that was waited for, which is not passed on.
    private func readHeader(_ header: ByteBuffer, to output: inout ByteBuffer) -> Bool {
        let bytes = header.readableBytesView
        let at = bytes.startIndex
        self.skip = Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
        let isSettings = bytes[at + 3] == Self.settings
        let isAcknowledgement = isSettings && bytes[at + 4] & 1 == 1
        if self.state == .acknowledged, isAcknowledgement, self.skip == 0 { return true }
        self.isWithinSettings = self.state == .preface && isSettings && !isAcknowledgement
        guard self.isWithinSettings else {
            output.writeImmutableBuffer(header)
            return false
        }
        let length = self.skip + Self.largeFrames.count
        output.writeInteger(UInt8(truncatingIfNeeded: length >> 16))
        output.writeInteger(UInt16(truncatingIfNeeded: length))
        output.writeBytes(bytes.dropFirst(3))
        return false
    }
}

@available(*, unavailable)
extension EarlySettingsHandler: Sendable {}
