import NIOCore
import TunnelWire

extension HTTP1VisitorHandler {
    /// What the connection waits for, where it is the visitor that is waited for.
    private enum Waiting {
        case nextRequest
        case head(since: NIODeadline)
        case body
        case drain(since: NIODeadline)
        case reader
        /// The visitor's half is closed: it may be gone altogether, which only writing would tell.
        case halfClosed
        case lingering
        case nothing
    }

    private var waiting: Waiting {
        switch self.phase {
        case .http: break
        case .opaque, .closed: return .nothing
        case .lingering: return self.context?.channel.isWritable ?? true ? .lingering : .reader
        case .breakingOff: return .reader
        }
        if let context, !context.channel.isWritable { return .reader }
        guard let exchange else {
            return self.headBegan.map { .head(since: $0) } ?? .nextRequest
        }
        if self.isReceiving {
            if self.isAnswered, exchange.machine.tunnel == .detached {
                return .drain(since: self.drainBegan ?? self.lastProgress)
            }
            if exchange.acceptsBody { return .body }
        }
        return self.isInputClosed ? .halfClosed : .nothing
    }

    func noteProgress() {
        self.lastProgress = .now()
        self.sentAtLastCheck = nil
    }

    func updateDeadline() {
        guard let timer else { return }
        switch self.waiting {
        case .nextRequest where self.isDraining:
            self.lastProgress = .now()
            timer.set(self.lastProgress + self.timeouts.lastRequest)
        case .nextRequest where self.requestCount == 0:
            timer.set(self.acceptedAt + self.timeouts.header)
        case .nextRequest:
            self.lastProgress = .now()
            timer.set(self.lastProgress + self.timeouts.keepAlive)
        case .head(let since): timer.set(since + self.timeouts.header)
        case .body: timer.set(self.lastProgress + self.timeouts.bodyIdle)
        case .reader:
            if self.sentAtLastCheck == nil { self.sentAtLastCheck = self.sentBytes }
            timer.set(self.lastProgress + self.timeouts.bodyIdle)
        case .halfClosed: timer.set(self.lastProgress + self.timeouts.halfClosed)
        case .drain(let since): timer.set(since + self.timeouts.drain)
        case .lingering:
            if self.sentAtLastCheck == nil { self.sentAtLastCheck = self.sentBytes }
            timer.set(self.lastProgress + self.timeouts.lingering)
        case .nothing: timer.set(nil)
        }
    }

    func deadlinePassed() {
        guard let context else { return }
        switch self.waiting {
        case .nextRequest where self.isDraining: self.finishConnection(context)
        case .nextRequest: context.close(promise: nil)
        case .head: self.refuseSlowHead()
        case .body:
            guard let exchange else { return }
            self.isReceiving = false
            self.closesAfterAnswer = true
            exchange.fail(.tooSlow)
            exchange.abandonRequest()
            self.process()
        case .drain:
            self.exchange?.abandonRequest()
            self.finishConnection(context)
        case .reader: self.checkReader(context)
        case .halfClosed:
            guard .now() >= self.lastProgress + self.timeouts.halfClosed else {
                return self.updateDeadline()
            }
            context.close(promise: nil)
        case .lingering:
            guard self.hasReaderMoved(context) else { return context.close(promise: nil) }
            self.updateDeadline()
        case .nothing: break
        }
    }

    private func refuseSlowHead() {
        self.refuse(.tooSlow)
        self.process()
    }

    /// The channel is full; as long as the kernel has taken some of it since the last look, the
    /// visitor reads.
    private func checkReader(_ context: ChannelHandlerContext) {
        if self.hasReaderMoved(context) { return self.updateDeadline() }
        self.exchange?.visitorLeft(.cancelled, errorCode: "visitor-too-slow")
        self.breakOff(atOnce: true)
    }

    /// Whether something waits to be written, and the kernel has taken more since the last look.
    private func hasReaderMoved(_ context: ChannelHandlerContext) -> Bool {
        guard let sent = self.sentBytes, sent < self.givenBytes else { return false }
        guard sent > self.sentAtLastCheck ?? 0 else { return false }
        self.sentAtLastCheck = sent
        self.lastProgress = .now()
        return true
    }

    /// Of the bytes given to the channel, those that have left it: about, since what waits is counted
    /// as TLS has made it.
    private var sentBytes: Int? {
        let waiting = try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return waiting.map { self.givenBytes - $0 }
    }
}
