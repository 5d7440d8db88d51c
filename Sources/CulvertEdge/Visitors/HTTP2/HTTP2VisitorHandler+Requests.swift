import HTTP2Wire
import HTTPSemantics
import NIOCore
import NIOHTTP2
import TunnelWire

extension HTTP2VisitorHandler {
    func headersReceived(_ headers: HTTP2Frame.FramePayload.Headers, _ id: HTTP2StreamID) {
        if let stream = self.streams[id] {
            return self.trailersReceived(headers, stream)
        }
        self.lastStreamID = max(self.lastStreamID, id)
        guard self.streams.count < self.limits.http2Streams else { return self.refuse(id) }
        let stream = HTTP2VisitorStream(id: id, handler: self)
        stream.isRequestEnded = headers.endStream
        self.streams[id] = stream
        if self.streams.count == 1 { self.updateDeadline() }
        if self.drainsAfterRequest { self.drain() }
        let (pseudo, fields, bytes) = HTTP2PseudoFields.split(headers.headers)
        let hasBody = !headers.endStream
        do throws(EdgeFailure) {
            guard bytes <= self.limits.headerBytes, fields.count <= self.limits.headerFields else {
                throw .headerTooLarge
            }
            guard pseudo.path.utf8.count <= self.limits.targetBytes else { throw .targetTooLong }
            let length: UInt64?
            do {
                length = try MessageFraming.http2Request(method: pseudo.method, fields: fields)
            } catch {
                // Well-formed, and too much: an answer says more than an error of the stream.
                guard error != .contentLengthTooLarge else { throw EdgeFailure(error) }
                return self.refuseMalformed(stream, pseudo, fields, hasBody, EdgeFailure(error))
            }
            stream.promisedBytes = length
            guard stream.keepsPromise(ends: !hasBody) else {
                return self.refuseMalformed(stream, pseudo, fields, hasBody, .brokenPromise)
            }
            if let limit = self.limits.bodyBytes, let length, length > limit { throw .bodyTooLarge }
            let request = try self.admission.admit(pseudo, fields: fields, hasBody: hasBody)
            self.makeExchange(request, stream).start()
        } catch {
            let request = VisitorRequest(
                refused: pseudo,
                fields,
                hasBody: hasBody,
                id: self.admission.nextID()
            )
            self.makeExchange(request, stream).fail(error)
        }
    }

    /// A malformed request is a stream error (RFC 9113 §8.1.1).
    private func refuseMalformed(
        _ stream: HTTP2VisitorStream,
        _ pseudo: HTTP2PseudoFields,
        _ fields: HTTPFields,
        _ hasBody: Bool,
        _ failure: EdgeFailure
    ) {
        let id = self.admission.nextID()
        let request = VisitorRequest(refused: pseudo, fields, hasBody: hasBody, id: id)
        let exchange = self.makeExchange(request, stream)
        exchange.visitorLeft(.malformedMessage, errorCode: failure.code)
        self.reset(stream, .protocolError)
    }

    private func makeExchange(
        _ request: VisitorRequest,
        _ stream: HTTP2VisitorStream
    ) -> VisitorExchange {
        let exchange = VisitorExchange(
            request,
            server: self.server,
            visitor: self.admission.visitor,
            eventLoop: self.eventLoop,
            responder: stream
        )
        stream.exchange = exchange
        return exchange
    }

    private func trailersReceived(
        _ headers: HTTP2Frame.FramePayload.Headers,
        _ stream: HTTP2VisitorStream
    ) {
        stream.isRequestEnded = true
        guard stream.keepsPromise(ends: true) else { return self.breakOff(stream) }
        let (_, fields, bytes) = HTTP2PseudoFields.split(headers.headers)
        if bytes > self.limits.headerBytes || fields.count > self.limits.headerFields {
            stream.exchange?.fail(.headerTooLarge)
        }
        stream.exchange?.requestEnded(trailers: fields)
        self.touch(stream)
    }

    func dataReceived(_ data: HTTP2Frame.FramePayload.Data, _ stream: HTTP2VisitorStream) {
        stream.lastProgress = .now()
        if case .byteBuffer(let piece) = data.data {
            if piece.readableBytes > 0 { self.receivedDataFrames += 1 }
            stream.undemandedBytes += piece.readableBytes
            self.undemandedBytes += piece.readableBytes
            guard stream.keepsPromise(bytes: piece.readableBytes, ends: data.endStream) else {
                return self.breakOff(stream)
            }
            if piece.readableBytes > 0 { stream.exchange?.bodyReceived(piece) }
        }
        if data.endStream {
            stream.isRequestEnded = true
            stream.exchange?.requestEnded(trailers: nil)
        }
        self.touch(stream)
    }

