import HTTPSemantics
import NIOCore
import TunnelLink
import TunnelWire

/// One request and its answer: carries pieces between a visitor's connection and a tunnel stream as
/// its machine decides. Confined to the visitor's event loop.
final class VisitorExchange {
    let request: VisitorRequest
    private(set) var machine: VisitorExchangeMachine
    private let server: VisitorServer
    private let visitor: VisitorInfo
    private let eventLoop: any EventLoop
    /// Strong until the exchange is over; the responder's owner ends it when the connection goes.
    private var responder: (any VisitorResponder)?
    private var stream: TunnelStream?
    /// What sticks it to its connector; of a sticky hostname.
    private var visit: StickyVisit?
    /// The body so far, while it may have to be sent (again).
    private var kept = ByteBuffer()
    private var keptTrailers: HTTPFields?
    private var hasUnflushedRequest = false
    private let began = NIODeadline.now()
    private var routeDeadline: NIODeadline?
    private var status: UInt16 = 0
    private var errorCode: String?
    /// The tunnel's, once the router has found one.
    private var hostname: String?
    private var hasSentContinue = false
    /// Was given to the router, and counts among the server's requests.
    private var isStarted = false
    private var isLogged = false

    init(
        _ request: VisitorRequest,
        server: VisitorServer,
        visitor: VisitorInfo,
        eventLoop: any EventLoop,
        responder: any VisitorResponder
    ) {
        self.request = request
        self.machine = VisitorExchangeMachine(request, limits: server.configuration.limits)
        self.server = server
        self.visitor = visitor
        self.eventLoop = eventLoop
        self.responder = responder
    }

    var isOver: Bool { self.machine.isOver }

    /// Whether the visitor should go on sending its body.
    var acceptsBody: Bool {
        self.machine.acceptsBody(streamIsWritable: self.stream?.isWritable ?? true)
    }

    /// Whether the visitor withholds its body until it is asked for it, and has not been.
    var awaitsContinue: Bool {
        self.request.expectsContinue && !self.hasSentContinue && self.machine.requestBytes == 0
            && self.machine.request == .receiving
    }

    /// Asks the router for a stream.
    func start() {
        if !self.isStarted {
            if let failure = self.server.beginRequest(of: self.visitor) {
                return self.fail(EdgeFailure(failure, host: self.request.host))
            }
            self.isStarted = true
        }
        let deadline = self.routeDeadline ?? self.began + self.server.configuration.timeouts.route
        self.routeDeadline = deadline
        let request = RouteRequest(
            head: self.request.head,
            host: self.request.host,
            visitor: self.visitor,
            attempt: self.machine.attempt,
            deadline: deadline,
            eventLoop: self.eventLoop
        )
        self.server.router.route(request, for: self)
    }

    /// Answers with `failure`, or breaks off when an answer has begun.
    func fail(_ failure: EdgeFailure) {
        guard self.machine.response == .none else {
            self.errorCode = self.errorCode ?? failure.code
            self.resetStream(self.machine.visitorLeft(), .cancelled)
            self.responder?.breakOff(atOnce: false)
            self.settle()
            return
        }
        self.resetStream(self.machine.answeredByEdge(), .cancelled)
        self.errorCode = failure.code
        if failure.closesConnection { self.responder?.closeAfterAnswer() }
        if let type = self.request.callType {
            let head = ErrorPage.call(failure, contentType: type, requestID: self.request.id)
            return self.answer(head, ByteBuffer(), logged: failure.status)
        }
        let page = ErrorPage.render(
            failure,
            accept: self.request.accept,
            requestID: self.request.id
        )
        self.answer(page.head, page.body, logged: failure.status)
    }

    /// Writes an answer of the edge's own, whole; `logged` is what the access log calls it.
    func answer(_ head: ResponseHead, _ body: ByteBuffer, logged: UInt16) {
        if self.machine.response == .none {
            self.resetStream(self.machine.answeredByEdge(), .cancelled)
        }
        self.status = logged
        // The body would come after an answer that does not want it, or not at all: nobody can
        // tell which, so the connection ends with this answer (RFC 9110 §10.1.1).
        if self.awaitsContinue { self.responder?.closeAfterAnswer() }
        let hasNoBody = VisitorExchangeMachine.hasNoBody(
            status: head.status,
            isHead: self.request.isHead
        )
        var head = head
        self.date(&head)
        self.responder?.answerHead(head, hasNoBody: hasNoBody)
        if !hasNoBody, body.readableBytes > 0 { self.responder?.answerData(body) }
        self.machine.edgeAnswerEnded(bytes: hasNoBody ? 0 : body.readableBytes)
        self.responder?.answerEnd(trailers: nil)
        self.responder?.flushAnswer()
        self.settle()
    }

