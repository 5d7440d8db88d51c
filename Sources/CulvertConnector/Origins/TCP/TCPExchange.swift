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
    /// Whether anything has come from the visitor since the timer was set.
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
        case .endOutput: self.connection?.closeOutput()
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
        var head = ResponseHead(
            status: 101,
            reason: "Switching Protocols",
            fields: [
                "Connection": "Upgrade", "Upgrade": "websocket",
                "Sec-WebSocket-Accept": WebSocketHandshake.accept(for: key),
            ]
        )
        // A client that names a destination is told that it counts.
        if case .bastion = self.target.service, let destination = TCPDestination(of: self.head) {
            head.fields.append(TCPDestination.fields[0], destination.description)
        }
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
        self.limitSilence()
        self.finishIfOver()
    }

    func send(_ frame: ByteBuffer) {
        self.claim.record.responseBytes += frame.readableBytes
        self.stream.send(.data(frame))
    }

    /// Says Close, and ends the answer.
    func close(_ code: UInt16, reason: String = "") {
        self.send(WebSocketFrame.close(code, reason: reason))
        self.endAnswer()
    }

    private func endAnswer() {
        self.stream.send(.end)
        self.stream.flush()
        self.limitSilence()
        self.finishIfOver()
    }
}

// MARK: - The connection

extension TCPExchange: TCPConnectionUser {
    func received(_ bytes: ByteBuffer) {
        guard self.machine.isAnswerOpen else { return }
        self.send(WebSocketFrame.binary(bytes))
        if !self.stream.isWritable { self.connection?.pauseReading() }
    }

    func endedRead() { self.stream.flush() }

    func originEnded() { self.act(on: self.machine.originEnded(), "") }

    func lostConnection() {
        let connection = self.connection
        self.connection = nil
        let end = self.machine.originLost(inOrder: connection?.endedInOrder ?? false)
        self.act(on: end, "the origin broke off: \(connection?.failureDetail ?? "closed")")
        self.giveCredit()
        self.finishIfOver()
    }

    private func act(on end: TCPExchangeMachine.OriginEnd, _ detail: String) {
        switch end {
        case .close:
            self.send(WebSocketFrame.close(WebSocketCloseCode.normal))
            self.stream.flush()
            self.limitSilence()
        case .closeAndEnd(WebSocketCloseCode.normal): self.close(WebSocketCloseCode.normal)
        case .closeAndEnd(let code):
            self.claim.record.failure = OriginFailure(.truncated, detail)
            self.close(code, reason: "the connection behind the tunnel broke off")
        case .end: self.endAnswer()
        case .giveUp: self.fail(.truncated, detail)
        case .nothing: break
        }
    }

    func connectionBecameWritable() { self.giveCredit() }
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
        self.limitSilence()
    }

    /// Sets the timer where the visitor is waited for; it goes off when nothing has come for all of it.
    private func limitSilence() {
        guard !self.isFinished, self.timer == nil, let seconds = self.machine.silenceLimit else {
            return
        }
        self.hasMoved = false
        self.setTimer(seconds: seconds) { $0.silenceEnded() }
    }

    private func silenceEnded() {
        // One that is owed credit may not be able to send.
        if self.hasMoved || self.owedBytes > 0 { return self.limitSilence() }
        if self.machine.visitorWasSilent() {
            self.fail(.cancelled, "the visitor was silent too long behind the end")
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
