import HTTPSemantics
import NIOCore
import TunnelLink
import TunnelWire
import WebSocketWire

/// One visitor's WebSocket that carries a TCP connection: does what `TCPExchangeMachine` decides.
///
/// Confined to the stream's event loop, which is the connection's, too. Bytes from the tunnel are
/// credited once the connection's unwritten bytes are below `OriginLimits.writeHighWaterBytes`, so a
/// stalled origin stalls the visitor; reading from the origin stops while the stream is not writable.
final class TCPExchange {
    var claim: ClaimedStream
    var machine = TCPExchangeMachine()
    private var reader = WebSocketFrameReader(expectsMask: true)
    /// Nil where no SOCKS is spoken, and once its handshake is over.
    var socks: SOCKSHandshake?
    var dial: TCPDial?
    var connection: TCPConnection?
    /// What came from the stream ahead of the 101.
    private var early: [ByteBuffer] = []
    /// Payload that waits for a connection.
    var held: [ByteBuffer] = []
    /// Bytes of the stream whose credit is still to be given.
    private var owedBytes = 0
    /// The latest ping, while the stream takes no more (RFC 6455 §5.5.3 asks for no other's answer).
    private var unansweredPing: ByteBuffer?
    private var timer: Scheduled<Void>?
    /// Whether bytes have moved since the timer was set.
    private var hasMoved = false

    init(_ claim: ClaimedStream) { self.claim = claim }
}

@available(*, unavailable)
extension TCPExchange: Sendable {}

// MARK: - The stream

extension TCPExchange: StreamExchange {
    func received(_ part: StreamPart, on stream: TunnelStream) {
        guard !self.isFinished else { return }
        self.hasMoved = true
        switch part {
        case .data(let bytes): self.receivedData(bytes)
        case .end, .trailers:
            self.act(on: self.machine.streamEnded())
            self.finishIfOver()
        case .request, .response:
            self.fail(.streamProtocolError, "a head where a body was expected")
        }
    }

    func receivedAll(on stream: TunnelStream) { self.flushConnection() }

    func becameWritable(_ stream: TunnelStream) {
        if self.socks == nil { self.connection?.resumeReading() }
        guard let payload = self.unansweredPing, self.machine.isAnswerOpen else { return }
        self.unansweredPing = nil
        self.send(WebSocketFrame.pong(payload))
        stream.flush()
    }

    func wasReset(_ stream: TunnelStream, code: ResetCode) {
        guard !self.isFinished else { return }
        // Both sides have said Close: a visitor that then closes its connection loses nothing.
        if !self.machine.hasClosed {
            self.claim.record.failure = OriginFailure(code, "reset by the edge")
        }
        // One that has said Close has sent everything.
        if self.machine.hasVisitorEnded { self.closeConnection() }
        self.leaveOrigin()
        self.finish()
    }

    private func receivedData(_ bytes: ByteBuffer) {
        self.claim.record.requestBytes += bytes.readableBytes
        self.owedBytes += bytes.readableBytes
        guard self.machine.isSwitched else { return self.early.append(bytes) }
        self.reader.append(bytes)
        self.readFrames()
    }

    func readFrames() {
        do {
            while !self.isFinished, let event = try self.reader.next() { self.receive(event) }
        } catch {
            self.giveUp(error.code, reason: error.reason)
        }
        if self.machine.payload() == .discard { self.giveCredit() }
    }

    private func receive(_ event: WebSocketEvent) {
        switch event {
        case .bytes(let bytes): self.receivedPayload(bytes)
        case .ping(let payload):
            guard self.machine.isAnswerOpen else { return }
            guard self.stream.isWritable else { return self.unansweredPing = payload }
            self.send(WebSocketFrame.pong(payload))
            self.stream.flush()
        case .pong: break
        case .close:
            self.act(on: self.machine.visitorClosed())
            self.finishIfOver()
        }
    }

    private func receivedPayload(_ bytes: ByteBuffer) {
        if self.socks != nil { return self.receivedSOCKS(bytes) }
        switch self.machine.payload() {
        case .hold: self.held.append(bytes)
        case .write: self.connection?.write(bytes)
        case .discard: break
        }
    }

    private func act(on end: TCPExchangeMachine.VisitorEnd) {
        switch end {
        case .endOutput:
            self.connection?.flush()
            self.connection?.closeOutput()
            self.limitRest()
        case .leave:
            self.closeConnection()
            self.finishIfOver()
        case .close(let code): self.close(code)
        case .giveUp: self.fail(.cancelled, "the visitor left before the origin was reached")
        case .nothing: break
        }
    }
}

// MARK: - The answer

extension TCPExchange {
    /// Answers 101, and reads what came ahead of it.
    func switchProtocols() {
        self.machine.switched()
        let key = self.head.fields.first("Sec-WebSocket-Key") ?? ""
        let head = ResponseHead(
            status: 101,
            reason: "Switching Protocols",
            fields: [
                "Connection": "Upgrade", "Upgrade": "websocket",
                "Sec-WebSocket-Accept": WebSocketHandshake.accept(for: key),
            ]
        )
        self.claim.record.status = 101
        self.stream.send(.response(head))
        self.stream.flush()
        for bytes in self.early { self.reader.append(bytes) }
        self.early.removeAll()
    }