    /// Who has a clock adds `Date` where it is missing (RFC 9110 §6.6.1).
    private func date(_ head: inout ResponseHead) {
        guard !head.fields.contains("Date") else { return }
        head.fields.append("Date", self.server.clock.text)
    }

    /// Logs the exchange once it is over, and tells the responder that something has changed.
    private func settle() {
        guard !self.isLogged else { return }
        let responder = self.responder
        if self.machine.isOver {
            self.isLogged = true
            self.responder = nil
            // Of an answer that broke off, the visitor still reads what there is.
            if self.machine.response != .broken { self.stream = nil }
            self.kept = ByteBuffer()
            if self.isStarted { self.server.endRequest(of: self.visitor) }
            self.server.log(self.record())
        }
        responder?.exchangeAdvanced()
    }

    private func record() -> AccessRecord {
        AccessRecord(
            requestID: self.request.id,
            method: self.request.head.method,
            host: self.request.host,
            hostname: self.hostname,
            path: self.request.head.path,
            protocol: self.request.version,
            scheme: self.visitor.connection.scheme,
            visitorAddress: self.visitor.connection.address,
            status: Int(self.status),
            requestBytes: self.machine.requestBytes,
            responseBytes: self.machine.responseBytes,
            durationNanoseconds: (NIODeadline.now() - self.began).nanoseconds,
            errorCode: self.errorCode
        )
    }

    private func resetStream(_ result: VisitorExchangeMachine.LeaveResult, _ code: ResetCode) {
        switch result {
        case .cancelRoute:
            if self.isStarted { self.server.router.cancelRoute(of: self) }
        case .resetStream:
            self.stream?.reset(code)
            self.stream = nil
        case .none: break
        }
    }
}

@available(*, unavailable)
extension VisitorExchange: Sendable {}

// MARK: - From the visitor

extension VisitorExchange {
    /// A piece of the request's body, or of the opaque bytes; `flushRequest` follows.
    func bodyReceived(_ piece: ByteBuffer) {
        switch self.machine.bodyReceived(bytes: piece.readableBytes) {
        case .keep:
            self.kept.writeImmutableBuffer(piece)
        case .forward(let andKeep):
            if andKeep {
                self.kept.writeImmutableBuffer(piece)
            } else if self.kept.readableBytes > 0 {
                self.kept = ByteBuffer()
            }
            self.stream?.send(.data(piece))
            self.hasUnflushedRequest = true
        case .discard: break
        case .tooLarge: self.fail(.bodyTooLarge)
        }
    }

    /// The request is complete, or the visitor has closed its half of the opaque bytes.
    func requestEnded(trailers: HTTPFields?) {
        let trailers = RequestAdmission.trailers(trailers)
        self.keptTrailers = trailers
        switch self.machine.requestEnded() {
        case .forward:
            self.stream?.send(trailers.map { .trailers($0) } ?? .end)
            self.hasUnflushedRequest = true
        case .none: break
        }
        if self.machine.isOver { self.settle() }
    }

    /// Hands what was received in one go to the tunnel.
    func flushRequest() {
        guard self.hasUnflushedRequest else { return }
        self.hasUnflushedRequest = false
        self.stream?.flush()
    }

    /// The visitor is gone: nothing is written any more.
    func visitorLeft(_ code: ResetCode = .cancelled, errorCode: String? = nil) {
        guard !self.machine.isOver else { return }
        self.errorCode = self.errorCode ?? errorCode
        self.resetStream(self.machine.visitorLeft(), code)
        self.settle()
    }

    /// The rest of the request is neither forwarded nor waited for.
    func abandonRequest() {
        self.machine.requestAbandoned()
        if self.machine.isOver { self.settle() }
    }

    /// `bytes` of the answer have left the edge's memory.
    func delivered(_ bytes: Int) {
        self.stream?.consumed(bytes)
    }
}

// MARK: - From the router

extension VisitorExchange: RouteRequester {
    package func routeMatched(_ hostname: String) { self.hostname = hostname }

    package func routeFound(_ stream: TunnelStream, _ visit: StickyVisit?) {
        switch self.machine.routed() {
        case .refuse:
            stream.reset(.cancelled)
        case .begin(let end):
            self.stream = stream
            self.visit = visit
            stream.delegate = self
            self.send(.request(visit?.head ?? self.request.head), on: stream)
            if self.kept.readableBytes > 0 { self.send(.data(self.kept), on: stream) }
            if end { self.send(self.keptTrailers.map { .trailers($0) } ?? .end, on: stream) }
            if !self.machine.isRepeatable { self.kept = ByteBuffer() }
            self.hasUnflushedRequest = false
            stream.flush()
            self.responder?.exchangeAdvanced()
        }
    }

    /// Sends unless the stream has been reset, or replaced, by what an earlier piece set off.
    private func send(_ part: StreamPart, on stream: TunnelStream) {
        guard stream === self.stream else { return }
        stream.send(part)
    }

