import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A visitor that writes what it is told and keeps what it gets.
final class RawClient: Sendable {
    private let channel: any Channel
    private let inbox: Inbox

    private final class Inbox: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        enum Event: Sendable { case changed }

        let text = NIOLockedValueBox("")
        let isClosed = NIOLockedValueBox(false)
        let wasReset = NIOLockedValueBox(false)
        let waiters = NIOLockedValueBox<[CheckedContinuation<Void, Never>]>([])

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = self.unwrapInboundIn(data)
            self.text.withLockedValue { $0 += String(buffer: bytes) }
            self.wake()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event { self.end() }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            self.wasReset.withLockedValue { $0 = true }
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { self.end() }

        private func end() {
            self.isClosed.withLockedValue { $0 = true }
            self.wake()
        }

        func wake() {
            let waiters = self.waiters.withLockedValue { waiters in
                defer { waiters = [] }
                return waiters
            }
            for waiter in waiters { waiter.resume() }
        }
    }

    init(_ server: TestServer) async throws {
        let inbox = Inbox()
        self.inbox = inbox
        self.channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(inbox)
                }
            }
            .connect(host: "127.0.0.1", port: server.port)
            .get()
    }

    func send(_ text: String) async throws {
        try await self.channel.writeAndFlush(ByteBuffer(string: text))
    }

    func send(_ bytes: ByteBuffer) async throws { try await self.channel.writeAndFlush(bytes) }

    func halfClose() async throws { try await self.channel.close(mode: .output) }

    func close() async throws { try? await self.channel.close() }

    var received: String { self.inbox.text.withLockedValue { $0 } }
    var wasReset: Bool { self.inbox.wasReset.withLockedValue { $0 } }

    /// Everything received, once `enough` says so or the server has closed.
    @discardableResult
    func receive(until enough: (String) -> Bool) async -> String {
        while true {
            if enough(self.received) || self.inbox.isClosed.withLockedValue({ $0 })
                || Task.isCancelled
            {
                return self.received
            }
            await withTaskCancellationHandler {
                await self.wait(until: enough)
            } onCancel: {
                self.inbox.wake()
            }
        }
    }

    private func wait(until enough: (String) -> Bool) async {
        await withCheckedContinuation { continuation in
            self.inbox.waiters.withLockedValue { $0.append(continuation) }
            // What came between the look and the append has woken nobody.
            self.inbox.text.withLockedValue { text in
                if enough(text) || self.inbox.isClosed.withLockedValue({ $0 }) || Task.isCancelled {
                    let waiters = self.inbox.waiters.withLockedValue { waiters in
                        defer { waiters = [] }
                        return waiters
                    }
                    for waiter in waiters { waiter.resume() }
                }
            }
        }
    }

    @discardableResult
    func receive(_ text: String) async -> String {
        await self.receive { $0.contains(text) }
    }

    /// Everything until the server closes its side.
    func receiveToEnd() async -> String { await self.receive { _ in false } }
}
