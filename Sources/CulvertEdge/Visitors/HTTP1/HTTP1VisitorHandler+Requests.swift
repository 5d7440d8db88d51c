import HTTPSemantics
import NIOCore

extension HTTP1VisitorHandler {
    /// Does all that can be done with what has arrived, then flushes, once.
    func process() {
        guard !self.isProcessing, let context else { return }
        self.isProcessing = true
        while self.step(context) {}
        self.isProcessing = false
        // Whoever still holds the buffer that TLS reads into makes it copy 32 KiB for the next read.
        if self.inbox.readableBytes == 0 { self.inbox = ByteBuffer() }
        self.exchange?.flushRequest()
        if self.hasUnflushedAnswer { self.flushAnswer() }
        self.updateReading(context)
        self.updateDeadline()
    }

    /// One event; false when nothing more can be done now.
    private func step(_ context: ChannelHandlerContext) -> Bool {
        switch self.phase {
        case .http: break
        case .opaque: return self.stepOpaque()
        case .lingering, .breakingOff, .closed: return false
        }
        guard let exchange else {
            // Answers that wait for the visitor to read them are not added to.
            guard context.channel.isWritable else { return false }
            return self.stepRequest(context)
        }
        if self.isAnswered, !self.isReceiving { return self.finishExchange(context) }
        guard self.isReceiving else { return false }
        if self.isAnswered, exchange.machine.tunnel == .detached {
            return self.stepDrain(exchange, context)
        }
        if self.isAnswered, exchange.awaitsContinue {
            // Its body was never asked for: it may come now, or never.
            exchange.visitorLeft()
            self.finishConnection(context)
            return false
        }
        guard exchange.acceptsBody else { return false }
        return self.stepBody(exchange)
    }

    private func stepRequest(_ context: ChannelHandlerContext) -> Bool {
        do throws(EdgeFailure) {
            switch try self.parser.next(&self.inbox) {
            case .head(let head): self.begin(head)
            case .body, .end: assertionFailure("no request has begun")
            case nil: return self.waitForHead(context)
            }
        } catch {
            self.refuse(error)
        }
        return true
    }

    private func waitForHead(_ context: ChannelHandlerContext) -> Bool {
        if self.isInputClosed {
            self.finishConnection(context)
        } else if self.parser.isWithinHead, self.headBegan == nil {
            self.headBegan = self.requestCount == 0 ? self.acceptedAt : .now()
        }
        return false
    }

    private func begin(_ head: HTTP1RequestHead) {
        self.requestCount += 1
        self.headBegan = nil
        self.isHTTP10 = head.minorVersion == 0
        self.isAnswered = false
        self.isReceiving = true
        self.drainedBytes = 0
        self.drainBegan = nil
        self.closesAfterAnswer =
            self.isDraining || head.fields.listContains("connection", "close")
            || (self.isHTTP10 && !head.fields.listContains("connection", "keep-alive"))
        do throws(EdgeFailure) {
            let request = try self.admission.admit(head)
            let exchange = self.makeExchange(request)
            guard let redirectPort else { return exchange.start() }
            let redirect = Redirect.toHTTPS(request, port: redirectPort)
            exchange.answer(redirect, ByteBuffer(), logged: redirect.status)
        } catch {
            let request = VisitorRequest(refused: head, id: self.admission.nextID())
            self.makeExchange(request).fail(error)
        }
    }

    private func makeExchange(_ request: VisitorRequest) -> VisitorExchange {
        let exchange = VisitorExchange(
            request,
            server: self.server,
            visitor: self.admission.visitor,
            eventLoop: self.eventLoop,
            responder: self
        )
        self.exchange = exchange
        return exchange
    }

    /// Answers a request that could not be read, and reads no further.
    func refuse(_ failure: EdgeFailure) {
        self.requestCount += 1
        self.headBegan = nil
        self.isHTTP10 = false
        self.isAnswered = false
        self.isReceiving = false
        self.closesAfterAnswer = true
        let (method, target) = self.parser.partialHead
        let head = HTTP1RequestHead(
            method: method,
            target: target,
            minorVersion: 1,
            fields: self.parser.partialFields,
            framing: .none
        )
        self.makeExchange(VisitorRequest(refused: head, id: self.admission.nextID())).fail(failure)
    }

