import HTTPSemantics
import NIOCore
import TunnelLink
import TunnelWire

/// One visitor's TCP connection to a port of the edge, carried to a TCP origin as it is.
///
/// The stream was opened with CONNECT; the origin is dialled, 200 is answered, and from then on the two
/// directions are the connection's own, which end independently as TCP's do; it is over when the origin's
/// connection is. An origin that breaks off resets the stream, and a stream that is reset resets the origin's
/// connection.
///
/// Confined to the stream's event loop, which is the connection's, too. Bytes from the tunnel are credited
/// once the connection's unwritten bytes are below `OriginLimits.writeHighWaterBytes`; reading from the
/// origin stops while the stream is not writable.
final class TCPRelay {
    var claim: ClaimedStream
    /// The origin's.
    private let destination: TCPDestination
    private var dial: TCPDial?
    private var connection: TCPConnection?
    /// What waits for a connection: within the stream's window, since no credit is given for it.
    private var held: [ByteBuffer] = []
    private var owedBytes = 0
    private var hasVisitorEnded = false
    private var hasOriginEnded = false

    init(_ claim: ClaimedStream, to destination: TCPDestination) {
        self.claim = claim
        self.destination = destination
    }

    private func dialled(_ connection: TCPConnection) {
        guard connection.join(self) else {
            connection.abandon()
            return self.fail(.originUnreachable, "closed by the origin at once")
        }
        self.connection = connection
        self.claim.record.status = 200
        self.stream.send(.response(ResponseHead(status: 200, reason: "OK")))
        self.stream.flush()
        let pieces = self.held
        self.held.removeAll()
        for piece in pieces { connection.write(piece) }
        if self.hasVisitorEnded { connection.closeOutput() }
        self.flushConnection()
        if self.stream.isWritable { connection.resumeReading() }
    }

    private func giveCredit() {
        guard self.owedBytes > 0, !self.isFinished else { return }
        let bytes = self.owedBytes
        self.owedBytes = 0
        self.stream.consumed(bytes)
    }

    private func flushConnection() {
        guard let connection else { return }
        connection.flush()
        if connection.isWritable { self.giveCredit() }
    }
}

@available(*, unavailable)
extension TCPRelay: Sendable {}

extension TCPRelay: StreamExchange {
    /// Dials.
    func begin() {
        let dial = TCPDial(
            to: self.destination,
            options: self.target.options,
            rules: nil,
            on: self.stream.eventLoop
        ) { result in
            self.dial = nil
            switch result {
            case .success(let connection): self.dialled(connection)
            case .failure(let failure): self.fail(failure.code, failure.detail)
            }
        }
        self.dial = dial
        dial.start()
    }

    func leaveOrigin() {
        self.dial?.cancel()
        self.dial = nil
        self.connection?.abandon()
        self.connection = nil
        self.held.removeAll()
    }

    func settleRest() { self.giveCredit() }
}

// MARK: - The stream

extension TCPRelay {
    func received(_ part: StreamPart, on stream: TunnelStream) {
        guard !self.isFinished else { return }
        switch part {
        case .data(let bytes):
            self.claim.record.requestBytes += bytes.readableBytes
            self.owedBytes += bytes.readableBytes
            if let connection {
                connection.write(bytes)
            } else {
                self.held.append(bytes)
            }
        case .end, .trailers:
            self.hasVisitorEnded = true
            self.connection?.closeOutput()
        case .request, .response:
            self.fail(.streamProtocolError, "a head where bytes were expected")
        }
    }

    func receivedAll(on stream: TunnelStream) { self.flushConnection() }

    func becameWritable(_ stream: TunnelStream) { self.connection?.resumeReading() }
}

// MARK: - The origin

extension TCPRelay: TCPConnectionUser {
    func received(_ bytes: ByteBuffer) {
        self.claim.record.responseBytes += bytes.readableBytes
        self.stream.send(.data(bytes))
        if !self.stream.isWritable { self.connection?.pauseReading() }
    }

    func endedRead() { self.stream.flush() }

    func originEnded() {
        guard !self.isFinished else { return }
        self.hasOriginEnded = true
        self.stream.send(.end)
        self.stream.flush()
    }

    func lostConnection() {
        let connection = self.connection
        self.connection = nil
        guard !self.isFinished else { return }
        let detail = "the origin broke off: \(connection?.failureDetail ?? "closed")"
        guard self.hasOriginEnded, self.hasVisitorEnded else {
            return self.fail(.truncated, detail)
        }
        if connection?.endedInOrder != true {
            self.claim.record.failure = OriginFailure(.truncated, detail)
        }
        self.finish()
    }

    func connectionBecameWritable() { self.giveCredit() }
}
