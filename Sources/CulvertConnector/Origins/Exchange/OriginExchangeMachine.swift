import TunnelWire

/// Decides what one exchange between a stream and an origin does; no I/O, no buffers, no clock.
///
/// Two directions that end independently, and the connection between them:
/// - *upload*, the request's body: from the stream to the origin. Before a connection is there its
///   pieces are held; once the connection is gone they are discarded.
/// - *answer*: from the origin to the stream.
///
/// Decisions about the corners:
/// - Framing waits for what follows the head in its batch, so that a request without a body is sent
///   as one. A GET or HEAD without a length waits beyond its batch (unless it expects 100).
/// - An answer that is complete while the upload runs does not stop the upload: the origin may still
///   read it. When it closes, or the answer was its last, the rest is discarded with credit, so that
///   the answer reaches the visitor and the peer decides whether to go on sending.
/// - A request is repeated once, on a fresh connection, when a reused one ended before one byte of the
///   answer and the method is idempotent (RFC 9112 §9.3.1): an origin that closes idle connections cannot
///   know that one comes. What was written of its body is kept for that, up to
///   `OriginLimits.repeatableBodyBytes`. One that the origin says it did not process is repeated whatever its
///   method, but with a body written that is for the edge, which may have kept the body, too.
///
/// Three kinds of invalid input: the peer's parts out of order give `streamProtocolError`; a body
/// that differs from its Content-Length gives `malformedMessage`; a connection's events after it was
/// given back are our own fault and asserted.
struct OriginExchangeMachine: ~Copyable {
    private enum Upload: Equatable {
        case awaitingHead
        /// The head is known, its body's framing is not.
        case undecided
        case open
        case ended
    }

    private enum Link: Equatable {
        case none
        case acquiring
        case attached
        /// Given back, closed, or never needed: what is still uploaded is discarded.
        case gone
    }

    private enum Answer: Equatable {
        case awaited
        case running
        /// After 101: both directions are opaque bytes.
        case opaque
        case ended
    }

    private var upload: Upload = .awaitingHead
    private var link: Link = .none
    private var answer: Answer = .awaited
    private(set) var traits = RequestTraits()
    private(set) var framing: RequestFraming = .none
    private let collects: Bool
    private var uploaded = 0
    private var wroteBody = false
    private var isReused = false
    private var isRepeated = false
    private var wasOpaque = false

    /// - Parameter collects: whether a body of unknown length is collected (`disableChunkedEncoding`).
    init(collects: Bool) { self.collects = collects }

    /// Whether both directions have ended.
    var isOver: Bool { self.upload == .ended && self.answer == .ended }
    var isUploadEnded: Bool { self.upload == .ended }
    var isOpaque: Bool { self.answer == .opaque }
    var isAnswerEnded: Bool { self.answer == .ended }

    /// Whether what is written of the body is to be kept: the request may have to be sent again. Once false, it
    /// stays so.
    var keepsBody: Bool {
        self.isReused && !self.isRepeated && self.answer == .awaited && self.traits.isIdempotent
            && self.uploaded <= OriginLimits.repeatableBodyBytes
    }

    // MARK: From the stream

    enum HeadAction: Equatable {
        case wait
        case fail(ResetCode)
    }

    mutating func receivedHead(_ traits: RequestTraits) -> HeadAction {
        guard self.upload == .awaitingHead else { return .fail(.streamProtocolError) }
        guard !traits.isMalformed else { return .fail(.malformedMessage) }
        self.traits = traits
        self.upload = .undecided
        return .wait
    }

    /// What follows the head.
    enum Following { case data, end, trailers, batchEnd }

    enum SettleAction: Equatable {
        case nothing
        /// The framing is settled: get a connection.
        case acquire
    }

    /// Settles how the body is framed, once, by what follows the head. Comes before `receivedData`
    /// and `receivedEnd`, and at the end of each batch.
    mutating func settle(before following: Following) -> SettleAction {
        guard self.upload == .undecided else { return .nothing }
        if let length = self.traits.contentLength {
            self.framing = .length(length)
        } else if self.traits.asksUpgrade || following == .end {
            self.framing = .none
        } else if following == .batchEnd, self.traits.rarelyHasBody, !self.traits.expectsContinue {
            return .nothing
        } else if self.collects {
            self.framing = .addedLength(0)
            self.upload = .open
            return .nothing
        } else {
            self.framing = .chunked
        }
        self.upload = .open
        self.link = .acquiring
        return .acquire
    }

    enum DataAction: Equatable {
        /// Keep it, uncredited, until there is a connection (or a 101).
        case hold
        /// Keep it, and give its credit: the length has to be known first.
        case collect
        case write
        case discard
        case fail(ResetCode)
    }

