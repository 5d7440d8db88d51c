import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing
import WebSocketWire

@testable import CulvertAccess

/// What follows a 101 in the same read, or in the next.
@Suite(.timeLimit(.minutes(1)))
struct UpgradeTests {
    /// A request that was sent, and the local end it is for.
    private final class Bench {
        let loop = EmbeddedEventLoop()
        let edge: EmbeddedChannel
        let local: EmbeddedChannel
        private(set) var result: Result<Void, any Error>?
        private let key: String

        init() throws {
            self.edge = EmbeddedChannel(loop: self.loop)
            let end = LocalEnd(opened: { _ in })
            self.local = EmbeddedChannel(handler: end, loop: self.loop)
            let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
            self.local.connect(to: address, promise: nil)
            self.edge.connect(to: address, promise: nil)
            let ended = self.loop.makePromise(of: Void.self)
            let encoder = HTTPRequestEncoder()
            let decoder = ByteToMessageHandler(
                HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes)
            )
            let upgrade = UpgradeHandler(
                target: try AccessTarget(hostname: "a.test"),
                timeout: .seconds(1),
                encoder: encoder,
                decoder: decoder,
                remote: RemoteEnd(local: end, ended: ended),
                logger: Logger(label: "test")
            )
            let pipeline = self.edge.pipeline.syncOperations
            try pipeline.addHandlers([encoder, decoder, upgrade])
            var request = ""
            while let data = try self.edge.readOutbound(as: IOData.self) {
                if case .byteBuffer(let bytes) = data { request += String(buffer: bytes) }
            }
            let name = "Sec-WebSocket-Key: "
            let line = request.split(separator: "\r\n").first { $0.hasPrefix(name) }
            self.key = String(try #require(line).dropFirst(name.count))
            ended.futureResult.assumeIsolated().whenComplete { self.result = $0 }
        }

        var switching: ByteBuffer {
            ByteBuffer(
                string: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                    + "Upgrade: websocket\r\n"
                    + "Sec-WebSocket-Accept: \(WebSocketHandshake.accept(for: self.key))\r\n\r\n"
            )
        }

        /// One read of the socket.
        func receive(_ bytes: ByteBuffer) throws { try self.edge.writeInbound(bytes) }

        /// What the local peer has been given.
        func delivered() throws -> String {
            var text = ""
            while let bytes = try self.local.readOutbound(as: ByteBuffer.self) {
                text += String(buffer: bytes)
            }
            return text
        }

        /// The frames sent to the edge: payload, and the code of a Close.
        func sent() throws -> (payload: String, close: UInt16?) {
            var reader = WebSocketFrameReader(expectsMask: true)
            while let data = try self.edge.readOutbound(as: ByteBuffer.self) {
                reader.append(data)
            }
            var (payload, close) = ("", UInt16?.none)
            while let event = try reader.next() {
                switch event {
                case .bytes(let bytes): payload += String(buffer: bytes)
                case .close(let code, _): close = code
                case .ping, .pong: break
                }
            }
            return (payload, close)
        }
    }

    /// The server's frames behind its 101.
    private static func frames(_ text: String, closes: Bool = true) -> ByteBuffer {
        var bytes = ByteBuffer()
        if !text.isEmpty {
            bytes.writeImmutableBuffer(WebSocketFrame.binary(ByteBuffer(string: text)))
        }
        if closes { bytes.writeImmutableBuffer(WebSocketFrame.close(WebSocketCloseCode.normal)) }
        return bytes
    }

    @Test(arguments: ["", "hello"])
    func aCloseInTheSameRead(text: String) throws {
        let bench = try Bench()
        var bytes = bench.switching
        bytes.writeImmutableBuffer(Self.frames(text))
        try bench.receive(bytes)
        bench.loop.run()
        #expect(try bench.delivered() == text)
        // An embedded channel knows no half of a close, so the local end is over, too.
        #expect(try bench.sent() == ("", WebSocketCloseCode.normal))
        #expect(bench.result == nil, "the server has not ended the connection")
        bench.edge.close(promise: nil)
        bench.loop.run()
        #expect(throws: Never.self) { try #require(bench.result).get() }
    }

    @Test func everySplit() throws {
        let length = try Bench().switching.readableBytes + Self.frames("hello").readableBytes
        for split in 1..<length {
            for runs in [false, true] {
                let bench = try Bench()
                var bytes = bench.switching
                bytes.writeImmutableBuffer(Self.frames("hello"))
                let head = bytes.readSlice(length: split)
                try bench.receive(try #require(head))
                if runs { bench.loop.run() }
                try bench.receive(bytes)
                bench.loop.run()
                #expect(try bench.delivered() == "hello", "split at \(split)")
                #expect(try bench.sent().close == WebSocketCloseCode.normal, "split at \(split)")
            }
        }
    }

    @Test func theConnectionEndsInTheSameTurn() throws {
        let bench = try Bench()
        var bytes = bench.switching
        bytes.writeImmutableBuffer(Self.frames("hello", closes: false))
        try bench.receive(bytes)
        bench.edge.pipeline.fireChannelInactive()
        bench.loop.run()
        let result = try #require(bench.result)
        #expect(throws: AccessError.self, "no Close came: what was received is not the whole") {
            try result.get()
        }
    }

    @Test func nothingIsDialledForAChannelThatIsNotActive() throws {
        var opened = 0
        let end = LocalEnd(opened: { _ in opened += 1 })
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(handler: end, loop: loop)
        #expect(opened == 0)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        #expect(opened == 1)
    }

    @Test func aLocalEndThatCannotBeCarriedIsClosed() throws {
        let end = LocalEnd(opened: { _ in })
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(handler: end, loop: loop)
        end.attach(RemoteEnd(local: end, ended: loop.makePromise(of: Void.self)))
        loop.run()
        #expect(throws: ChannelError.self) { try channel.finish() }
    }
}
