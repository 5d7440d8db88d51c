internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// One connection of a status listener: one request at a time.
///
/// Nothing is read while an answer is made or sent, so a client that does not take its answers is held
/// by its own socket. What it sent in the same read is not queued: after such an answer the connection
/// is closed, as RFC 9112 §9.3.2 allows. Confined to its event loop.
final class StatusConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case awaitingHead
        case answering
        /// The last answer is out; what still comes is thrown away.
        case lingering
        case closed
    }

    private let router: StatusRouter
    private let limits: StatusLimits
    private var state = State.awaitingHead
    private var closesAfterAnswer = false
    private var hasHeldRead = false
    private var timer: Scheduled<Void>?

    init(router: StatusRouter, limits: StatusLimits) {
        self.router = router
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.arm(self.limits.headTimeout, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.end() }

    private func end() {
        self.state = .closed
        self.timer?.cancel()
        self.timer = nil
    }

    /// Closes the connection unless another deadline replaces this one.
    private func arm(_ delay: TimeAmount, _ context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) {
            context.close(promise: nil)
        }
    }

    func read(context: ChannelHandlerContext) {
        guard self.state != .answering else {
            self.hasHeldRead = true
            return
        }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = Self.unwrapInboundIn(data) else { return }
        guard self.state == .awaitingHead else {
            self.closesAfterAnswer = true
            return
        }
        self.state = .answering
        self.arm(self.limits.answerTimeout, context)
        // After CONNECT and upgrade requests the decoder takes no further request.
        self.closesAfterAnswer =
            !head.isKeepAlive || head.method == .CONNECT || StatusRouter.hasBody(head.headers)
            || head.headers.contains(name: "upgrade")
        let isHead = head.method == .HEAD
        switch self.router.decide(head) {
        case .answer(let answer):
            self.send(answer, withBody: !isHead, context)
        case .ask(let route):
            NIOThreadPool.singleton.runIfActive(eventLoop: context.eventLoop, route)
                .assumeIsolated().whenComplete { result in
                    guard self.state == .answering else { return }
                    let failed = StatusAnswer.text("This process is stopping.", status: 503)
                    self.send((try? result.get()) ?? failed, withBody: !isHead, context)
                }
        }
    }

    private func send(_ answer: StatusAnswer, withBody: Bool, _ context: ChannelHandlerContext) {
        let body = ByteBuffer(string: answer.body)
        var fields: HTTPHeaders = [
            "content-type": answer.contentType,
            "content-length": "\(body.readableBytes)",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        ]
        if answer.status == 405 { fields.add(name: "allow", value: "GET, HEAD") }
        if self.closesAfterAnswer { fields.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: answer.status),
            headers: fields
        )
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        if withBody, body.readableBytes > 0 {
            context.write(Self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        let isSent = context.eventLoop.makePromise(of: Void.self)
        // In a turn of its own: were the next request taken up from within a flush, a client could
        // make the stack as deep as it likes.
        isSent.futureResult.assumeIsolated().whenComplete { result in
            let isWhole = if case .success = result { true } else { false }
            context.eventLoop.assumeIsolated().execute { self.answered(isWhole, context) }
        }
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: isSent)
    }

    private func answered(_ isWhole: Bool, _ context: ChannelHandlerContext) {
        guard self.state == .answering else { return }
        guard isWhole else { return context.close(promise: nil) }
        if self.closesAfterAnswer {
            self.state = .lingering
            self.arm(self.limits.lingerTimeout, context)
            context.close(mode: .output, promise: nil)
        } else {
            self.state = .awaitingHead
            self.arm(self.limits.idleTimeout, context)
        }
        guard self.hasHeldRead else { return }
        self.hasHeldRead = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        self.closesAfterAnswer = true
        if self.state != .answering { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            // More bytes after a parser's error, or after an upgrade request, are thrown away.
            if !(error is ByteToMessageDecoderError.PayloadTooLargeError),
                !(error is ByteToMessageDecoderError)
            {
                context.close(promise: nil)
            }
            return
        }
        self.closesAfterAnswer = true
        guard self.state == .awaitingHead else { return }
        self.state = .answering
        self.arm(self.limits.answerTimeout, context)
        self.send(Self.refusal(of: error), withBody: true, context)
    }

    private static func refusal(of error: HTTPParserError) -> StatusAnswer {
        switch error {
        case .headerOverflow: .text("The request's head is too large.", status: 431)
        case .invalidVersion: .text("Only HTTP/1.1 is served here.", status: 505)
        default: .text("The request is not valid HTTP.", status: 400)
        }
    }
}

@available(*, unavailable)
extension StatusConnectionHandler: Sendable {}
