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
/// | the visitor says Close, or ends the stream | FIN to the origin behind the last byte; its rest still goes out, however long it takes |
/// | both have ended, and the origin has taken everything | Close 1000 where it was not said yet, and the answer ends |
/// | the origin breaks off (RST) | Close 1011: what was received is not the whole; where Close was said before, the stream is reset: what was sent was not taken |
/// | the visitor breaks the protocol | Close 1002 (1003 for text), and the origin is left |
/// | the origin has ended, and the visitor is silent for ``TCPLimits/silenceTime`` | the stream is reset |
/// | the answer has ended, and the visitor's side does not for ``TCPLimits/restTime`` | the stream is reset |
///
/// A client that answers a Close at once, as most do, loses nothing it asked for; one that waits with
/// its own Close until it has sent everything, as `culvert access` does, gets TCP's half-close. That the
/// answer's end, and so the end of the visitor's connection, waits for the visitor's Close is a server's
/// part (RFC 6455 §7.1.1); it is what tells that everything was taken. An origin's silence has no limit:
/// whether its visitor is still there the stream tells.
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
        /// Close was said: nothing is sent any more, and the end waits for the visitor's.
        case closed
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
    /// Whether both sides have said all they have to, though the stream may go on.
    var hasClosed: Bool {
        self.upload != .open && (self.answer == .closed || self.answer == .ended)
    }
    /// How long, in seconds, the visitor may be silent now; nil where it is not waited for.
    var silenceLimit: Int? {
        switch (self.answer, self.upload) {
        case (.closed, .open): TCPLimits.silenceTime
        case (.ended, .open), (.ended, .closed): TCPLimits.restTime
        case (.awaited, _), (.open, _), (.closed, _), (.ended, .ended): nil
        }
    }

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
        /// Say Close.
        case close
        /// Say Close and end the answer.
        case closeAndEnd(UInt16)
        /// Close was said: end the answer.
        case end
        /// Close was said, and what the visitor sent was not taken: give the stream up.
        case giveUp
        case nothing
    }

    /// FIN.
    mutating func originEnded() -> OriginEnd {
        guard self.origin == .attached, self.answer == .open else { return .nothing }
        self.origin = .halfClosed
        // After the visitor's end the connection's own follows, which tells whether all was taken.
        guard self.upload == .open else { return .nothing }
        self.answer = .closed
        return .close
    }

    /// The connection is gone: `inOrder` after FIN from both sides, else broken off.
    mutating func originLost(inOrder: Bool) -> OriginEnd {
        let isWhole = inOrder && self.origin == .halfClosed && self.upload != .open
        self.origin = .gone
        if self.upload == .open { self.upload = .closed }
        switch self.answer {
        case .open:
            self.answer = .ended
            let code = isWhole ? WebSocketCloseCode.normal : WebSocketCloseCode.internalError
            return .closeAndEnd(code)
        case .closed:
            self.answer = .ended
            return isWhole ? .end : .giveUp
        case .awaited, .ended: return .nothing
        }
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
        /// FIN to the origin, whose rest, or the connection's end, is awaited.
        case endOutput
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
        case (_, .attached), (_, .halfClosed): return .endOutput
        case (.open, .absent), (.open, .gone):
            self.answer = .ended
            self.origin = .gone
            return .close(WebSocketCloseCode.normal)
        case (.closed, _), (.ended, _): return .nothing
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

    /// The visitor was silent for ``silenceLimit``.
    ///
    /// - Returns: whether to give the stream up.
    mutating func visitorWasSilent() -> Bool {
        guard self.silenceLimit != nil else { return false }
        self.upload = .closed
        self.answer = .ended
        self.origin = .gone
        return true
    }
}

/// Limits that no configuration changes.
enum TCPLimits {
    /// How long, in seconds, the one side's end may take once all that the other wants is over.
    static let restTime = 30
    /// How long, in seconds, a visitor whose origin has ended may send not even a ping; `culvert access`
    /// sends one every 30.
    static let silenceTime = 120
    /// For a SOCKS handshake, from 101 to the request's last byte, in seconds.
    static let handshakeTime = 10
}
