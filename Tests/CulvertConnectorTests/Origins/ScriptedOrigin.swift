import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

@testable import CulvertConnector

/// A server on loopback that answers as a test's closure says, byte for byte.
final class ScriptedOrigin: Sendable {
    /// One accepted connection, for the script. Its calls come on its own event loop.
    final class Peer {
        let number: Int
        private(set) var received = ""
        let channel: any Channel
        var step = 0
        private(set) var sawEnd = false

        init(number: Int, channel: any Channel) {
            self.number = number
            self.channel = channel
        }

        func add(_ bytes: ByteBuffer) { self.received += String(buffer: bytes) }
        func ended() { self.sawEnd = true }

        /// Whether the received bytes have come to hold `count` request heads.
        func hasHeads(_ count: Int) -> Bool {
            self.received.components(separatedBy: "\r\n\r\n") > count
        }

        func send(_ text: String) {
            self.channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }

        /// Each byte in a write of its own, a turn of the event loop apart.
        func sendByByte(_ text: String, then: @escaping (Peer) -> Void = { _ in }) {
            let peer = NIOLoopBound(self, eventLoop: self.channel.eventLoop)
            let then = NIOLoopBound(then, eventLoop: self.channel.eventLoop)
            guard let byte = text.utf8.first else { return then.value(self) }
            let rest = String(decoding: text.utf8.dropFirst(), as: UTF8.self)
            self.channel.writeAndFlush(ByteBuffer(bytes: [byte])).whenComplete { _ in
                peer.value.channel.eventLoop.execute {
                    peer.value.sendByByte(rest, then: then.value)
                }
            }
        }

        func closeOutput() { self.channel.close(mode: .output, promise: nil) }
        func close() { self.channel.close(promise: nil) }

        /// Ends the connection with a reset.
        func resetConnection() {
            let options = self.channel as? any SocketOptionProvider
            let channel = self.channel
            options?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in
                channel.close(promise: nil)
            }
        }
    }

    typealias Script = @Sendable (Peer) -> Void

    let port: Int
    private let server: any Channel
    private let counter: NIOLockedValueBox<Counters>
    private let accepted: NIOLockedValueBox<[any Channel]>

    struct Counters: Sendable {
        var accepted = 0
        var closed = 0
        var received: [Int: String] = [:]
    }

    var counters: Counters { self.counter.withLockedValue { $0 } }

    private init(
        server: any Channel,
        counter: NIOLockedValueBox<Counters>,
        accepted: NIOLockedValueBox<[any Channel]>
    ) {
        self.server = server
        self.accepted = accepted
        self.port = server.localAddress?.port ?? 0
        self.counter = counter
    }

    /// Listens; `script` is called after every read, and at the end of the input.
    static func start(
        host: String = "127.0.0.1",
        unixPath: String? = nil,
        tls: NIOSSLContext? = nil,
        script: @escaping Script
    ) async throws -> ScriptedOrigin {
        let counter = NIOLockedValueBox(Counters())
        let accepted = NIOLockedValueBox<[any Channel]>([])
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                accepted.withLockedValue { $0.append(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    let number = counter.withLockedValue { counters in
                        counters.accepted += 1
                        return counters.accepted
                    }
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    let peer = Peer(number: number, channel: channel)
                    try pipeline.addHandler(Handler(peer, script, counter))
                }
            }
        let server =
            if let unixPath {
                try await bootstrap.bind(unixDomainSocketPath: unixPath).get()
            } else {
                try await bootstrap.bind(host: host, port: 0).get()
            }
        return ScriptedOrigin(server: server, counter: counter, accepted: accepted)
    }

    /// Stops listening and drops every connection: nothing else closes those half closed.
    func stop() {
        self.server.close(promise: nil)
        for channel in self.accepted.withLockedValue({ $0 }) { channel.close(promise: nil) }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let peer: Peer
        private let script: Script
        private let counter: NIOLockedValueBox<Counters>

        init(_ peer: Peer, _ script: @escaping Script, _ counter: NIOLockedValueBox<Counters>) {
            self.peer = peer
            self.script = script
            self.counter = counter
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.peer.add(self.unwrapInboundIn(data))
            let (number, received) = (self.peer.number, self.peer.received)
            self.counter.withLockedValue { $0.received[number] = received }
            self.script(self.peer)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard case ChannelEvent.inputClosed = event else { return }
            self.peer.ended()
            self.script(self.peer)
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.counter.withLockedValue { $0.closed += 1 }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> Int {
        var count = 1
        var rest = self.utf8[...]
        let separator = Array(separator.utf8)
        while rest.count >= separator.count {
            if rest.starts(with: separator) {
                count += 1
                rest = rest.dropFirst(separator.count)
            } else {
                rest = rest.dropFirst()
            }
        }
        return count
    }
}
