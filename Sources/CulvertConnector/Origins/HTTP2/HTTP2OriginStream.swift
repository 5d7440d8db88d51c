import HTTP2Wire
import HTTPSemantics
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One stream of an HTTP/2 connection, for one exchange: writes the request as frames, and counts what
/// waits on the way. Confined to the connection's event loop.
final class HTTP2OriginStream {
    let id: HTTP2StreamID
    private let connection: HTTP2OriginConnection
    private var machine = HTTP2StreamMachine(isHead: false)
    /// Nil before it has begun, and once it was released or lost.
    private(set) var exchange: OriginExchange?
    /// HEADERS were handed to NIOHTTP2: the stream has to be reset when it is left.
    private(set) var hasBegun = false
    /// HEADERS have left: the origin may act on them.
    private(set) var isSent = false
    /// The last piece of the body, held back until it is known whether END_STREAM goes on it.
    private var heldData: ByteBuffer?
    /// Body bytes that wait for the origin's window, or the socket.
    private var queuedBytes = 0
    private(set) var isWritable = true
    private var isPaused = false
    /// Bytes received whose window has not been granted again.
    private var ungrantedBytes = 0
    private var isRequestEnded = false
    private var isAnswerEnded = false
    private(set) var failureDetail: String?

    init(id: HTTP2StreamID, connection: HTTP2OriginConnection) {
        self.id = id
        self.connection = connection
    }
}

@available(*, unavailable)
extension HTTP2OriginStream: Sendable {}

// MARK: - For the exchange

extension HTTP2OriginStream: OriginLink {
    func begin(
        _ exchange: OriginExchange,
        head: RequestHead,
        host: String,
        framing: RequestFraming,
        traits: RequestTraits
    ) -> Bool {
        let scheme = exchange.target.service.isTLS ? "https" : "http"
        guard
            let block = HTTP2RequestHead.block(head, host: host, scheme: scheme, framing: framing)
        else { return false }
        self.exchange = exchange
        self.machine = HTTP2StreamMachine(isHead: traits.isHead)
        self.hasBegun = true
        self.isRequestEnded = framing == .none
        self.connection.writeHead(block, endStream: self.isRequestEnded, on: self)
        return true
    }

    func writeBody(_ bytes: ByteBuffer) {
        self.queuedBytes += bytes.readableBytes
        var rest = bytes
        while let piece = rest.readSlice(
            length: min(rest.readableBytes, OutboundFramesHandler.frameBytes)
        ), piece.readableBytes > 0 {
            self.writeHeld(endStream: false)
            self.heldData = piece
        }
        if self.queuedBytes >= OriginLimits.writeHighWaterBytes { self.isWritable = false }
    }

    func endBody(trailers: HTTPFields) -> Bool {
        guard !trailers.isEmpty else {
            self.writeHeld(endStream: true)
            return true
        }
        guard let block = HTTP2RequestHead.trailers(trailers) else { return false }
        self.writeHeld(endStream: false)
        self.isRequestEnded = true
        self.connection.write(.headers(.init(headers: block, endStream: true)), on: self)
        return true
    }

    /// DATA with what is held back; with nothing, if `endStream` is set and HEADERS did not say so.
    private func writeHeld(endStream: Bool) {
        guard !self.isRequestEnded else { return }
        self.isRequestEnded = endStream
        if let data = self.heldData {
            self.heldData = nil
            let payload = HTTP2Frame.FramePayload.Data(
                data: .byteBuffer(data),
                endStream: endStream
            )
            self.connection.write(.data(payload), on: self)
        } else if endStream {
            let empty = HTTP2Frame.FramePayload.Data(
                data: .byteBuffer(ByteBuffer()),
                endStream: true
            )
            self.connection.write(.data(empty), on: self)
        }
    }

    func flush() {
        self.writeHeld(endStream: false)
        self.connection.flushSoon()
    }

    func pauseReading() { self.isPaused = true }

    func resumeReading() {
        guard self.isPaused else { return }
        self.isPaused = false
        self.grantWindow()
    }

    /// No upgrade is asked for in HTTP/2, so there is no opaque side to end.
    func closeOutput() { self.abandon() }

