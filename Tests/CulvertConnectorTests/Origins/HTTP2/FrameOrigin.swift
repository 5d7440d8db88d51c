import NIOConcurrencyHelpers
import NIOCore
import NIOHPACK
import NIOPosix

@testable import CulvertConnector

/// An HTTP/2 server on loopback that does frame by frame what a test's closure says.
///
/// It answers the preface with its SETTINGS and acknowledges the client's; everything else is the script's.
/// A request of HTTP/1.1 is answered with `plain`.
final class FrameOrigin: Sendable {
    struct Frame: Sendable, Equatable {
        enum Kind: UInt8 {
            case data, headers, priority, reset, settings, push, ping, goAway, windowUpdate
            case continuation
        }

        var kind: Kind
        var flags: UInt8 = 0
        var stream = 0
        var payload: [UInt8] = []

        var endsStream: Bool {
            self.flags & 1 == 1 && (self.kind == .data || self.kind == .headers)
        }
        var text: String { String(decoding: self.payload, as: UTF8.self) }
        /// The code of a RST_STREAM.
        var code: UInt8 { self.payload.last ?? 0 }
    }

    /// One accepted connection, for the script. Its calls come on its own event loop.
    final class Peer {
        let number: Int
        let channel: any Channel
        var step = 0
        /// The header blocks of each stream, trailers behind the head.
        fileprivate(set) var blocks: [Int: [HPACKHeaders]] = [:]
        fileprivate(set) var bodies: [Int: [UInt8]] = [:]
        fileprivate var input = ByteBuffer()
        fileprivate var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
        fileprivate var block: (stream: Int, bytes: ByteBuffer)?
        fileprivate var hasPreface = false

        init(number: Int, channel: any Channel) {
            self.number = number
            self.channel = channel
        }

        /// A script's own count of body bytes sent.
        var sent = 0

        func path(_ stream: Int) -> String { self.blocks[stream]?[0].first(name: ":path") ?? "" }

        func send(_ frames: Frame...) { self.send(frames) }

        func send(_ frames: [Frame]) {
            var bytes = ByteBuffer()
            for frame in frames { frame.write(to: &bytes) }
            self.channel.writeAndFlush(bytes, promise: nil)
        }

        /// A whole answer.
        func answer(_ stream: Int, _ text: String = "ok") {
            self.send(.head(stream), .data(stream, text, end: true))
        }

        func close() { self.channel.close(promise: nil) }
    }

    typealias Script = @Sendable (Peer, Frame) -> Void

    struct Seen: Sendable {
        var accepted = 0
        var closed = 0
        var frames: [Frame] = []
        /// How many requests came on each connection.
        var headsOfPeers: [Int: Int] = [:]
        /// Field lines of heads, as `name: value`.
        var heads: [[String]] = []

        func count(_ kind: Frame.Kind) -> Int { self.frames.count { $0.kind == kind } }
    }

    let port: Int
    private let server: any Channel
    private let box: NIOLockedValueBox<Seen>
    private let accepted: NIOLockedValueBox<[any Channel]>

    var seen: Seen { self.box.withLockedValue { $0 } }

    private init(
        _ server: any Channel,
        _ box: NIOLockedValueBox<Seen>,
        _ accepted: NIOLockedValueBox<[any Channel]>
    ) {
        self.server = server
        self.port = server.localAddress?.port ?? 0
        self.box = box
        self.accepted = accepted
    }

