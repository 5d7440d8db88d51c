internal import Glibc
internal import HTTPSemantics
internal import NIOCore
internal import TunnelLink
internal import TunnelWire

/// One visitor's connection to a public TCP port, and the stream that carries it.
///
/// The stream is opened with CONNECT; at 200 the two directions become the connection's own, and end
/// independently. Nothing is read from the visitor before that, or while the stream is not writable; but NIO
/// reads on by itself to the end of an input that has ended, so that is held (the kernel's buffer bounds
/// it). What the tunnel brings is credited when less than the channel's high-water mark waits to be written.
///
/// Confined to the channel's event loop.
final class TCPVisitor: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How often a connection is given to a connector that has not looked at it.
    private static let maximumAttempts = 3
    /// How long a visitor that has ended may take for what is left for it.
    private static let restTime = TimeAmount.seconds(60)

    /// What is the same for all connections of an edge.
    struct Service: Sendable {
        let router: any RequestRouter
        /// How long a connection waits for a connector.
        let routeTimeout: TimeAmount
        let accessLog: @Sendable (AccessRecord) -> Void
    }

    private enum State {
        case idle
        /// The router looks for a connector.
        case routing
        /// The stream is open and not answered yet.
        case opening(TunnelStream)
        case open(TunnelStream)
        case over
    }

    private let service: Service
    private let visitor: VisitorInfo
    private let port: Int
    private let requestID: String
    private let began = NIODeadline.now()
    private var context: ChannelHandlerContext?
    private var state = State.idle
    private var attempt = 0
    /// What came from the visitor before the stream was open.
    private var held: [ByteBuffer] = []
    private var owedBytes = 0
    private var isReading = false
    private var hasVisitorEnded = false
    private var hasOriginEnded = false
    private var endedOutput = false
    private var hasFailed = false
    private var hostname: String?
    private var status = 0
    private var receivedBytes = 0
    private var sentBytes = 0
    private var errorCode: String?

    init(_ service: Service, visitor: VisitorInfo, port: Int) {
        self.service = service
        self.visitor = visitor
        self.port = port
        self.requestID = ForwardingRules.makeRequestID(.random(in: .min ... .max))
    }

    private var stream: TunnelStream? {
        switch self.state {
        case .opening(let stream), .open(let stream): stream
        case .idle, .routing, .over: nil
        }
    }

    private var key: String { TCPPorts.key(self.port) }

    private var head: RequestHead {
        RequestHead(
            method: "CONNECT",
            scheme: "https",
            authority: self.key,
            path: "*",
            fields: [
                "X-Forwarded-For": self.visitor.connection.address, "X-Request-Id": self.requestID,
            ]
        )
    }

    private func route() {
        guard let context else { return }
        self.state = .routing
        self.attempt += 1
        self.service.router.route(
            RouteRequest(
                head: self.head,
                host: self.key,
                visitor: self.visitor,
                attempt: self.attempt,
                deadline: self.began + self.service.routeTimeout,
                eventLoop: context.eventLoop
            ),
            for: self
        )
    }

    /// Reads on once, if nothing is being read and the stream has room.
    private func readOn() {
        guard case .open(let stream) = self.state, !self.isReading, !self.hasVisitorEnded,
            stream.isWritable
        else { return }
        self.isReading = true
        self.context?.read()
    }

    private func flush() {
        guard let context else { return }
        context.flush()
        if context.channel.isWritable { self.giveCredit() }
    }

    private func giveCredit() {
        guard self.owedBytes > 0 else { return }
        let bytes = self.owedBytes
        self.owedBytes = 0
        self.stream?.consumed(bytes)
    }

    private func closeIfOver() {
        guard self.hasVisitorEnded, self.hasOriginEnded else { return }
        let context = self.context
        self.finish()
        context?.close(promise: nil)
    }

    /// Closes with a reset: what the visitor has is not the whole.
    private func breakOff(_ errorCode: String?) {
        self.errorCode = self.errorCode ?? errorCode
        let context = self.context
        self.finish()
        let socket = context?.channel as? any SocketOptionProvider
        _ = socket?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        context?.close(promise: nil)
    }

    /// Once; nothing is carried any more.
    private func finish() {
        if case .over = self.state { return }
        self.giveCredit()
        self.held.removeAll()
        self.state = .over
        self.service.accessLog(
            AccessRecord(
                requestID: self.requestID,
                method: "CONNECT",
                host: self.key,
                hostname: self.hostname,
                path: "*",
                protocol: .tcp,
                scheme: "tcp",
                visitorAddress: self.visitor.connection.address,
                status: self.status,
                requestBytes: self.receivedBytes,
                responseBytes: self.sentBytes,
                durationNanoseconds: (NIODeadline.now() - self.began).nanoseconds,
                errorCode: self.errorCode
            )
        )
    }
}

