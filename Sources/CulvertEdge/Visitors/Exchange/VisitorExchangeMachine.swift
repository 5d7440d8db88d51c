/// Decides what becomes of one exchange: the visitor's request on one side, a stream that may have
/// to be opened more than once on the other. Knows no bytes, only how many.
///
/// Three kinds of invalid input: what the origin does wrong ends in `.breakOff` or an answer of
/// the edge; what comes late (after a reset, after the visitor left) is dropped; what only a fault
/// of the caller can bring is asserted.
struct VisitorExchangeMachine: Equatable {
    enum Request: Equatable {
        /// More of it will come, or its end.
        case receiving
        case ended
        /// The rest is of no interest: it is read and thrown away, or never read.
        case abandoned
    }

    enum Tunnel: Equatable {
        case routing
        case attached
        /// No stream any more, or none needed.
        case detached
    }

    enum Response: Equatable {
        case none
        /// `remaining` is what Content-Length still promises; nil when it says nothing.
        case streaming(remaining: Int?)
        case ended
        /// Begun and not ended properly, or never begun and the visitor is gone.
        case broken
    }

    private(set) var request: Request
    private(set) var tunnel = Tunnel.routing
    private(set) var response = Response.none
    private(set) var attempt = 1
    /// Bytes of the body kept to be sent, or sent again.
    private(set) var keptBytes = 0
    /// Whether everything received so far is kept.
    private(set) var isRepeatable = true
    /// HTTP has ended with a 101: what follows is bytes without meaning to the edge.
    private(set) var isOpaque = false
    private(set) var requestBytes = 0
    private(set) var responseBytes = 0
    private let keptLimit: Int
    private let bodyLimit: UInt64?
    private let attempts: Int
    private let isIdempotent: Bool
    private let isHead: Bool
    private let wantsUpgrade: Bool

    init(_ request: VisitorRequest, limits: VisitorLimits) {
        self.request = request.hasBody ? .receiving : .ended
        self.keptLimit = limits.keptBytes
        self.bodyLimit = limits.bodyBytes
        self.attempts = limits.attempts
        self.isIdempotent = request.isIdempotent
        self.isHead = request.isHead
        self.wantsUpgrade = request.wantsUpgrade
    }

    /// Both sides are done with it.
    var isOver: Bool {
        self.tunnel != .routing && self.request != .receiving
            && (self.response == .ended || self.response == .broken)
    }

    /// Whether more of the request's body can be taken now.
    func acceptsBody(streamIsWritable: Bool) -> Bool {
        switch self.tunnel {
        case .routing: self.keptBytes < self.keptLimit
        case .attached: streamIsWritable
        case .detached: true
        }
    }
}

// MARK: - The visitor's side

extension VisitorExchangeMachine {
    enum BodyResult: Equatable {
        case keep
        case forward(andKeep: Bool)
        case discard
        /// The body passes the limit.
        case tooLarge
    }

    /// A piece of the request's body, or of the opaque bytes after a 101.
    mutating func bodyReceived(bytes: Int) -> BodyResult {
        guard self.request == .receiving else { return .discard }
        self.requestBytes += bytes
        if self.isOpaque { return self.tunnel == .attached ? .forward(andKeep: false) : .discard }
        if let bodyLimit, UInt64(self.requestBytes) > bodyLimit { return .tooLarge }
        switch self.tunnel {
        case .routing:
            self.keptBytes += bytes
            return .keep
        case .attached:
            if self.isRepeatable, self.keptBytes + bytes <= self.keptLimit {
                self.keptBytes += bytes
                return .forward(andKeep: true)
            }
            self.dropKept()
            return .forward(andKeep: false)
        case .detached:
            return .discard
        }
    }

    enum RequestEndResult: Equatable {
        case forward
        case none
    }

    /// The request is complete; with opaque bytes, the visitor's half is.
    mutating func requestEnded() -> RequestEndResult {
        guard self.request == .receiving else { return .none }
        self.request = .ended
        guard self.tunnel == .attached else { return .none }
        if self.response == .ended { self.tunnel = .detached }
        return .forward
    }

    enum LeaveResult: Equatable {
        case cancelRoute
        case resetStream
        case none
    }

    /// The visitor is gone, or its side cannot go on.
    mutating func visitorLeft() -> LeaveResult {
        let tunnel = self.tunnel
        self.tunnel = .detached
        if self.request == .receiving { self.request = .abandoned }
        if self.response != .ended { self.response = .broken }
        switch tunnel {
        case .routing: return .cancelRoute
        case .attached: return .resetStream
        case .detached: return .none
        }
    }

    /// The edge answers itself; the caller resets the stream, or cancels the route, as told.
    mutating func answeredByEdge() -> LeaveResult {
        assert(self.response == .none)
        let tunnel = self.tunnel
        self.tunnel = .detached
        self.response = .streaming(remaining: nil)
        self.dropKept()
        switch tunnel {
        case .routing: return .cancelRoute
        case .attached: return .resetStream
        case .detached: return .none
        }
    }

    /// The rest of the request is not read any more.
    mutating func requestAbandoned() {
        if self.request == .receiving { self.request = .abandoned }
    }