    package func routeFailed(_ failure: RouteFailure) {
        guard self.machine.tunnel == .routing else { return }
        self.fail(EdgeFailure(failure, host: self.request.host))
    }
}

// MARK: - From the tunnel

extension VisitorExchange: TunnelStreamDelegate {
    package func received(_ part: StreamPart, on stream: TunnelStream) {
        guard stream === self.stream else { return }
        switch part {
        case .response(let head): self.headReceived(head)
        case .data(let data): self.dataReceived(data)
        case .trailers(let trailers): self.endReceived(trailers)
        case .end: self.endReceived(nil)
        case .request: self.giveUp(.streamProtocolError)
        }
    }

    package func receivedAll(on stream: TunnelStream) {
        self.responder?.flushAnswer()
    }

    package func becameWritable(_ stream: TunnelStream) {
        guard stream === self.stream else { return }
        self.responder?.exchangeAdvanced()
    }

    package func sessionIsAway(_ stream: TunnelStream) {
        guard stream === self.stream, self.machine.sessionAway() == .retry else { return }
        self.stream = nil
        stream.reset(.cancelled)
        self.start()
    }

    package func wasReset(_ stream: TunnelStream, code: ResetCode) {
        guard stream === self.stream else { return }
        let result = self.machine.streamReset(
            isUntouched: code.isUntouched,
            isLost: code.isSessionGone
        )
        if result != .breakOff { self.stream = nil }
        switch result {
        case .retry: self.start()
        case .answer: self.fail(EdgeFailure(code))
        case .breakOff:
            self.errorCode = EdgeFailure(code).code
            // Over a limit, its memory is what is wanted back.
            self.responder?.breakOff(atOnce: code == .overLimit)
            self.settle()
        case .abandonRequest: self.settle()
        case .ignore: break
        }
    }

    private func headReceived(_ head: ResponseHead) {
        guard let contentLength = ResponseRules.contentLength(head) else {
            return self.giveUp(.malformedMessage)
        }
        if head.status == 101, self.request.wantsUpgrade, !WebSocketUpgrade.isAccepted(by: head) {
            return self.giveUp(.malformedMessage)
        }
        switch self.machine.headReceived(status: head.status, contentLength: contentLength.value) {
        case .interim:
            if head.status == 100 { self.hasSentContinue = true }
            self.responder?.answerInterim(head)
        case .final(let endsRequest):
            self.status = head.status
            self.kept = ByteBuffer()
            if endsRequest {
                self.stream?.send(.end)
                self.stream?.flush()
            }
            if self.awaitsContinue { self.responder?.closeAfterAnswer() }
            let hasNoBody = VisitorExchangeMachine.hasNoBody(
                status: head.status,
                isHead: self.request.isHead
            )
            var head = head
            // The edge's own word: an origin's would send people to look in the wrong place.
            if head.fields.contains("Culvert-Error") { head.fields.remove("Culvert-Error") }
            self.visit?.mark(&head)
            self.date(&head)
            self.responder?.answerHead(head, hasNoBody: hasNoBody)
        case .opaque:
            self.status = 101
            var head = head
            self.visit?.mark(&head)
            self.responder?.answerUpgrade(head)
        case .unasked:
            self.stream?.reset(.malformedMessage)
            self.fail(.unaskedUpgrade)
        case .ignore: break
        }
    }

    private func dataReceived(_ data: ByteBuffer) {
        if !self.machine.isOpaque, self.hasNoBody {
            // Bytes after a head that ends its message: the connector's origin is confused; the
            // visitor must not take them for an answer.
            self.stream?.consumed(data.readableBytes)
            return
        }
        switch self.machine.dataReceived(bytes: data.readableBytes) {
        case .write: self.responder?.answerData(data)
        case .breakOff: self.giveUp(.malformedMessage)
        case .ignore: break
        }
    }

    private var hasNoBody: Bool {
        self.status != 0
            && VisitorExchangeMachine.hasNoBody(status: self.status, isHead: self.request.isHead)
    }

    private func endReceived(_ trailers: HTTPFields?) {
        switch self.machine.responseEnded() {
        case .end:
            self.responder?.answerEnd(trailers: RequestAdmission.trailers(trailers))
            self.responder?.flushAnswer()
            self.settle()
        case .breakOff: self.giveUp(.truncated)
        case .ignore: break
        }
    }

    /// The origin's side does not keep to the rules: the stream is reset, the visitor told.
    private func giveUp(_ code: ResetCode) {
        self.stream?.reset(code)
        self.stream = nil
        if self.machine.response == .none {
            self.fail(EdgeFailure(code))
        } else {
            self.errorCode = EdgeFailure(code).code
            _ = self.machine.visitorLeft()
            self.responder?.breakOff(atOnce: false)
            self.settle()
        }
    }
}