    func release(now: NIODeadline) { self.exchange = nil }

    func close() { self.abandon() }

    func abandon() {
        self.exchange = nil
        self.connection.drop(self, .cancel)
    }
}

// MARK: - For the connection

extension HTTP2OriginStream {
    func wroteHead() { self.isSent = true }

    /// A frame with `bytes` of the body has left the flow control; told in the middle of NIOHTTP2's work.
    func wroteData(_ bytes: Int) { self.queuedBytes -= bytes }

    /// After frames have been written: credit may be due.
    func reportWritten() {
        guard !self.isWritable, self.queuedBytes <= OriginLimits.writeLowWaterBytes else { return }
        self.isWritable = true
        self.exchange?.connectionBecameWritable()
    }

    func received(_ headers: HTTP2Frame.FramePayload.Headers) {
        let answer: HTTP2AnswerBlock
        switch HTTP2AnswerBlock.read(headers.headers) {
        case .failure(let fault): return self.reject("\(fault)")
        case .success(let read): answer = read
        }
        switch self.machine.receivedHead(status: answer.status, endStream: headers.endStream) {
        case .interim: self.forward(answer)
        case .final(let ends):
            self.forward(answer)
            if ends { self.endAnswer(nil) }
        case .trailers: self.endAnswer(answer.fields)
        case .malformed(let fault): self.reject("\(fault)")
        case .ignore: break
        }
    }

    private func forward(_ answer: HTTP2AnswerBlock) {
        guard let status = answer.status else { return }
        self.exchange?.receivedAnswer(ResponseHead(status: status, fields: answer.fields))
    }

    private func endAnswer(_ trailers: HTTPFields?) {
        self.isAnswerEnded = true
        self.exchange?.receivedAnswerEnd(trailers: trailers)
    }

    func received(_ data: HTTP2Frame.FramePayload.Data) {
        guard case .byteBuffer(let bytes) = data.data else { return }
        // Padding and its length take from the window, too (RFC 9113 §6.9.1).
        self.ungrantedBytes += bytes.readableBytes + (data.paddingBytes.map { $0 + 1 } ?? 0)
        let count = bytes.readableBytes
        switch self.machine.receivedData(bytes: count, endStream: data.endStream) {
        case .forward(let ends):
            if count > 0 { self.exchange?.receivedBody(bytes) }
            if ends { self.endAnswer(nil) } else { self.grantWindow() }
        case .malformed(let fault): self.reject("\(fault)")
        case .ignore: break
        }
    }

    /// Grants in steps of half a window what the tunnel has taken.
    private func grantWindow() {
        guard !self.isPaused, !self.isAnswerEnded,
            self.ungrantedBytes >= OriginLimits.http2StreamWindowBytes / 2
        else { return }
        let increment = self.ungrantedBytes
        self.ungrantedBytes = 0
        self.connection.write(.windowUpdate(windowSizeIncrement: increment), on: self)
        self.connection.flushSoon()
    }

    /// A malformed answer is an error of its stream (RFC 9113 §8.1.1).
    private func reject(_ detail: String) {
        let exchange = self.exchange
        self.exchange = nil
        self.connection.drop(self, .protocolError)
        exchange?.receivedMalformedAnswer(detail)
    }

    /// The connection has forgotten the stream, which NIOHTTP2 has ended.
    func wasClosed() {
        let exchange = self.exchange
        self.exchange = nil
        exchange?.receivedMalformedAnswer("an error of its HTTP/2 stream")
    }

    /// The connection has forgotten the stream, which the origin has reset.
    func wasReset(_ code: HTTP2ErrorCode) {
        self.lose(self.machine.ending(reset: code), "RST_STREAM \(code)")
    }

    /// The connection has forgotten the stream, and goes, or does not know it.
    func wasLost(isUnprocessed: Bool, _ detail: String?) {
        self.lose(isUnprocessed ? .unprocessed : self.machine.endingOfConnection, detail)
    }

    private func lose(_ ending: AnswerEnding, _ detail: String?) {
        self.failureDetail = detail
        let exchange = self.exchange
        self.exchange = nil
        exchange?.lostConnection(ending)
    }

    func endedRead() { self.exchange?.endedRead() }
}
