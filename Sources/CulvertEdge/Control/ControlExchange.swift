internal import ControlServer
internal import HTTPSemantics
internal import NIOCore
internal import TunnelLink
internal import TunnelWire

/// One request to the edge's own API: it is gathered from its stream, answered by the ``ControlServer``, and
/// the answer handed to the stream's owner, the visitor's exchange, like a connector's.
///
/// Confined to the visitor's event loop.
final class ControlExchange: LocalStreamPeer {
    /// Bytes of an answer that may wait for the visitor.
    private static let window = 64 << 10

    private let eventLoop: any EventLoop
    /// Kept by its owner, whom alone it matters to.
    private weak var stream: LocalStream?
    private let server: ControlServer
    private let address: String
    private let budget: BodyBudget
    private var head: RequestHead?
    private var body = ByteBuffer()
    private var task: Task<Void, Never>?
    private var isOver = false
    /// Bytes the visitor has not taken yet, and who waits to write on.
    private var undelivered = 0
    private var waiting: EventLoopPromise<Void>?

    private init(
        _ server: ControlServer,
        _ address: String,
        _ budget: BodyBudget,
        _ eventLoop: any EventLoop
    ) {
        self.server = server
        self.address = address
        self.budget = budget
        self.eventLoop = eventLoop
    }

    deinit { self.budget.giveBack(self.body.readableBytes) }

    /// A stream that leads to `server`.
    static func open(
        to server: ControlServer,
        from address: String,
        budget: BodyBudget,
        on eventLoop: any EventLoop
    ) -> LocalStream {
        let exchange = ControlExchange(server, address, budget, eventLoop)
        let stream = LocalStream(on: eventLoop, peer: exchange)
        exchange.stream = stream
        return stream
    }

    func sent(_ part: StreamPart) {
        guard !self.isOver else { return }
        switch part {
        case .request(let head):
            self.head = head
            if head.fields.first("Expect")?.lowercased() == "100-continue" {
                self.deliver(.response(ResponseHead(status: 100)))
            }
            // Whoever asks for another protocol says nothing more until he is answered, and is answered as if
            // he had not asked (RFC 9110 §7.8).
            if head.fields.contains("Upgrade") { self.begin() }
        case .data(let bytes): self.gather(bytes)
        case .trailers, .end: self.begin()
        case .response: self.answerEnded()
        }
    }

    func consumed(_ bytes: Int) {
        self.undelivered -= bytes
        guard self.undelivered < Self.window, let waiting else { return }
        self.waiting = nil
        waiting.succeed()
    }

    func wasReset(_ code: ResetCode) {
        guard !self.isOver else { return }
        self.finish()
        self.task?.cancel()
    }

    /// One byte more than is allowed is kept, so that the API says what was wrong.
    private func gather(_ bytes: ByteBuffer) {
        guard self.task == nil else { return }
        let room = ControlServer.maximumRequestBytes + 1 - self.body.readableBytes
        var bytes = bytes
        guard let taken = bytes.readSlice(length: min(room, bytes.readableBytes)),
            self.budget.take(taken.readableBytes)
        else { return self.refuse() }
        self.body.writeImmutableBuffer(taken)
        if self.body.readableBytes > ControlServer.maximumRequestBytes { self.begin() }
    }

    private func refuse() {
        self.deliver(
            .response(
                ResponseHead(status: 503, fields: ["Content-Length": "0", "Retry-After": "1"])
            )
        )
        self.deliver(.end)
        self.flush()
        self.finish()
    }

    private func begin() {
        guard self.task == nil, let head else { return }
        let request = ControlRequest(head: head, body: self.body, address: self.address)
        let writer = Writer(exchange: NIOLoopBound(self, eventLoop: self.eventLoop))
        let server = self.server
        self.task = Task {
            await server.respond(to: request, with: writer)
            await writer.ended()
        }
    }

    private func finish() {
        self.isOver = true
        self.budget.giveBack(self.body.readableBytes)
        self.body = ByteBuffer()
        self.waiting?.fail(CancellationError())
        self.waiting = nil
    }

    private func deliver(_ part: StreamPart) {
        guard let stream else { return }
        stream.delegate?.received(part, on: stream)
    }

    private func flush() {
        guard let stream else { return }
        stream.delegate?.receivedAll(on: stream)
    }

    // MARK: The answer, on the event loop

    fileprivate func answer(_ part: StreamPart) throws {
        guard !self.isOver, self.stream != nil else { throw CancellationError() }
        self.deliver(part)
        self.flush()
        if case .end = part { self.finish() }
    }

    /// Comes when the next piece may follow.
    fileprivate func answer(_ bytes: ByteBuffer) -> EventLoopFuture<Void> {
        do {
            self.undelivered += bytes.readableBytes
            try self.answer(.data(bytes))
            // The delegate may have reset the stream, or taken the bytes already.
            guard !self.isOver else { throw CancellationError() }
        } catch {
            return self.eventLoop.makeFailedFuture(error)
        }
        guard self.undelivered >= Self.window else {
            return self.eventLoop.makeSucceededVoidFuture()
        }
        let promise = self.eventLoop.makePromise(of: Void.self)
        self.waiting = promise
        return promise.futureResult
    }

    /// Nothing more comes: an answer that has no end is broken off.
    fileprivate func answerEnded() {
        guard !self.isOver else { return }
        self.finish()
        guard let stream else { return }
        stream.delegate?.wasReset(stream, code: .internalError)
    }

    private struct Writer: ControlAnswerWriter {
        let exchange: NIOLoopBound<ControlExchange>

        private var eventLoop: any EventLoop { self.exchange.eventLoop }

        func head(_ head: ResponseHead) async throws {
            try await self.eventLoop.submit { try self.exchange.value.answer(.response(head)) }
                .get()
        }

        func write(_ bytes: ByteBuffer) async throws {
            try await self.eventLoop.flatSubmit { self.exchange.value.answer(bytes) }.get()
        }

        func end() async throws {
            try await self.eventLoop.submit { try self.exchange.value.answer(.end) }.get()
        }

        func ended() async {
            try? await self.eventLoop.submit { self.exchange.value.answerEnded() }.get()
        }
    }
}