    private mutating func dropKept() {
        self.isRepeatable = false
        self.keptBytes = 0
    }
}

// MARK: - The tunnel's side

extension VisitorExchangeMachine {
    enum RoutedResult: Equatable {
        /// Send the head, what is kept, and the end if the request has ended and is no upgrade.
        case begin(end: Bool)
        /// Nobody needs it: reset it.
        case refuse
    }

    mutating func routed() -> RoutedResult {
        guard self.tunnel == .routing else { return .refuse }
        self.tunnel = .attached
        // An upgrade's direction stays open for the bytes after the 101.
        return .begin(end: self.request == .ended && !self.wantsUpgrade)
    }

    enum HeadResult: Equatable {
        case interim
        /// `endsRequest`: it was an upgrade, declined: now the request's end may be sent.
        case final(endsRequest: Bool)
        case opaque
        /// A 101 nobody asked for.
        case unasked
        case ignore
    }

    /// A head from the origin. `contentLength` is nil when it has none.
    mutating func headReceived(status: UInt16, contentLength: Int?) -> HeadResult {
        guard self.tunnel == .attached, self.response == .none else { return .ignore }
        if status == 101 {
            guard self.wantsUpgrade else { return .unasked }
            self.dropKept()
            self.isOpaque = true
            self.response = .streaming(remaining: nil)
            self.request = .receiving
            return .opaque
        }
        if status < 200 { return .interim }
        self.dropKept()
        self.response = .streaming(
            remaining: Self.hasNoBody(status: status, isHead: self.isHead) ? nil : contentLength
        )
        return .final(endsRequest: self.wantsUpgrade)
    }

    /// Responses that end with their head (RFC 9110 §6.4.1).
    static func hasNoBody(status: UInt16, isHead: Bool) -> Bool {
        isHead || status == 204 || status == 304
    }

    enum DataResult: Equatable {
        case write
        /// More than Content-Length promised.
        case breakOff
        case ignore
    }

    mutating func dataReceived(bytes: Int) -> DataResult {
        guard self.tunnel == .attached else { return .ignore }
        switch self.response {
        case .streaming(nil):
            self.responseBytes += bytes
            return .write
        case .streaming(let remaining?):
            guard bytes <= remaining else {
                self.breakResponse()
                return .breakOff
            }
            self.responseBytes += bytes
            self.response = .streaming(remaining: remaining - bytes)
            return .write
        case .none:
            self.breakResponse()
            return .breakOff
        case .ended, .broken:
            return .ignore
        }
    }

    enum EndResult: Equatable {
        case end
        /// Less than Content-Length promised, or nothing at all.
        case breakOff
        case ignore
    }

    /// The origin's direction has ended.
    mutating func responseEnded() -> EndResult {
        guard self.tunnel == .attached else { return .ignore }
        switch self.response {
        case .streaming(let remaining):
            guard remaining ?? 0 == 0 else {
                self.breakResponse()
                return .breakOff
            }
            self.response = .ended
            if self.request != .receiving { self.tunnel = .detached }
            return .end
        case .none:
            self.breakResponse()
            return .breakOff
        case .ended, .broken:
            return .ignore
        }
    }

    /// The edge's own answer has been written whole.
    mutating func edgeAnswerEnded(bytes: Int) {
        self.responseBytes += bytes
        self.response = .ended
    }

    enum ResetResult: Equatable {
        /// Ask the router again; what is kept is sent again.
        case retry(attempt: Int)
        /// No head was sent: the edge answers.
        case answer
        /// The head was sent: the visitor must see that the body is broken.
        case breakOff
        /// The answer is complete; only the rest of the request is of no use any more.
        case abandonRequest
        case ignore
    }

    /// The stream is gone. `isUntouched`: nobody acted on it. `isLost`: its session is.
    mutating func streamReset(isUntouched: Bool, isLost: Bool) -> ResetResult {
        guard self.tunnel == .attached else { return .ignore }
        switch self.response {
        case .none:
            if self.isRepeatable, isUntouched || (isLost && self.isIdempotent),
                self.attempt < self.attempts
            {
                self.attempt += 1
                self.tunnel = .routing
                return .retry(attempt: self.attempt)
            }
            self.tunnel = .detached
            return .answer
        case .streaming:
            self.breakResponse()
            return .breakOff
        case .ended:
            self.tunnel = .detached
            if self.request == .receiving {
                self.request = .abandoned
                return .abandonRequest
            }
            return .ignore
        case .broken:
            self.tunnel = .detached
            return .ignore
        }
    }

    enum AwayResult: Equatable {
        /// Reset the stream and ask the router again; what is kept is sent again.
        case retry
        case stay
    }

    /// The stream's session has no link, and another one has: worth a try when nothing of an answer
    /// has come and doing it twice does no harm.
    mutating func sessionAway() -> AwayResult {
        guard self.tunnel == .attached, self.response == .none, self.isRepeatable,
            self.isIdempotent, self.attempt < self.attempts
        else { return .stay }
        self.attempt += 1
        self.tunnel = .routing
        return .retry
    }

    private mutating func breakResponse() {
        self.tunnel = .detached
        guard self.response != .none else { return }
        self.response = .broken
        if self.request == .receiving { self.request = .abandoned }
    }
}
