import HTTPSemantics
import NIOCore
import TunnelLink
import TunnelWire

/// One stream's exchange with an origin: does what `OriginExchangeMachine` decides.
///
/// Confined to the stream's event loop, which is the connection's, too. Body bytes from the tunnel
/// are credited once the connection's unwritten bytes are below `OriginLimits.writeHighWaterBytes`;
/// reading from the origin stops while the stream is not writable.
final class OriginExchange {
    var claim: ClaimedStream
    var machine: OriginExchangeMachine
    /// What brings a connection, while none is there.
    var wait: (any OriginWait)?
    var connection: (any OriginLink)?
    /// Pieces that wait for a connection, or for the 101.
    var held: [ByteBuffer] = []
    /// What was written of the body, as long as the request may have to be sent again.
    var kept: [ByteBuffer] = []
    /// The trailers of the request; empty until its end.
    var heldTrailers = HTTPFields()
    /// Bytes written to the connection whose credit is still to be given.
    var owedBytes = 0

    init(_ claim: ClaimedStream) {
        self.claim = claim
        self.machine = OriginExchangeMachine(collects: claim.target.collectsBodies)
    }

    /// Takes up the request's head.
    func begin() {
        if case .fail(let code) = self.machine.receivedHead(RequestTraits(self.head)) {
            self.fail(code, "the request's Content-Length is no number, or there are several")
        }
    }
}

@available(*, unavailable)
extension OriginExchange: Sendable {}

// MARK: - The stream

extension OriginExchange: StreamExchange {
    func received(_ part: StreamPart, on stream: TunnelStream) {
        guard !self.isFinished else { return }
        switch part {
        case .data(let bytes): self.receivedData(bytes)
        case .end: self.receivedEnd(trailers: HTTPFields())
        case .trailers(let fields): self.receivedEnd(trailers: fields)
        case .request, .response:
            self.fail(.streamProtocolError, "a head where a body was expected")
        }
    }

    func receivedAll(on stream: TunnelStream) {
        guard !self.isFinished else { return }
        self.settle(before: .batchEnd)
        self.flushConnection()
    }

    func becameWritable(_ stream: TunnelStream) { self.connection?.resumeReading() }

    private func receivedData(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        self.claim.record.requestBytes += count
        self.settle(before: .data)
        // The head may turn out to be none that can be sent.
        guard !self.isFinished else { return }
        switch self.machine.receivedData(count) {
        case .hold: self.held.append(bytes)
        case .collect:
            self.held.append(bytes)
            self.stream.consumed(count)
        case .write: self.write(bytes)
        case .discard: self.stream.consumed(count)
        case .fail(let code): self.fail(code, "the request's body does not fit its head or a limit")
        }
    }

    private func receivedEnd(trailers: HTTPFields) {
        // Trailers need chunks around them, if no body does.
        self.settle(before: trailers.isEmpty ? .end : .trailers)
        guard !self.isFinished else { return }
        self.heldTrailers = trailers
        switch self.machine.receivedEnd() {
        case .nothing: self.finishIfOver()
        case .acquire: self.acquire()
        case .finishBody: self.finishBody()
        case .finishBodyThenRelease:
            self.finishBody()
            self.releaseConnection()
            self.finishIfOver()
        case .closeOutput:
            self.connection?.flush()
            self.connection?.closeOutput()
        case .close:
            self.connection?.flush()
            self.connection?.close()
            self.connection = nil
            self.finishIfOver()
        case .fail(let code): self.fail(code, "the request's body does not fit its head")
        }
    }

    private func settle(before following: OriginExchangeMachine.Following) {
        if self.machine.settle(before: following) == .acquire { self.acquire() }
    }
}

// MARK: - Ends

extension OriginExchange {
    func finishIfOver() {
        if self.machine.isOver, !self.isFinished { self.finish() }
    }

    func leaveOrigin() {
        self.wait?.cancel()
        self.wait = nil
        self.connection?.abandon()
        self.connection = nil
        self.held.removeAll()
        self.kept.removeAll()
    }
}
