import HTTPSemantics
import NIOCore
import NIOSSL

/// One connection to an origin: the only handler behind TLS, re-armed for each exchange.
///
/// It parses answers, writes requests, stops reading while its exchange asks for it, and knows
/// whether it may be used again. Confined to its channel's event loop.
final class OriginConnection: ChannelDuplexHandler, OriginLink {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var parser = ResponseParser()
    private weak var pool: OriginPool?
    /// The exchange under way; nil while idle and once it was given up.
    private var exchange: OriginExchange?
    private var framing = RequestFraming.none
    private var isOpaque = false
    private var isPaused = false
    private var isReadHeld = false
    private var sawInputEnd = false
    private var closedOutput = false
    private var isBroken = false
    private var failure: (any Error)?
    private var scratch = ByteBuffer()
    /// When an idle connection is no longer to be used; the pool sets it.
    var expires: NIODeadline = .distantFuture

    private static let lineEnd = ByteBuffer(staticString: "\r\n")

    /// Whether another request can be sent: open, in order, and nothing unread.
    var isUsable: Bool {
        guard let context, context.channel.isActive else { return false }
        return !self.isBroken && !self.sawInputEnd && !self.isOpaque
            && self.parser.isComplete && !self.parser.hasSurplus
    }

    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    /// Whether the origin keeps the connection open after the latest answer.
    var isPersistent: Bool { self.parser.isPersistent && self.isUsable }
    var keepAliveSeconds: Int? { self.parser.keepAliveSeconds }

    /// What was last wrong with it, in words, for a log.
    var failureDetail: String? { self.failure.map { "\($0)" } }
}

@available(*, unavailable)
extension OriginConnection: Sendable {}

// MARK: - For the dial

extension OriginConnection {
    /// Becomes one of the pool's.
    ///
    /// - Returns: false when it has been closed in the meantime.
    func join(_ pool: OriginPool) -> Bool {
        guard self.isUsable else { return false }
        self.pool = pool
        return true
    }
}

// MARK: - For the exchange

extension OriginConnection {
    func begin(
        _ exchange: OriginExchange,
        head: RequestHead,
        host: String,
        framing: RequestFraming,
        traits: RequestTraits
    ) -> Bool {
        assert(self.exchange == nil && self.isUsable)
        self.exchange = exchange
        self.framing = framing
        self.parser.begin(isHeadRequest: traits.isHead)
        self.scratch.clear()
        guard
            RequestWriter.writeHead(
                head,
                host: host,
                framing: framing,
                keepsUpgrade: traits.asksUpgrade,
                into: &self.scratch
            )
        else {
            self.isBroken = true
            return false
        }
        self.write(self.scratch)
        return true
    }

    private func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        context.write(self.wrapOutboundOut(bytes), promise: nil)
    }

    func writeBody(_ bytes: ByteBuffer) {
        guard self.framing == .chunked else { return self.write(bytes) }
        // One chunk (RFC 9112 §7.1).
        var line = ByteBuffer()
        RequestWriter.writeChunkLine(bytes.readableBytes, into: &line)
        self.write(line)
        self.write(bytes)
        self.write(Self.lineEnd)
    }

    func endBody(trailers: HTTPFields) -> Bool {
        guard self.framing == .chunked else { return true }
        var last = ByteBuffer()
        guard RequestWriter.writeLastChunk(trailers: trailers, into: &last) else { return false }
        self.write(last)
        return true
    }

    func flush() { self.context?.flush() }

    func pauseReading() { self.isPaused = true }

    func resumeReading() {
        guard self.isPaused else { return }
        self.isPaused = false
        guard self.isReadHeld, let context else { return }
        self.isReadHeld = false
        context.read()
    }

    /// FIN (after `close_notify`).
    func closeOutput() {
        self.closedOutput = true
        self.context?.close(mode: .output, promise: nil)
    }

    /// Back to the pool, or closed when it cannot be used again.
    func release(now: NIODeadline) {
        self.exchange = nil
        self.resumeReading()
        if self.isPersistent, let pool, pool.keep(self, now: now) { return }
        self.close()
    }

    /// With `close_notify` where TLS is spoken.
    func close() {
        self.exchange = nil
        self.isBroken = true
        self.isPaused = false
        self.context?.close(promise: nil)
    }

    func abandon() {
        self.exchange = nil
        self.isBroken = true
        self.isPaused = false
        self.context?.channel.closeAtOnce()
    }
}

// MARK: - ChannelHandler

extension OriginConnection {
    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if self.isPaused {
            self.isReadHeld = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        guard let exchange else {
            // Nobody asked: an idle connection on which the origin speaks is out of step.
            if !self.isBroken { self.close() }
            return
        }
        if self.isOpaque {
            exchange.receivedBody(bytes)
        } else {
            self.parser.append(bytes)
            self.parse()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.exchange?.endedRead() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.exchange?.connectionBecameWritable() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { self.endedInput() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.failure = error
        self.isBroken = true
        if let tls = error as? NIOSSLError, tls == .uncleanShutdown { return }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // With our side closed before, the origin's orderly end is told by this event alone.
        if self.closedOutput, !self.isBroken { self.endedInput() }
        // Without an end of input before it, this is a reset or a failed write.
        let isClean = self.sawInputEnd && !self.isBroken
        self.sawInputEnd = true
        if let exchange {
            self.exchange = nil
            exchange.lostConnection(self.parser.finish(clean: isClean))
        }
        self.pool?.closed(self)
        self.pool = nil
    }
}

// MARK: - Answers

extension OriginConnection {
    /// Hands over what the parser makes of the bytes, for as long as the exchange wants it.
    private func parse() {
        while let exchange {
            switch self.parser.next() {
            case .needsMore:
                // Bytes behind the answer while the upload still runs: out of step as when idle.
                if self.parser.isComplete, self.parser.hasSurplus { self.lose(.nothing) }
                return
            case .interim(let head): exchange.receivedAnswer(head)
            case .head(let head): exchange.receivedAnswer(head)
            case .body(let piece): exchange.receivedBody(piece)
            case .end(let trailers): exchange.receivedAnswerEnd(trailers: trailers)
            case .switched(let head):
                self.isOpaque = true
                let rest = self.parser.takeRest()
                exchange.receivedAnswer(head)
                if rest.readableBytes > 0 { self.exchange?.receivedBody(rest) }
                return
            case .malformed(let fault):
                exchange.receivedMalformedAnswer("\(fault)")
                return
            }
        }
    }

    /// The origin has ended its side: FIN, or `close_notify`.
    private func endedInput() {
        guard !self.sawInputEnd else { return }
        self.sawInputEnd = true
        guard let exchange else { return self.close() }
        if self.isOpaque {
            if self.isBroken {
                self.lose(.truncated)
            } else {
                exchange.receivedAnswerEnd(trailers: nil)
            }
            return
        }
        let ending = self.parser.finish(clean: !self.isBroken)
        switch ending {
        case .bodyEnd: exchange.receivedAnswerEnd(trailers: nil)
        // The upload goes on over the half that is open.
        case .nothing: break
        case .noAnswer, .partialHead, .truncated, .unprocessed, .needsHTTP1, .reset:
            self.lose(ending)
        }
    }

    /// Gives the connection up and tells the exchange, which may begin anew elsewhere.
    private func lose(_ ending: AnswerEnding) {
        guard let exchange else { return }
        self.abandon()
        exchange.lostConnection(ending)
    }
}