    mutating func receivedData(_ bytes: Int) -> DataAction {
        guard self.upload == .open else { return .fail(.streamProtocolError) }
        self.uploaded += bytes
        if case .length(let length) = self.framing, self.uploaded > length {
            return .fail(.malformedMessage)
        }
        if case .addedLength = self.framing, self.link == .none {
            guard self.uploaded <= OriginLimits.collectedBodyBytes else { return .fail(.overLimit) }
            return .collect
        }
        switch self.link {
        case .none, .acquiring: return .hold
        case .gone: return .discard
        case .attached:
            // Opaque bytes that run ahead of the 101 wait for it.
            if self.traits.asksUpgrade, self.answer == .awaited { return .hold }
            self.wroteBody = true
            return .write
        }
    }

    enum EndAction: Equatable {
        case nothing
        /// The collected body is complete: get a connection.
        case acquire
        /// Write the last chunk, if the framing has one.
        case finishBody
        /// The answer was complete before: finish the body and give the connection back.
        case finishBodyThenRelease
        /// Opaque: end our side of the connection, which goes on in the other direction.
        case closeOutput
        /// Opaque, and the origin's side has ended: close the connection.
        case close
        case fail(ResetCode)
    }

    mutating func receivedEnd() -> EndAction {
        guard self.upload == .open else { return .fail(.streamProtocolError) }
        if case .length(let length) = self.framing, self.uploaded != length {
            return .fail(.malformedMessage)
        }
        self.upload = .ended
        if case .addedLength = self.framing, self.link == .none {
            self.framing = .addedLength(self.uploaded)
            self.link = .acquiring
            return .acquire
        }
        guard self.link == .attached else { return .nothing }
        switch self.answer {
        case .opaque: return .closeOutput
        case .awaited where self.traits.asksUpgrade: return .nothing
        case .awaited, .running: return .finishBody
        case .ended:
            self.link = .gone
            // After 101 the answer's end is the origin's half-close.
            return self.wasOpaque ? .close : .finishBodyThenRelease
        }
    }

    // MARK: From the pool

    /// A connection is there: the request and what was held are written now.
    mutating func attached(isReused: Bool, holdsBody: Bool) {
        assert(self.link == .acquiring)
        self.link = .attached
        self.isReused = isReused
        if holdsBody, !self.traits.asksUpgrade { self.wroteBody = true }
    }

    // MARK: From the connection

    enum AnswerHeadAction: Equatable {
        case forward
        /// The answer to an upgrade is no 101: nothing can follow the request.
        case forwardRefusedUpgrade
        case becomeOpaque
        case fail(ResetCode)
    }

    mutating func receivedAnswerHead(status: UInt16, isInterim: Bool) -> AnswerHeadAction {
        assert(self.link == .attached)
        if isInterim { return .forward }
        if status == 101 {
            // Switching unasked would let an origin answer with bytes that are no HTTP.
            guard self.traits.asksUpgrade else { return .fail(.malformedMessage) }
            self.answer = .opaque
            self.wasOpaque = true
            return .becomeOpaque
        }
        self.answer = .running
        return self.traits.asksUpgrade ? .forwardRefusedUpgrade : .forward
    }

    enum AnswerEndAction: Equatable {
        /// Give the connection back: the request was written as a whole.
        case release
        /// The upload goes on.
        case keepUploading
        /// Opaque, and the stream's side has ended, too.
        case close
    }

    /// The answer is complete; after 101: the origin has ended its side.
    mutating func receivedAnswerEnd() -> AnswerEndAction {
        let wasOpaque = self.answer == .opaque
        self.answer = .ended
        if wasOpaque {
            guard self.upload == .ended else { return .keepUploading }
            self.link = .gone
            return .close
        }
        // What comes after a refused upgrade was never for this connection.
        guard self.upload == .ended || self.framing == .none else { return .keepUploading }
        self.link = .gone
        return .release
    }

    enum LossAction: Equatable {
        /// Get a fresh connection and send the request again.
        case repeatRequest
        /// The answer is complete; the rest of the upload has nowhere to go.
        case discardUpload
        case fail(ResetCode)
    }

    /// The connection is gone.
    mutating func lost(_ ending: AnswerEnding) -> LossAction {
        assert(self.link == .attached)
        switch self.answer {
        case .ended:
            self.link = .gone
            return .discardUpload
        case .opaque, .running:
            self.link = .gone
            return .fail(.truncated)
        case .awaited where self.mayRepeat(after: ending):
            self.isRepeated = true
            self.link = .acquiring
            return .repeatRequest
        case .awaited:
            self.link = .gone
            switch ending {
            case .unprocessed, .needsHTTP1: return .fail(.refused)
            case .reset(let code): return .fail(code)
            // It took the request: who repeats it may have it done twice.
            case .nothing, .bodyEnd, .noAnswer, .partialHead, .truncated: return .fail(.truncated)
            }
        }
    }

    private func mayRepeat(after ending: AnswerEnding) -> Bool {
        switch ending {
        case .unprocessed, .needsHTTP1: return !self.isRepeated && !self.wroteBody
        case .noAnswer: return self.keepsBody
        case .nothing, .bodyEnd, .partialHead, .truncated, .reset: return false
        }
    }
}
