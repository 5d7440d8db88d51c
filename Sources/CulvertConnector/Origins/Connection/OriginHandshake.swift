import NIOCore
import NIOTLS

/// Waits behind TLS until that is established, then makes way for what speaks the protocol agreed upon.
/// Confined to its channel's event loop.
final class OriginHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let install: (any Channel, _ agreed: String?) throws -> Void
    private var promise: EventLoopPromise<Void>?
    private var outcome: Result<Void, any Error>?

    /// - Parameter install: adds the handlers for what ALPN agreed upon, nil for nothing.
    init(install: @escaping (any Channel, _ agreed: String?) throws -> Void) {
        self.install = install
    }

    /// Fulfils `promise` once TLS is established, or fails it with the reason why not.
    func wait(_ promise: EventLoopPromise<Void>) {
        if let outcome { return promise.completeWith(outcome) }
        self.promise = promise
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(let agreed) = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        do {
            try self.install(context.channel, agreed)
            self.end(.success(()))
        } catch {
            self.end(.failure(error))
            context.close(promise: nil)
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.end(.failure(error))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end(.failure(ChannelError.eof))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.end(.failure(ChannelError.eof)) }

    /// The first outcome is the one that counts.
    private func end(_ outcome: Result<Void, any Error>) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        self.promise?.completeWith(outcome)
        self.promise = nil
    }
}

@available(*, unavailable)
extension OriginHandshake: Sendable {}
