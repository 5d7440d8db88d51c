import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

/// An HTTP/2 frame as it is on the wire.
struct RawFrame: Sendable, Equatable {
    var type: UInt8
    var flags: UInt8 = 0
    var stream: UInt32 = 0
    var payload: [UInt8] = []

    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let resetStream: UInt8 = 3
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4

    /// Whether it answers the PING of this number.
    func isAnswer(_ number: UInt8) -> Bool {
        self.type == Self.ping && self.flags == 1 && self.payload.last == number
    }

    /// The error code of a RST_STREAM or GOAWAY.
    var errorCode: UInt32 {
        let code = self.type == Self.goAway ? self.payload.dropFirst(4) : self.payload[...]
        return code.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// A header block of literals without indexing (RFC 7541 §6.2.2).
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        func text(_ text: String) -> [UInt8] {
            let bytes = Array(text.utf8)
            if bytes.count < 127 { return [UInt8(bytes.count)] + bytes }
            var rest = bytes.count - 127
            var length: [UInt8] = [127]
            while rest >= 128 {
                length.append(UInt8(rest & 127 | 128))
                rest >>= 7
            }
            return length + [UInt8(rest)] + bytes
        }
        return fields.flatMap { [0] + text($0.0) + text($0.1) }
    }

    static func request(
        _ stream: UInt32,
        _ path: String,
        method: String = "GET",
        end: Bool = true,
        _ fields: [(String, String)] = []
    ) -> RawFrame {
        let pseudo = [
            (":method", method), (":scheme", "https"), (":authority", "a.test"), (":path", path),
        ]
        let flags = self.endHeaders | (end ? self.endStream : 0)
        return RawFrame(
            type: self.headers,
            flags: flags,
            stream: stream,
            payload: self.block(pseudo + fields)
        )
    }
}

/// An HTTP/2 client that sends any frames over TLS and keeps those it gets.
final class FrameClient: Sendable {
    let frames = Recorder<RawFrame>()
    private let channel: any Channel
    private let isAnsweringPings = NIOLockedValueBox(false)

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private var buffer = ByteBuffer()
        private let frames: Recorder<RawFrame>
        private let answersPings: NIOLockedValueBox<Bool>

        init(_ frames: Recorder<RawFrame>, answersPings: NIOLockedValueBox<Bool>) {
            self.frames = frames
            self.answersPings = answersPings
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = self.unwrapInboundIn(data)
            self.buffer.writeBuffer(&bytes)
            while let header = self.buffer.getBytes(at: self.buffer.readerIndex, length: 9) {
                let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
                guard self.buffer.readableBytes >= 9 + length else { return }
                self.buffer.moveReaderIndex(forwardBy: 9)
                let payload = self.buffer.readBytes(length: length) ?? []
                let stream = header[5...].reduce(0) { $0 << 8 | UInt32($1) }
                if header[3] == RawFrame.ping, header[4] == 0,
                    self.answersPings.withLockedValue({ $0 })
                {
                    let answer = header[..<4] + [1] + header[5...] + payload
                    context.writeAndFlush(NIOAny(ByteBuffer(bytes: answer)), promise: nil)
                }
                self.frames.record(
                    RawFrame(type: header[3], flags: header[4], stream: stream, payload: payload)
                )
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    init(_ server: TestServer) async throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = ["h2"]
        let context = try NIOSSLContext(configuration: configuration)
        let frames = self.frames
        let answersPings = self.isAnsweringPings
        self.channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: context, serverHostname: nil),
                        Handler(frames, answersPings: answersPings)
                    )
                }
            }
            .connect(host: "127.0.0.1", port: server.port)
            .get()
        try await self.channel.writeAndFlush(
            ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        )
        try await self.send(RawFrame(type: RawFrame.settings))
    }

    /// Answers them from now on, at once.
    func answersPings() { self.isAnsweringPings.withLockedValue { $0 = true } }

    func send(_ frames: RawFrame...) async throws { try await self.send(frames) }

    func send(_ frames: [RawFrame]) async throws {
        var buffer = ByteBuffer()
        for frame in frames {
            buffer.writeInteger(UInt8(frame.payload.count >> 16))
            buffer.writeInteger(UInt16(truncatingIfNeeded: frame.payload.count))
            buffer.writeInteger(frame.type)
            buffer.writeInteger(frame.flags)
            buffer.writeInteger(frame.stream)
            buffer.writeBytes(frame.payload)
        }
        try await self.channel.writeAndFlush(buffer)
    }

    func closed() async throws { try await self.channel.closeFuture.get() }

    func close() async throws { try? await self.channel.close() }
}
