import Glibc
import HTTPSemantics
import NIOCore
import NIOSSL

extension HTTP1VisitorHandler: VisitorResponder {
    /// Pieces up to this size are copied beside their head and framing: one write, one TLS record.
    private static let copiedBytes = 8 * 1024

    func answerInterim(_ head: ResponseHead) {
        guard !self.isHTTP10 else { return }
        self.outbox.writeHead(head)
        self.outbox.writeStaticString("\r\n")
        self.hasUnflushedAnswer = true
    }

    func answerHead(_ head: ResponseHead, hasNoBody: Bool) {
        let hasLength = self.outbox.writeHead(head)
        if hasNoBody {
            self.bodyStyle = .none
        } else if hasLength {
            self.bodyStyle = .length
        } else if self.isHTTP10 {
            self.bodyStyle = .untilClose
            self.closesAfterAnswer = true
        } else {
            self.bodyStyle = .chunked
            self.outbox.writeStaticString("transfer-encoding: chunked\r\n")
        }
        if self.isDraining { self.closesAfterAnswer = true }
        if self.closesAfterAnswer {
            self.outbox.writeStaticString("connection: close\r\n")
        } else if self.isHTTP10 {
            self.outbox.writeStaticString("connection: keep-alive\r\n")
        }
        self.outbox.writeStaticString("\r\n")
        self.hasUnflushedAnswer = true
    }

    func answerUpgrade(_ head: ResponseHead) {
        self.outbox.writeHead(head)
        self.outbox.writeUpgrade(head)
        self.outbox.writeStaticString("\r\n")
        self.hasUnflushedAnswer = true
        self.bodyStyle = .untilClose
        self.phase = .opaque
        self.isReceiving = true
        self.process()
    }

    func answerData(_ data: ByteBuffer) {
        guard let context else { return }
        let count = data.readableBytes
        self.undeliveredBytes += count
        self.hasUnflushedAnswer = true
        if self.bodyStyle == .chunked { self.outbox.writeChunkSize(count) }
        if count <= Self.copiedBytes {
            self.outbox.writeImmutableBuffer(data)
        } else {
            self.writeOutbox(context)
            self.givenBytes += count
            context.write(self.wrapOutboundOut(data), promise: nil)
        }
        if self.bodyStyle == .chunked { self.outbox.writeStaticString("\r\n") }
    }

    func answerEnd(trailers: HTTPFields?) {
        self.isAnswered = true
        if self.bodyStyle == .chunked {
            self.outbox.writeLastChunk(trailers: trailers)
            self.hasUnflushedAnswer = true
        }
        if self.phase == .opaque { self.closeOutput() }
    }

    func closeAfterAnswer() { self.closesAfterAnswer = true }

    func flushAnswer() {
        // Within `process` everything waits for its one flush.
        guard !self.isProcessing, let context, self.hasUnflushedAnswer else { return }
        self.hasUnflushedAnswer = false
        self.writeOutbox(context)
        context.flush()
        // A buffer that a batch has made large is not kept by a connection that may idle for long.
        if self.outbox.capacity > 16 * 1024 { self.outbox = ByteBuffer() }
        self.outbox.clear(minimumCapacity: 1024)
        if self.isReceiving || self.isInputClosed { self.noteProgress() }
        if context.channel.isWritable { self.reportDelivered() }
    }

    func exchangeAdvanced() { self.process() }

    private func writeOutbox(_ context: ChannelHandlerContext) {
        guard self.outbox.readableBytes > 0 else { return }
        self.givenBytes += self.outbox.readableBytes
        context.write(self.wrapOutboundOut(self.outbox), promise: nil)
        self.outbox.clear()
    }

    func reportDelivered() {
        guard self.undeliveredBytes > 0 else { return }
        let bytes = self.undeliveredBytes
        self.undeliveredBytes = 0
        self.exchange?.delivered(bytes)
    }
}

// MARK: - Ends

extension HTTP1VisitorHandler {
    /// Ends the connection so that the visitor can read the last answer: close the output, go on
    /// reading for a moment. A close with unread input would send a RST, which may overtake it.
    func finishConnection(_ context: ChannelHandlerContext) {
        guard self.phase == .http else { return }
        self.phase = .lingering
        self.exchange = nil
        self.drainedBytes = 0
        self.inbox = ByteBuffer()
        self.lastProgress = .now()
        if self.requestCount == 0 {
            self.phase = .closed
            context.close(promise: nil)
            return
        }
        self.closeOutput()
    }

    /// Closes the output once everything written is out of memory.
    private func closeOutput() {
        guard let context else { return }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            self?.shutDownOutput()
        }
        let rest = self.outbox
        self.givenBytes += rest.readableBytes
        self.outbox.clear()
        self.hasUnflushedAnswer = false
        context.writeAndFlush(self.wrapOutboundOut(rest), promise: written)
    }

    private func shutDownOutput() {
        guard let context else { return }
        let closed = context.eventLoop.makePromise(of: Void.self)
        closed.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            guard let self, self.isInputClosed else { return }
            self.context?.close(promise: nil)
        }
        context.close(mode: .output, promise: closed)
    }

    /// Ends the connection so that the answer in progress cannot be taken for whole.
    func breakOff(atOnce: Bool) {
        guard let context, self.phase != .closed else { return }
        guard !atOnce, self.phase != .breakingOff else { return self.cut(context) }
        self.phase = .breakingOff
        self.noteProgress()
        self.writeOutbox(context)
        context.flush()
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            guard let self, let context = self.context else { return }
            self.cut(context)
        }
        // Behind all that TLS has made of the answer.
        self.belowTLS(context).writeAndFlush(NIOAny(ByteBuffer()), promise: written)
        self.updateDeadline()
    }

    /// Closes without the last chunk or the rest of the length, without the close of TLS; where only
    /// the close marks the end of an answer, with a RST.
    private func cut(_ context: ChannelHandlerContext) {
        guard self.phase != .closed else { return }
        self.phase = .closed
        self.exchange = nil
        self.timer?.set(nil)
        if self.bodyStyle == .untilClose {
            let socket = context.channel as? any SocketOptionProvider
            _ = socket?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        self.belowTLS(context).close(mode: .all, promise: nil)
    }

    private func belowTLS(_ context: ChannelHandlerContext) -> ChannelHandlerContext {
        let pipeline = context.pipeline.syncOperations
        return (try? pipeline.context(handlerType: NIOSSLServerHandler.self)) ?? context
    }
}