    /// The body is not what its head promised: a stream error, and nothing of it is ended properly.
    private func breakOff(_ stream: HTTP2VisitorStream) {
        stream.exchange?.visitorLeft(
            .malformedMessage,
            errorCode: EdgeFailure.brokenPromise.code
        )
        self.reset(stream, .protocolError)
    }

    /// The peer's WINDOW_UPDATEs must stay in proportion to what it is sent; NIOHTTP2 does not look.
    func windowUpdateReceived(_ context: ChannelHandlerContext) {
        self.windowUpdates += 1
        guard self.windowUpdates > self.limits.http2WindowUpdates + 4 * self.written.dataFrames
        else { return }
        self.calmDown(context)
    }

    /// PING, SETTINGS and PRIORITY must stay in proportion, too.
    func controlFrameReceived(_ context: ChannelHandlerContext) {
        let dataFrames = self.receivedDataFrames + self.written.dataFrames
        guard !self.controlFrames.allows(dataFrames: dataFrames, now: .now()) else { return }
        self.calmDown(context)
    }

    /// Ends a connection that asks too much.
    private func calmDown(_ context: ChannelHandlerContext) {
        guard !self.hasCalmedDown else { return }
        self.hasCalmedDown = true
        self.writeConnection(
            .goAway(
                lastStreamID: self.lastStreamID,
                errorCode: .enhanceYourCalm,
                opaqueData: nil
            )
        )
        context.flush()
        context.close(promise: nil)
    }

    /// A stream beyond the limit: the visitor may send it again (RFC 9113 §8.7).
    func refuse(_ id: HTTP2StreamID) {
        guard let context else { return }
        self.refusedStreams += 1
        guard self.refusedStreams <= self.limits.http2RefusedStreams else {
            return self.calmDown(context)
        }
        let frame = HTTP2Frame(streamID: id, payload: .rstStream(.refusedStream))
        context.write(self.wrapOutboundOut(frame), promise: nil)
    }

    func prefaceReceived() {
        guard !self.hasPreface else { return }
        self.hasPreface = true
        if self.streams.isEmpty { self.updateDeadline() }
    }

    func streamClosed(_ event: StreamClosedEvent) {
        guard let stream = self.streams.removeValue(forKey: event.streamID) else { return }
        self.undemandedBytes -= stream.undemandedBytes
        stream.undemandedBytes = 0
        stream.inboundWindow = nil
        let exchange = stream.exchange
        stream.exchange = nil
        exchange?.visitorLeft()
        if self.streams.isEmpty { self.becameIdle() }
    }

    // MARK: Windows

    func windowChanged(_ event: NIOHTTP2WindowUpdatedEvent) {
        guard event.streamID != .rootStream else {
            self.inboundWindow = event.inboundWindowSize ?? self.inboundWindow
            return
        }
        self.streams[event.streamID]?.inboundWindow = event.inboundWindowSize
    }

    /// Grants the visitor as much as the tunnel has taken, in steps of half a window.
    func grantWindows(_ stream: HTTP2VisitorStream) {
        guard let exchange = stream.exchange, !exchange.acceptsBody else {
            self.undemandedBytes -= stream.undemandedBytes
            stream.undemandedBytes = 0
            guard let window = stream.inboundWindow, !stream.isRequestEnded,
                stream.exchange != nil
            else { return }
            let increment = self.limits.http2StreamWindowBytes - window
            if increment >= self.limits.http2StreamWindowBytes / 2 {
                // NIOHTTP2 tells of the visitor's frames only, not of this one.
                stream.inboundWindow = window + increment
                self.write(.windowUpdate(windowSizeIncrement: increment), on: stream)
            }
            return
        }
    }

    func grantConnectionWindow() {
        let target = self.limits.http2ConnectionWindowBytes
        let increment = target - self.inboundWindow - self.undemandedBytes
        if increment >= target / 2 {
            self.inboundWindow += increment
            self.writeConnection(.windowUpdate(windowSizeIncrement: increment))
        }
    }
}

extension EdgeFailure {
    fileprivate static let brokenPromise = EdgeFailure.badRequest(
        "the body is not as long as Content-Length says"
    )
}

extension VisitorRequest {
    /// A request that is answered without having been admitted.
    init(refused pseudo: HTTP2PseudoFields, _ fields: HTTPFields, hasBody: Bool, id: String) {
        self.init(
            head: RequestHead(
                method: pseudo.method,
                scheme: "",
                authority: "",
                path: pseudo.path
            ),
            host: "",
            id: id,
            version: .http2,
            accept: fields.first("accept") ?? "",
            callType: GRPCAnswer.contentType(of: fields),
            wantsUpgrade: false,
            expectsContinue: false,
            hasBody: hasBody
        )
    }
}
