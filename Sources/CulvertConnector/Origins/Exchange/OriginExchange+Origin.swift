import HTTPSemantics
import NIOCore
import TunnelLink
import TunnelWire

// MARK: - Getting a connection

extension OriginExchange {
    func acquire(fresh: Bool = false) {
        let pool = self.dispatcher.pool(for: self.target, host: self.hostHeader)
        // An upgrade is HTTP/1.1's own: RFC 8441 is not spoken.
        if let shared = pool.http2, !self.machine.traits.asksUpgrade {
            if !fresh, let link = shared.take(now: .now()) {
                self.attach(link, isReused: true)
            } else {
                self.wait = shared.wait(for: self)
            }
        } else if !fresh, let connection = pool.takeIdle(now: .now()) {
            self.attach(connection, isReused: true)
        } else {
            self.wait = pool.dial(for: self)
        }
    }

    /// The value of the request's `Host`.
    private var hostHeader: String {
        self.target.options.httpHostHeader ?? self.head.authority
    }

    /// What was waited for is there; `isReused`: another exchange may have used its connection.
    func received(_ link: any OriginLink, isReused: Bool) {
        self.wait = nil
        self.attach(link, isReused: isReused)
        self.flushConnection()
    }

    /// Writes the request as far as it is known.
    private func attach(_ connection: any OriginLink, isReused: Bool) {
        self.connection = connection
        let repeated = self.kept
        self.kept.removeAll()
        self.machine.attached(
            isReused: isReused,
            holdsBody: !self.held.isEmpty || !repeated.isEmpty
        )
        guard
            connection.begin(
                self,
                head: self.head,
                host: self.hostHeader,
                framing: self.machine.framing,
                traits: self.machine.traits
            )
        else {
            return self.fail(.malformedMessage, "the request's head cannot be written")
        }
        if !self.stream.isWritable { connection.pauseReading() }
        // Credit is given for what was written before, or owed for it.
        for bytes in repeated { connection.writeBody(bytes) }
        if !self.machine.traits.asksUpgrade { self.writeHeld() }
        if self.machine.isUploadEnded { self.finishBody() }
    }
}

extension OriginExchange: OriginDialOwner {
    func dialled(_ connection: OriginConnection) { self.received(connection, isReused: false) }

    func dialFailed(_ failure: OriginFailure) {
        self.wait = nil
        self.fail(failure.code, failure.detail)
    }
}

// MARK: - The upload

extension OriginExchange {
    func write(_ bytes: ByteBuffer) {
        guard let connection else { return }
        connection.writeBody(bytes)
        if self.machine.keepsBody {
            self.kept.append(bytes)
        } else if !self.kept.isEmpty {
            self.kept.removeAll()
        }
        // Credited when it was collected.
        if case .addedLength = self.machine.framing { return }
        self.owedBytes += bytes.readableBytes
    }

    private func writeHeld() {
        let pieces = self.held
        self.held.removeAll()
        for piece in pieces { self.write(piece) }
    }

    /// Writes what ends the body and hands it all to the socket.
    func finishBody() {
        guard let connection else { return }
        guard connection.endBody(trailers: self.heldTrailers) else {
            return self.fail(.malformedMessage, "a request trailer cannot be written")
        }
        self.flushConnection()
    }

    /// Flushes, and gives credit for what was written when enough of it has left.
    func flushConnection() {
        guard let connection else { return }
        connection.flush()
        if connection.isWritable { self.giveCredit() }
    }

    func connectionBecameWritable() { self.giveCredit() }

    private func giveCredit() {
        guard self.owedBytes > 0 else { return }
        let bytes = self.owedBytes
        self.owedBytes = 0
        self.stream.consumed(bytes)
    }

    /// Credit for what no origin will take.
    private func discardHeld() {
        self.owedBytes += self.held.reduce(0) { $0 + $1.readableBytes }
        self.held.removeAll()
        self.giveCredit()
    }
}

// MARK: - The answer

extension OriginExchange {
    func receivedAnswer(_ head: ResponseHead) {
        let action = self.machine.receivedAnswerHead(status: head.status, isInterim: head.isInterim)
        if case .fail(let code) = action {
            return self.fail(code, "the origin answered 101 to a request for no upgrade")
        }
        if action == .becomeOpaque, !WebSocketUpgrade.isAccepted(by: head) {
            return self.fail(.malformedMessage, "the origin switched to something other than asked")
        }
        var head = head
        HopByHop.drop(
            from: &head.fields,
            direction: .response,
            upgrade: action == .becomeOpaque ? "websocket" : nil
        )
        if !head.isInterim {
            self.claim.record.status = head.status
            self.kept.removeAll()
        }
        self.stream.send(.response(head))
        switch action {
        case .forward, .fail: break
        case .forwardRefusedUpgrade: self.discardHeld()
        case .becomeOpaque: self.becomeOpaque()
        }
    }

    private func becomeOpaque() {
        self.stream.flush()
        self.writeHeld()
        self.flushConnection()
        if self.machine.isUploadEnded { self.connection?.closeOutput() }
    }

    func receivedBody(_ bytes: ByteBuffer) {
        self.claim.record.responseBytes += bytes.readableBytes
        self.stream.send(.data(bytes))
        if !self.stream.isWritable { self.connection?.pauseReading() }
    }

    /// What one read of the socket brought has been handed over: it shall not wait.
    func endedRead() { self.stream.flush() }

    func receivedAnswerEnd(trailers: HTTPFields?) {
        if var trailers, !self.machine.isOpaque {
            TrailerRules.dropForbidden(from: &trailers)
            self.stream.send(trailers.isEmpty ? .end : .trailers(trailers))
        } else {
            self.stream.send(.end)
        }
        self.stream.flush()
        switch self.machine.receivedAnswerEnd() {
        case .release: self.releaseConnection()
        case .keepUploading: break
        case .close:
            self.connection?.close()
            self.connection = nil
        }
        self.finishIfOver()
    }

    func receivedMalformedAnswer(_ detail: String) {
        self.fail(.malformedMessage, "the origin's answer is malformed: \(detail)")
    }

    func releaseConnection() {
        guard let connection else { return }
        self.connection = nil
        self.giveCredit()
        connection.release(now: .now())
    }

    /// The connection is gone, or was given up.
    func lostConnection(_ ending: AnswerEnding) {
        let detail = self.connection?.failureDetail
        self.connection = nil
        if ending == .needsHTTP1 {
            self.dispatcher.pool(for: self.target, host: self.hostHeader).http2?.requireHTTP1()
        }
        switch self.machine.lost(ending) {
        case .repeatRequest: self.acquire(fresh: true)
        case .discardUpload:
            self.discardHeld()
            self.finishIfOver()
        case .fail(let code):
            let what =
                switch ending {
                case .noAnswer: "the origin closed the connection without an answer"
                case .partialHead: "the origin broke off within the head of its answer"
                case .truncated, .bodyEnd, .nothing: "the origin broke off within its answer"
                case .needsHTTP1: "the origin wants the request in HTTP/1.1"
                case .unprocessed: "the origin did not process the request"
                case .reset: "the origin reset the stream"
                }
            self.fail(code, detail.map { "\(what) (\($0))" } ?? what)
        }
    }
}
