import WebSocketWire

/// Decides what one TCP connection carried over a visitor's WebSocket does; no I/O, no buffers, no
/// clock.
///
///     visitor's client ══ WebSocket (through edge and tunnel, opaque) ══ connector ── TCP ── origin
///
/// The connector is the WebSocket's server. What the origin sends goes out as binary messages; the
/// payload of the visitor's messages goes to the origin, whatever their borders. The two directions
/// end independently, as TCP's do:
///
/// | what happens | what follows |
/// |---|---|
/// | the origin is not reached | no 101: the stream is reset, and the edge answers 502 or 504 |
/// | the origin ends its side (FIN) | Close 1000 behind its last byte; what the visitor still sends goes on to it until the visitor's Close |
/// | the visitor says Close, or ends the stream | FIN to the origin, whose rest still goes out, then Close 1000 |
/// | the origin breaks off (RST) | Close 1011: what was received is not the whole |
/// | the visitor breaks the protocol | Close 1002 (1003 for text), and the origin is left |
/// | one side has ended and nothing moves for ``TCPLimits/restTime`` | the other is ended, too |
///
/// A client that answers a Close at once, as most do, loses nothing it asked for; one that waits with
/// its own Close until it has sent everything, as `culvert access` does, gets TCP's half-close.
struct TCPExchangeMachine: Equatable {
    private enum Upload: Equatable {
        case open
        /// Said Close, or broke the protocol: the rest is discarded with credit.
        case closed
        /// The stream's direction is over.
        case ended
    }

    private enum Answer: Equatable {
        /// No head has been sent.
        case awaited
        /// 101 was sent.
        case open
        case ended
    }

    private enum Origin: Equatable {
        /// Not asked for, or on its way.
        case absent
        case attached
        /// Has sent FIN.
        case halfClosed
        case gone
    }

    private var upload: Upload = .open
    private var answer: Answer = .awaited
    private var origin: Origin = .absent

    /// Whether both directions of the stream are over.
    var isOver: Bool { self.upload == .ended && self.answer == .ended }
    /// Whether frames may be read and sent.
    var isSwitched: Bool { self.answer != .awaited }
    var isAnswerOpen: Bool { self.answer == .open }
    /// Whether the visitor has sent everything.
    var hasVisitorEnded: Bool { self.upload != .open }
    /// Whether nothing more can come of it, though the stream may go on.
    var hasClosed: Bool { self.upload != .open && self.answer == .ended }
    /// Whether one side is over, so that the time of the other is limited.
    var isHalfOver: Bool { self.upload != .open || self.answer == .ended }

    // MARK: What is done about the answer

    /// 101 goes out.
    mutating func switched() {
        assert(self.answer == .awaited)
        self.answer = .open
    }

    /// Another answer than 101 goes out; what still comes is discarded.
    mutating func answeredOtherwise() {
        assert(self.answer == .awaited)
        self.answer = .ended
        self.origin = .gone
        if self.upload == .open { self.upload = .closed }
    }

    // MARK: From the origin

    /// The connection is there.
    mutating func attached() {
        assert(self.origin == .absent)
        self.origin = .attached
    }

    enum OriginEnd: Equatable {
        /// Say Close and end the answer.
        case close(UInt16)
        /// The same, and the connection is of no more use.
        case closeAndLeave(UInt16)
        case nothing
    }

    /// FIN.
    mutating func originEnded() -> OriginEnd {
        guard self.origin == .attached, self.answer == .open else { return .nothing }
        self.answer = .ended
        guard self.upload == .open else {
            self.origin = .gone
            return .closeAndLeave(WebSocketCloseCode.normal)
        }
        self.origin = .halfClosed
        return .close(WebSocketCloseCode.normal)
    }

    /// The connection is gone without FIN before, or a write to it failed.
    mutating func originLost() -> OriginEnd {
        self.origin = .gone
        if self.upload == .open { self.upload = .closed }
        guard self.answer == .open else { return .nothing }
        self.answer = .ended
        return .closeAndLeave(WebSocketCloseCode.internalError)
    }

    // MARK: From the visitor

    enum Payload: Equatable {
        /// There is no connection yet.
        case hold
        case write
        case discard
    }

    /// Bytes of a binary message.
    func payload() -> Payload {
        guard self.upload == .open else { return .discard }
        return switch self.origin {
        case .absent: .hold
        case .attached, .halfClosed: .write
        case .gone: .discard
        }
    }

    enum VisitorEnd: Equatable {
        /// FIN to the origin, whose rest is awaited.
        case endOutput
        /// The origin's side has ended before: close the connection.
        case leave
        /// There is no connection, and none is wanted any more: say Close, and end the answer.
        case close(UInt16)
        /// There was no answer yet: give the stream up.
        case giveUp
        case nothing
    }

    /// A Close frame.
    mutating func visitorClosed() -> VisitorEnd {
        guard self.upload == .open else { return .nothing }
        self.upload = .closed
        return self.endUpload()
    }

    /// The stream's direction is over, with a Close before it or without.
    mutating func streamEnded() -> VisitorEnd {
        let wasOpen = self.upload == .open
        self.upload = .ended
        return wasOpen ? self.endUpload() : .nothing
    }

    private mutating func endUpload() -> VisitorEnd {
        switch (self.answer, self.origin) {
        case (.awaited, _): return .giveUp
        case (_, .attached): return .endOutput
        case (_, .halfClosed):
            self.origin = .gone
            return .leave
        case (.open, .absent), (.open, .gone):
            self.answer = .ended
            self.origin = .gone
            return .close(WebSocketCloseCode.normal)
        case (.ended, _): return .nothing
        }
    }

    // MARK: Our own ends

    /// The visitor broke the protocol, or what it asks for cannot be: the origin is left.
    ///
    /// - Returns: whether to say Close and end the answer.
    mutating func broke() -> Bool {
        if self.upload == .open { self.upload = .closed }
        self.origin = .gone
        guard self.answer == .open else { return false }
        self.answer = .ended
        return true
    }

    enum Timeout: Equatable {
        /// The origin has not ended: leave it, say Close and end the answer.
        case leave(UInt16)
        /// The visitor has not: give the stream up.
        case giveUp
        case nothing
    }

    /// Nothing moved for ``TCPLimits/restTime`` since one side ended.
    mutating func timedOut() -> Timeout {
        guard self.isHalfOver, !self.isOver else { return .nothing }
        self.origin = .gone
        guard self.answer == .open else { return .giveUp }
        self.answer = .ended
        return .leave(WebSocketCloseCode.internalError)
    }
}

/// Limits that no configuration changes.
enum TCPLimits {
    /// How long, in seconds, the one side may be silent after the other has ended.
    static let restTime = 30
    /// For a SOCKS handshake, from 101 to the request's last byte, in seconds.
    static let handshakeTime = 10
}