    private func stepBody(_ exchange: VisitorExchange) -> Bool {
        do throws(EdgeFailure) {
            switch try self.parser.next(&self.inbox) {
            case .body(let piece): exchange.bodyReceived(piece)
            case .end(let trailers):
                self.isReceiving = false
                exchange.requestEnded(trailers: trailers)
            case .head: assertionFailure("a request has begun")
            case nil:
                guard self.isInputClosed else { return false }
                throw .badRequest("The connection ended before the body did")
            }
        } catch {
            self.isReceiving = false
            self.closesAfterAnswer = true
            exchange.fail(error)
            exchange.abandonRequest()
        }
        return true
    }

    /// Throws away the rest of a body nobody wants, so that it is not read as a request.
    private func stepDrain(
        _ exchange: VisitorExchange,
        _ context: ChannelHandlerContext
    ) -> Bool {
        if self.drainBegan == nil { self.drainBegan = .now() }
        var isHopeless =
            self.closesAfterAnswer || self.isInputClosed && self.inbox.readableBytes == 0
        do throws(EdgeFailure) {
            switch isHopeless ? nil : try self.parser.next(&self.inbox) {
            case .body(let piece):
                self.drainedBytes += piece.readableBytes
                isHopeless = self.drainedBytes > self.limits.drainedBytes
            case .end:
                self.isReceiving = false
                exchange.requestEnded(trailers: nil)
            case .head: assertionFailure("a request has begun")
            case nil where !isHopeless: return false
            case nil: break
            }
        } catch {
            isHopeless = true
        }
        guard isHopeless else { return true }
        exchange.abandonRequest()
        self.exchange = nil
        self.finishConnection(context)
        return false
    }

    private func stepOpaque() -> Bool {
        guard let exchange else { return false }
        if self.inbox.readableBytes > 0 {
            let piece = self.inbox
            self.inbox = ByteBuffer()
            exchange.bodyReceived(piece)
            return true
        }
        if self.isInputClosed, self.isReceiving {
            self.isReceiving = false
            exchange.requestEnded(trailers: nil)
        }
        if self.isAnswered, !self.isReceiving {
            // What is written still has to leave; `closeOutput` sees to the end.
            self.exchange = nil
            self.phase = .lingering
            self.noteProgress()
        }
        return false
    }

    /// The exchange is over on this connection: on to the next request, or the end.
    private func finishExchange(_ context: ChannelHandlerContext) -> Bool {
        self.exchange = nil
        self.undeliveredBytes = 0
        if self.closesAfterAnswer {
            self.finishConnection(context)
            return false
        }
        return true
    }

    // MARK: Reading

    /// Whether bytes from the visitor are of use now.
    var wantsInput: Bool {
        switch self.phase {
        case .http:
            guard let exchange else { return self.context?.channel.isWritable ?? false }
            guard self.isReceiving else {
                return self.inbox.readableBytes < self.limits.pipelinedBytes
            }
            return exchange.acceptsBody
        case .opaque: return self.exchange?.acceptsBody ?? true
        case .lingering: return true
        case .breakingOff, .closed: return false
        }
    }

    func updateReading(_ context: ChannelHandlerContext) {
        guard self.isReadPending, self.wantsInput else { return }
        self.isReadPending = false
        context.read()
    }
}

extension VisitorRequest {
    /// A request that is answered without having been admitted.
    init(refused head: HTTP1RequestHead, id: String) {
        self.init(
            head: RequestHead(method: head.method, scheme: "", authority: "", path: head.target),
            host: "",
            id: id,
            version: head.minorVersion == 0 ? .http10 : .http11,
            accept: head.fields.first("Accept") ?? "",
            wantsUpgrade: false,
            expectsContinue: head.framing != .none
                && head.fields.listContains("expect", "100-continue"),
            hasBody: head.framing != .none
        )
    }
}
