import NIOCore
import NIOHTTP2
import TunnelWire

extension HTTP2VisitorHandler {
    /// Its answer tells that all requests sent before a GOAWAY are here.
    static let drainPing = HTTP2PingData(withInteger: 0)

    /// Stops taking new streams and ends when the last is over (RFC 9113 §6.8).
    func drain() {
        guard self.goingAway == nil else { return }
        // After a GOAWAY without streams NIOHTTP2 refuses those that are on their way: wait for one.
        self.drainsAfterRequest = self.streams.isEmpty
        guard !self.drainsAfterRequest else { return self.updateDeadline() }
        self.goingAway = .announced
        // The visitor may have sent requests that are not here yet: the first GOAWAY refuses none,
        // and once the PING is back, all of them are here.
        self.writeConnection(.goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil))
        self.writeConnection(.ping(Self.drainPing, ack: false))
        self.flushSoon()
    }

    /// Tells which streams were taken, and that none will be any more.
    func goAway() {
        self.goingAway = .final
        self.writeConnection(
            .goAway(lastStreamID: self.lastStreamID, errorCode: .noError, opaqueData: nil)
        )
        self.flushSoon()
        if self.streams.isEmpty { self.endConnection() }
    }

    func peerGoesAway() {
        if self.goingAway == nil { self.goingAway = .final }
        if self.streams.isEmpty { self.endConnection() }
    }

    func becameIdle() {
        // While the PING is on its way, a request may be.
        if self.goingAway == .final {
            self.endConnection()
        } else {
            self.updateDeadline()
        }
    }

    /// GOAWAY, then the end, once everything is written.
    func endConnection() {
        guard let context else { return }
        self.goingAway = .final
        let goAway = HTTP2Frame(
            streamID: .rootStream,
            payload: .goAway(
                lastStreamID: self.lastStreamID,
                errorCode: .noError,
                opaqueData: nil
            )
        )
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            self?.context?.close(promise: nil)
        }
        // Not from within NIOHTTP2's own work, which this may be called from.
        context.eventLoop.assumeIsolated().execute { [weak self] in
            guard let self, let context = self.context else {
                return written.fail(ChannelError.alreadyClosed)
            }
            context.writeAndFlush(self.wrapOutboundOut(goAway), promise: written)
        }
    }

    // MARK: Deadlines

    func updateDeadline() {
        guard let timer else { return }
        if !self.streams.isEmpty {
            timer.set(.now() + self.timeouts.bodyIdle)
        } else if self.goingAway != nil || self.drainsAfterRequest {
            timer.set(.now() + self.timeouts.lastRequest)
        } else if self.hasPreface {
            timer.set(.now() + self.timeouts.keepAlive)
        } else {
            timer.set(self.acceptedAt + self.timeouts.header)
        }
    }

    func deadlinePassed() {
        guard let context else { return }
        if self.streams.isEmpty { return self.endConnection() }
        let now = NIODeadline.now()
        if !context.channel.isWritable {
            let buffered = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
            if buffered == nil || buffered == self.bufferedAtLastCheck {
                // The visitor's socket has taken nothing for a whole period.
                return context.close(promise: nil)
            }
            self.bufferedAtLastCheck = buffered
            timer?.set(now + self.timeouts.bodyIdle)
            return
        }
        var next = now + self.timeouts.bodyIdle
        for stream in Array(self.streams.values) where self.waitsForVisitor(stream) {
            let due = stream.lastProgress + self.timeouts.bodyIdle
            if due > now {
                next = min(next, due)
            } else if stream.isQuietCall, self.ask(now) > now {
                next = min(next, self.ask(now))
            } else {
                self.giveUp(stream)
            }
        }
        self.timer?.set(next)
    }

    /// Asks whether the visitor is still there, unless that is being asked.
    ///
    /// - Returns: when it has to have sent anything.
    private func ask(_ now: NIODeadline) -> NIODeadline {
        if self.askedAt == nil {
            self.askedAt = now
            // Never the number of `drainPing`.
            self.questions += 1
            let number = HTTP2PingData(withInteger: self.questions)
            self.writeConnection(.ping(number, ack: false))
            self.flushSoon()
        }
        return (self.askedAt ?? now) + self.timeouts.bodyIdle
    }

    /// Whether it is the visitor's turn: to send its body, or to open its window. Once an answer has begun,
    /// nobody is waiting for the rest of the body: gRPC's streams are silent for hours. Many of its servers
    /// begin theirs with the first message only, which may take as long: see `HTTP2VisitorStream.isQuietCall`.
    private func waitsForVisitor(_ stream: HTTP2VisitorStream) -> Bool {
        if stream.queuedBytes > 0 { return true }
        guard !stream.isRequestEnded, let exchange = stream.exchange else { return false }
        return exchange.machine.response == .none && exchange.acceptsBody
    }

    private func giveUp(_ stream: HTTP2VisitorStream) {
        guard let exchange = stream.exchange else { return }
        if exchange.machine.response == .none {
            exchange.fail(.tooSlow)
        } else {
            exchange.visitorLeft(.cancelled, errorCode: "visitor-too-slow")
            self.reset(stream, .cancel)
        }
    }
}