    /// Listens; `script` is called for every frame but those that end the opening of a connection.
    static func start(
        settings: [(UInt16, UInt32)] = [],
        script: @escaping Script
    ) async throws -> FrameOrigin {
        let box = NIOLockedValueBox(Seen())
        let accepted = NIOLockedValueBox<[any Channel]>([])
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                accepted.withLockedValue { $0.append(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    let number = box.withLockedValue { seen in
                        seen.accepted += 1
                        return seen.accepted
                    }
                    let peer = Peer(number: number, channel: channel)
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(peer, settings, script, box)
                    )
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FrameOrigin(server, box, accepted)
    }

    func stop() {
        self.server.close(promise: nil)
        for channel in self.accepted.withLockedValue({ $0 }) { channel.close(promise: nil) }
    }

    /// A target that names it, with options for its own `http2Origin`.
    func target(_ change: (inout OriginOptions) -> Void = { _ in }) -> OriginTarget {
        var options = OriginOptions()
        options.http2Origin = true
        change(&options)
        return OriginTarget(service: .http(host: "127.0.0.1", port: self.port), options: options)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let peer: Peer
        private let settings: [(UInt16, UInt32)]
        private let script: Script
        private let box: NIOLockedValueBox<Seen>

        init(
            _ peer: Peer,
            _ settings: [(UInt16, UInt32)],
            _ script: @escaping Script,
            _ box: NIOLockedValueBox<Seen>
        ) {
            self.peer = peer
            self.settings = settings
            self.script = script
            self.box = box
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.peer.input.writeImmutableBuffer(self.unwrapInboundIn(data))
            if !self.peer.hasPreface {
                guard self.peer.input.readableBytes >= 24 else { return }
                guard self.peer.input.readableBytesView.starts(with: "PRI ".utf8) else {
                    return self.answerHTTP1()
                }
                self.peer.input.moveReaderIndex(forwardBy: 24)
                self.peer.hasPreface = true
                self.peer.send(.settings(self.settings))
            }
            while let frame = self.next() { self.take(frame) }
        }

        private func answerHTTP1() {
            self.peer.input.clear()
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain"
            self.peer.channel.writeAndFlush(ByteBuffer(string: answer), promise: nil)
        }

        private func next() -> Frame? {
            let input = self.peer.input
            let at = input.readerIndex
            guard let head = input.getBytes(at: at, length: 9) else { return nil }
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            guard let payload = input.getBytes(at: at + 9, length: length) else { return nil }
            self.peer.input.moveReaderIndex(forwardBy: 9 + length)
            let stream = head[5...].reduce(0) { $0 << 8 | Int($1) }
            return Frame.Kind(rawValue: head[3]).map {
                Frame(kind: $0, flags: head[4], stream: stream, payload: payload)
            }
        }

        private func take(_ frame: Frame) {
            if frame.kind == .settings {
                if frame.flags == 0 { self.peer.send(Frame(kind: .settings, flags: 1)) }
                return
            }
            if frame.kind == .headers || frame.kind == .continuation { self.takeBlock(frame) }
            if frame.kind == .data { self.peer.bodies[frame.stream, default: []] += frame.payload }
            // When the connection's window is granted is nobody's business.
            if frame.kind != .windowUpdate || frame.stream != 0 {
                self.box.withLockedValue { $0.frames.append(frame) }
            }
            self.script(self.peer, frame)
        }

        private func takeBlock(_ frame: Frame) {
            var block = self.peer.block ?? (frame.stream, ByteBuffer())
            block.bytes.writeBytes(frame.payload)
            self.peer.block = block
            guard frame.flags & 4 == 4 else { return }
            self.peer.block = nil
            self.peer.decoder.maxHeaderListSize = 1 << 20
            guard let fields = try? self.peer.decoder.decodeHeaders(from: &block.bytes) else {
                return self.peer.close()
            }
            self.peer.blocks[block.stream, default: []].append(fields)
            let lines = fields.map { "\($0.name): \($0.value)" }
            let number = self.peer.number
            self.box.withLockedValue { seen in
                seen.heads.append(lines)
                seen.headsOfPeers[number, default: 0] += 1
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.box.withLockedValue { $0.closed += 1 }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

extension FrameOrigin.Frame {
    func write(to bytes: inout ByteBuffer) {
        bytes.writeInteger(UInt8(self.payload.count >> 16))
        bytes.writeInteger(UInt16(truncatingIfNeeded: self.payload.count))
        bytes.writeInteger(self.kind.rawValue)
        bytes.writeInteger(self.flags)
        bytes.writeInteger(UInt32(self.stream))
        bytes.writeBytes(self.payload)
    }

    static func settings(_ pairs: [(UInt16, UInt32)]) -> Self {
        var payload: [UInt8] = []
        for (name, value) in pairs {
            payload += withUnsafeBytes(of: name.bigEndian, Array.init)
            payload += withUnsafeBytes(of: value.bigEndian, Array.init)
        }
        return Self(kind: .settings, payload: payload)
    }

    /// A header block of literals.
    static func head(
        _ stream: Int,
        _ status: String? = "200",
        _ fields: [(String, String)] = [],
        end: Bool = false
    ) -> Self {
        var payload: [UInt8] = []
        for (name, value) in (status.map { [(":status", $0)] } ?? []) + fields {
            payload.append(0)
            for text in [name, value] {
                var rest = text.utf8.count
                if rest < 127 {
                    payload.append(UInt8(rest))
                } else {
                    payload.append(127)
                    rest -= 127
                    while rest >= 128 {
                        payload.append(UInt8(rest & 127 | 128))
                        rest >>= 7
                    }
                    payload.append(UInt8(rest))
                }
                payload += text.utf8
            }
        }
        return Self(kind: .headers, flags: end ? 5 : 4, stream: stream, payload: payload)
    }

    static func data(_ stream: Int, _ text: String, end: Bool = false) -> Self {
        Self(kind: .data, flags: end ? 1 : 0, stream: stream, payload: Array(text.utf8))
    }

    static func reset(_ stream: Int, _ code: UInt32) -> Self {
        let payload = withUnsafeBytes(of: code.bigEndian, Array.init)
        return Self(kind: .reset, stream: stream, payload: payload)
    }

    static func goAway(_ last: UInt32, _ code: UInt32 = 0) -> Self {
        let payload =
            withUnsafeBytes(of: last.bigEndian, Array.init)
            + withUnsafeBytes(of: code.bigEndian, Array.init)
        return Self(kind: .goAway, payload: payload)
    }

    static func windowUpdate(_ stream: Int, _ bytes: UInt32) -> Self {
        let payload = withUnsafeBytes(of: bytes.bigEndian, Array.init)
        return Self(kind: .windowUpdate, stream: stream, payload: payload)
    }
}
