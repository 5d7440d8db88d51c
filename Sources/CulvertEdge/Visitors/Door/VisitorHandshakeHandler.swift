import NIOCore
import NIOHTTP2
import NIOSSL
import NIOTLS

/// Waits for the TLS handshake, then puts the handlers of the negotiated protocol in its place.
final class VisitorHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let server: VisitorServer
    private let visitor: VisitorInfo
    private let acceptedAt = NIODeadline.now()
    private var timer: DeadlineTimer?

    init(server: VisitorServer, visitor: VisitorInfo) {
        self.server = server
        self.visitor = visitor
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        let timer = DeadlineTimer(eventLoop: context.eventLoop) { channel.close(promise: nil) }
        timer.set(self.acceptedAt + self.server.configuration.timeouts.header)
        self.timer = timer
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.timer?.cancel()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted(let negotiated):
            self.negotiated(context, isHTTP2: negotiated == "h2")
        case ChannelEvent.inputClosed:
            context.close(promise: nil)
        case is VisitorDrainEvent:
            // It is served one request yet: the handler that takes over asks the server.
            break
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func negotiated(_ context: ChannelHandlerContext, isHTTP2: Bool) {
        let pipeline = context.pipeline.syncOperations
        do {
            if isHTTP2 {
                try pipeline.addHTTP2Visitor(self.server, self.visitor, context.channel)
            } else {
                let handler = HTTP1VisitorHandler(
                    server: self.server,
                    visitor: self.visitor,
                    eventLoop: context.eventLoop,
                    redirectPort: nil,
                    acceptedAt: self.acceptedAt,
                    isDraining: self.server.isDraining
                )
                try pipeline.addHandler(handler)
            }
            pipeline.removeHandler(context: context, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }
}

@available(*, unavailable)
extension VisitorHandshakeHandler: Sendable {}