@available(*, unavailable)
extension TCPVisitor: Sendable {}

// MARK: - The visitor

extension TCPVisitor {
    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) { self.route() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        self.receivedBytes += bytes.readableBytes
        switch self.state {
        case .open(let stream): stream.send(.data(bytes))
        case .idle, .routing, .opening: self.held.append(bytes)
        case .over: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        self.stream?.flush()
        self.readOn()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.giveCredit() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return }
        self.visitorEnded()
        self.closeIfOver()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.hasFailed = true
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        switch self.state {
        case .open where self.endedOutput && !self.hasFailed:
            // With the edge's side closed before, the visitor's orderly end is told by this event alone.
            self.visitorEnded()
        case .routing: self.service.router.cancelRoute(of: self)
        case .opening(let stream), .open(let stream): stream.reset(.cancelled)
        case .idle, .over: break
        }
        self.finish()
    }
}

// MARK: - The router

extension TCPVisitor: RouteRequester {
    func routeMatched(_ hostname: String) { self.hostname = hostname }

    func routeFound(_ stream: TunnelStream, _ visit: StickyVisit?) {
        guard case .routing = self.state else { return stream.reset(.cancelled) }
        self.state = .opening(stream)
        stream.delegate = self
        stream.send(.request(self.head))
        stream.flush()
    }

    func routeFailed(_ failure: RouteFailure) {
        guard case .routing = self.state else { return }
        self.breakOff(EdgeFailure(failure, host: self.key).code)
    }
}

// MARK: - The tunnel

extension TCPVisitor: TunnelStreamDelegate {
    func received(_ part: StreamPart, on stream: TunnelStream) {
        guard stream === self.stream else { return }
        switch part {
        case .response(let head): self.answered(head, on: stream)
        case .data(let bytes):
            guard case .open = self.state, let context else {
                return stream.consumed(bytes.readableBytes)
            }
            self.sentBytes += bytes.readableBytes
            self.owedBytes += bytes.readableBytes
            context.write(self.wrapOutboundOut(bytes), promise: nil)
        case .end, .trailers:
            self.originEnded()
        case .request:
            stream.reset(.streamProtocolError)
            self.breakOff(nil)
        }
    }

    /// FIN to the visitor, once what was written has gone; one that reads no more is not waited for.
    private func originEnded() {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let timer = context.eventLoop.scheduleTask(in: Self.restTime) {
            if bound.value.hasVisitorEnded { bound.value.breakOff(nil) }
        }
        // NIO closes all at once when the visitor has ended before, so nothing may wait to be written then.
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete {
            _ in
            timer.cancel()
            self.endOutput()
        }
    }

    private func endOutput() {
        guard let context else { return }
        self.endedOutput = true
        let closed = context.eventLoop.makePromise(of: Void.self)
        closed.futureResult.assumeIsolated().whenComplete { _ in
            self.hasOriginEnded = true
            self.closeIfOver()
        }
        context.close(mode: .output, promise: closed)
    }

    /// The visitor's FIN, behind its last byte.
    private func visitorEnded() {
        guard !self.hasVisitorEnded else { return }
        self.hasVisitorEnded = true
        guard case .open(let stream) = self.state else { return }
        stream.send(.end)
        stream.flush()
    }

    private func answered(_ head: ResponseHead, on stream: TunnelStream) {
        guard case .opening = self.state else { return }
        self.status = Int(head.status)
        guard head.status == 200 else {
            // The connector will not have it: the rule is no TCP service, or not for this address.
            stream.reset(.cancelled)
            return self.breakOff("refused-by-connector")
        }
        self.state = .open(stream)
        let pieces = self.held
        self.held.removeAll()
        for piece in pieces { stream.send(.data(piece)) }
        if self.hasVisitorEnded { stream.send(.end) }
        stream.flush()
        self.readOn()
    }

    func receivedAll(on stream: TunnelStream) { self.flush() }

    func becameWritable(_ stream: TunnelStream) { self.readOn() }

    func wasReset(_ stream: TunnelStream, code: ResetCode) {
        guard stream === self.stream else { return }
        if case .opening = self.state, code.isUntouched, self.attempt < Self.maximumAttempts {
            return self.route()
        }
        self.breakOff(EdgeFailure(code).code)
    }
}