    /// Answers with something else: the request cannot be served.
    func answer(_ answer: LocalAnswer) {
        self.machine.answeredOtherwise()
        self.claim.record.status = answer.head.status
        self.claim.record.responseBytes = answer.body?.readableBytes ?? 0
        self.early.removeAll()
        self.stream.send(.response(answer.head))
        if let body = answer.body { self.stream.send(.data(body)) }
        self.stream.send(.end)
        self.stream.flush()
        self.giveCredit()
        self.limitRest()
        self.finishIfOver()
    }

    func send(_ frame: ByteBuffer) {
        self.claim.record.responseBytes += frame.readableBytes
        self.stream.send(.data(frame))
    }

    /// Says Close, and ends the answer.
    func close(_ code: UInt16, reason: String = "") {
        self.send(WebSocketFrame.close(code, reason: reason))
        self.stream.send(.end)
        self.stream.flush()
        self.limitRest()
        self.finishIfOver()
    }
}

// MARK: - The connection

extension TCPExchange: TCPConnectionUser {
    func received(_ bytes: ByteBuffer) {
        guard self.machine.isAnswerOpen else { return }
        self.hasMoved = true
        self.send(WebSocketFrame.binary(bytes))
        if !self.stream.isWritable { self.connection?.pauseReading() }
    }

    func endedRead() { self.stream.flush() }

    func originEnded() { self.act(on: self.machine.originEnded(), reason: "") }

    func lostConnection() {
        let detail = self.connection?.failureDetail ?? "closed"
        self.connection = nil
        let end = self.machine.originLost()
        if end != .nothing {
            self.claim.record.failure = OriginFailure(.truncated, "the origin broke off: \(detail)")
        }
        self.act(on: end, reason: "the connection behind the tunnel broke off")
        self.giveCredit()
        self.finishIfOver()
    }

    private func act(on end: TCPExchangeMachine.OriginEnd, reason: String) {
        switch end {
        case .close(let code): self.close(code, reason: reason)
        case .closeAndLeave(let code):
            self.closeConnection()
            self.close(code, reason: reason)
        case .nothing: break
        }
    }

    func connectionBecameWritable() {
        self.hasMoved = true
        self.giveCredit()
    }
}

extension TCPExchange {
    func flushConnection() {
        guard let connection else { return }
        connection.flush()
        if connection.isWritable { self.giveCredit() }
    }

    private func giveCredit() {
        guard self.owedBytes > 0, !self.isFinished else { return }
        let bytes = self.owedBytes
        self.owedBytes = 0
        self.stream.consumed(bytes)
    }

    private func closeConnection() {
        self.connection?.close()
        self.connection = nil
    }

    func leaveOrigin() {
        self.dial?.cancel()
        self.dial = nil
        self.connection?.abandon()
        self.connection = nil
        self.socks = nil
        self.held.removeAll()
        self.early.removeAll()
    }
}

// MARK: - Ends

extension TCPExchange {
    /// Ends the WebSocket with a reason, and leaves the origin at once.
    func giveUp(_ code: UInt16, reason: String, as failure: ResetCode = .malformedMessage) {
        self.leaveOrigin()
        self.claim.record.failure = OriginFailure(failure, reason)
        if self.machine.broke() { self.close(code, reason: reason) }
        self.giveCredit()
        self.limitRest()
    }

    /// Sets the timer once one side is over; it goes off when nothing has moved for its whole time.
    private func limitRest() {
        guard !self.isFinished, self.timer == nil else { return }
        self.hasMoved = false
        self.setTimer(seconds: TCPLimits.restTime) { $0.restEnded() }
    }

    private func restEnded() {
        if self.hasMoved { return self.limitRest() }
        switch self.machine.timedOut() {
        case .leave(let code):
            self.claim.record.failure = OriginFailure(.truncated, "the origin ended nothing")
            self.leaveOrigin()
            self.close(code, reason: "the connection behind the tunnel was silent too long")
        case .giveUp: self.fail(.cancelled, "the visitor ended nothing")
        case .nothing: break
        }
    }

    /// One timer at a time; a new one takes the old one's place.
    func setTimer(seconds: Int, _ body: @escaping @Sendable (TCPExchange) -> Void) {
        self.timer?.cancel()
        let exchange = NIOLoopBound(self, eventLoop: self.stream.eventLoop)
        self.timer = self.stream.eventLoop.scheduleTask(in: .seconds(Int64(seconds))) {
            guard !exchange.value.isFinished else { return }
            exchange.value.timer = nil
            body(exchange.value)
        }
    }

    func cancelTimer() {
        self.timer?.cancel()
        self.timer = nil
    }

    func finishIfOver() {
        if self.machine.isOver, !self.isFinished { self.finish() }
    }

    func settleRest() {
        self.giveCredit()
        self.cancelTimer()
    }
}
