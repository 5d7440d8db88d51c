import HTTP2Wire
import HTTPSemantics
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One HTTP/2 stream: writes an exchange's answer as frames, and counts what waits on the way.
final class HTTP2VisitorStream {
    let id: HTTP2StreamID
    private unowned let handler: HTTP2VisitorHandler
    var exchange: VisitorExchange?
    /// The visitor's END_STREAM has come.
    var isRequestEnded = false
    /// What the request's Content-Length still promises; nil when it says nothing.
    var promisedBytes: UInt64?
    /// Ours is written to the connection.
    var isAnswerWritten = false
    /// The last head or piece, held back until it is known whether END_STREAM goes on it.
    private var heldHead: HPACKHeaders?
    private var heldData: ByteBuffer?
    private var isAnswerEnded = false
    /// Body bytes written that wait for the visitor's window, or the socket.
    private(set) var queuedBytes = 0
    /// Body bytes that have left, not reported to the tunnel yet.
    private var deliveredBytes = 0
    /// Body bytes received that the tunnel has not taken.
    var undemandedBytes = 0
    /// What is left of the window granted to the visitor, as NIOHTTP2 counts it; nil once closed.
    var inboundWindow: Int?
    var lastProgress = NIODeadline.now()

    init(id: HTTP2StreamID, handler: HTTP2VisitorHandler) {
        self.id = id
        self.handler = handler
    }

    /// A call of gRPC that a connector has taken, all of it sent so far. The deadline of a body is there
    /// against slow ones, which hold what waits for them; a call waits for neither end, and may be a
    /// subscription that is silent for hours. It lives as long as its visitor does, which a PING asks for.
    var isQuietCall: Bool {
        guard self.queuedBytes == 0, let exchange = self.exchange else { return false }
        return exchange.request.callType != nil && exchange.machine.tunnel == .attached
    }

    /// Whether so many bytes of the request, and its end, are what Content-Length promised (RFC 9113
    /// §8.1.1).
    func keepsPromise(bytes: Int = 0, ends: Bool) -> Bool {
        guard let promised = self.promisedBytes else { return true }
        let (rest, isOver) = promised.subtractingReportingOverflow(UInt64(bytes))
        self.promisedBytes = rest
        return !isOver && (!ends || rest == 0)
    }

    /// A frame with `bytes` of this stream's answer has left the flow control.
    func wrote(bytes: Int, endStream: Bool, now: NIODeadline) {
        self.queuedBytes -= bytes
        self.deliveredBytes += bytes
        self.lastProgress = now
        if endStream { self.isAnswerWritten = true }
    }

    func reportDelivered() {
        guard self.deliveredBytes > 0 else { return }
        let bytes = self.deliveredBytes
        self.deliveredBytes = 0
        self.exchange?.delivered(bytes)
    }

    private func writeHeld(endStream: Bool) {
        if let headers = self.heldHead {
            self.heldHead = nil
            let payload = HTTP2Frame.FramePayload.Headers(headers: headers, endStream: endStream)
            self.handler.write(.headers(payload), on: self)
        } else if let data = self.heldData {
            self.heldData = nil
            self.queuedBytes += data.readableBytes
            self.handler.write(
                .data(.init(data: .byteBuffer(data), endStream: endStream)),
                on: self
            )
        } else if endStream {
            let empty = HTTP2Frame.FramePayload.Data(
                data: .byteBuffer(ByteBuffer()),
                endStream: true
            )
            self.handler.write(.data(empty), on: self)
        }
    }
}

extension HTTP2VisitorStream: VisitorResponder {
    func answerInterim(_ head: ResponseHead) {
        self.handler.write(.headers(.init(headers: HPACKHeaders(head))), on: self)
    }

    func answerHead(_ head: ResponseHead, hasNoBody: Bool) {
        self.heldHead = HPACKHeaders(head)
    }

    /// HTTP/2 has no Upgrade: requests never ask for it, so a 101 never gets here.
    func answerUpgrade(_ head: ResponseHead) { self.breakOff(atOnce: true) }

    func answerData(_ data: ByteBuffer) {
        var rest = data
        while let piece = rest.readSlice(
            length: min(rest.readableBytes, OutboundFramesHandler.frameBytes)
        ), piece.readableBytes > 0 {
            self.writeHeld(endStream: false)
            self.heldData = piece
        }
    }

    func answerEnd(trailers: HTTPFields?) {
        self.isAnswerEnded = true
        guard let trailers else { return self.writeHeld(endStream: true) }
        self.writeHeld(endStream: false)
        let headers = HPACKHeaders(trailers: trailers)
        self.handler.write(.headers(.init(headers: headers, endStream: true)), on: self)
    }

    func breakOff(atOnce: Bool) {
        guard !atOnce else { return self.handler.reset(self, .internalError) }
        self.writeHeld(endStream: false)
        self.handler.resetWhenWritten(self)
    }

    /// Other streams of the connection are none of this one's business.
    func closeAfterAnswer() {}

    func flushAnswer() {
        if !self.isAnswerEnded { self.writeHeld(endStream: false) }
        self.handler.flushSoon()
    }

    func exchangeAdvanced() { self.handler.advanced(self) }
}

@available(*, unavailable)
extension HTTP2VisitorStream: Sendable {}
