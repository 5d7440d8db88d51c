internal import DequeModule
package import NIOCore
package import TunnelWire

/// One end of a session, without I/O: streams, credit, scheduling, resume, liveness, drain.
///
/// A session is fed frames, commands and the time, and answers with events and with messages to
/// send. It outlives its links: between ``linkWasLost(now:)`` and ``resume(peerProcessed:now:)`` it
/// takes commands as ever, and what they say goes out over the next link. See the protocol's
/// specification in TunnelWire.
///
/// Three kinds of wrong input are told apart. *Ours* (a piece after the end): asserted, ignored in
/// release. *The peer's*: a ``WireError`` thrown from ``receive(_:now:)``; the session is then over and
/// says so in its events. *Late*, and silently dropped: whatever concerns a stream that is closed,
/// and everything after the session is over.
///
/// Confined to one thread. Memory is bounded: received DATA by the session window, unacknowledged
/// frames by ``SendLog``, and what waits on each stream by its owner, who is told when it has been
/// ``SessionEvent/sent(_:bytes:)``.
package struct Session: ~Copyable {
    /// Which end this is.
    package let role: SessionRole
    /// This end's limits and times; they hold for the session's life.
    package let configuration: SessionConfiguration
    let peerLimits: SessionLimits

    var streams: [StreamID: SessionStream] = [:]
    var log: SendLog
    var scheduler = Scheduler()
    /// Frames that go before any stream's: credit, resets, DRAIN and CLOSE.
    var control = Deque<LoggedFrame>()
    var management = ManagementFrames()
    var events: [SessionEvent] = []
    var reportDue: [SessionStream] = []
    var closedStreams: [SessionStream] = []

    /// Counted frames processed: what this end acknowledges.
    package internal(set) var processed: UInt64 = 0
    var acknowledgement = Acknowledgement()
    var link: LinkState

    var nextStreamID: UInt64
    var highestPeerStreamID: UInt64 = 0
    var openedHere = 0
    var openedByPeer = 0

    var receiveWindow: ReceiveWindow
    /// What open streams' windows have grown by.
    var grownBytes: UInt64 = 0
    /// When a session whose window is nearly taken looks for streams to give up.
    var reliefDue: Instant?
    /// DATA bytes put into the log, and the peer's limit on them.
    var sentDataBytes: UInt64 = 0
    var sendLimit: UInt64

    /// Whether the peer asked for no more streams.
    package internal(set) var isPeerDraining = false
    /// Whether this end has asked for no more streams.
    var isDraining = false
    /// Why the session is over, for good; nil while it is not.
    package internal(set) var closeReason: CloseReason?

    /// A session that has just been agreed on, over a link that is there.
    package init(
        role: SessionRole,
        configuration: SessionConfiguration,
        peerLimits: SessionLimits,
        now: Instant
    ) {
        self.role = role
        self.configuration = configuration
        self.peerLimits = peerLimits
        self.log = SendLog(
            maximumDataBytes: min(
                Int(peerLimits.sessionWindowBytes),
                configuration.maximumUnacknowledgedBytes
            )
        )
        self.link = LinkState(now: now)
        self.nextStreamID = role == .connector ? 1 : 2
        let window = Int(configuration.limits.sessionWindowBytes)
        self.receiveWindow = ReceiveWindow(windowBytes: window, maximumBytes: window, now: now)
        self.sendLimit = UInt64(peerLimits.sessionWindowBytes)
    }

    /// Whether the session is over: frames and commands are dropped from then on.
    package var isClosed: Bool { self.closeReason != nil }

    /// The streams that are not closed, of both ends.
    package var streamCount: Int { self.streams.count }

    /// The streams that are not closed, in no order.
    package var openStreams: some Sequence<SessionStream> { self.streams.values }

    /// DATA bytes received that no reader has consumed.
    package var bufferedBytes: Int { self.receiveWindow.buffered }

    /// DATA bytes in the log that the peer has not acknowledged.
    package var unacknowledgedBytes: Int { self.log.dataBytes }

    /// Whether ``open(head:owner:now:)`` would be granted.
    package var canOpen: Bool {
        !self.isClosed && !self.isPeerDraining && self.openedHere < self.peerLimits.streams
    }

    /// The events since the last call, in order.
    package mutating func takeEvents() -> [SessionEvent] {
        var taken: [SessionEvent] = []
        swap(&taken, &self.events)
        return taken
    }

    /// Whether ``takeEvents()`` would yield any.
    package var hasEvents: Bool { !self.events.isEmpty }

    /// The streams that were closed since the last call. No event follows for those whose events have
    /// been taken: what hangs on them can go.
    package mutating func takeClosedStreams() -> [SessionStream] {
        var taken: [SessionStream] = []
        swap(&taken, &self.closedStreams)
        return taken
    }

    // MARK: Commands of the owner

    /// Opens a stream with a head section; nil when ``canOpen`` is false.
    package mutating func open(
        head: ByteBuffer,
        owner: AnyObject? = nil,
        now: Instant
    ) -> SessionStream? {
        guard self.canOpen else { return nil }
        let id = StreamID(rawValue: self.nextStreamID)
        self.nextStreamID += 2
        self.openedHere += 1
        let stream = self.makeStream(id, isOpenedHere: true, now: now)
        stream.owner = owner
        self.streams[id] = stream
        self.queue(.head(head), on: stream, now: now)
        return stream
    }

    /// Queues a further head section: the accepting end's answer, or an interim one before it. Interim
    /// ones beyond ``WireLimits/interimHeads`` are left out: an origin's flood of them must not break
    /// the session.
    package mutating func send(head: ByteBuffer, on stream: SessionStream, now: Instant) {
        if head.isInterimHead {
            guard stream.outgoing.interimHeads < WireLimits.interimHeads else { return }
            stream.outgoing.interimHeads += 1
        }
        self.queue(.head(head), on: stream, now: now)
    }

    /// Queues body bytes. The owner keeps what waits within its limit, by counting what it queues and
    /// what is reported as sent.
    package mutating func send(data: ByteBuffer, on stream: SessionStream, now: Instant) {
        guard data.readableBytes > 0 else { return }
        self.queue(.data(data), on: stream, now: now)
    }

    /// Queues a trailer section and ends this direction.
    package mutating func send(trailers: ByteBuffer, on stream: SessionStream, now: Instant) {
        self.queue(.trailers(trailers), on: stream, now: now)
    }

    /// Ends this direction.
    package mutating func sendEnd(on stream: SessionStream, now: Instant) {
        self.queue(.end, on: stream, now: now)
    }

    private mutating func queue(
        _ piece: SessionStream.Outgoing.Piece,
        on stream: SessionStream,
        now: Instant
    ) {
        guard !stream.isClosed else { return }
        guard !stream.outgoing.isEndQueued else {
            assertionFailure("a piece after the end of stream \(stream.id)")
            return
        }
        switch piece {
        case .trailers, .end, .reset: stream.outgoing.isEndQueued = true
        case .data(let bytes):
            if stream.outgoing.joinLast(bytes) { return self.schedule(stream, now: now) }
        case .head: break
        }
        stream.outgoing.queue.append(piece)
        self.schedule(stream, now: now)
    }

    /// The reader is done with body bytes: the peer may send as many more.
    ///
    /// Also after the stream was closed, for what it still held.
    package mutating func consumed(_ bytes: Int, on stream: SessionStream, now: Instant) {
        guard !self.isClosed else { return }
        let before = stream.incoming.window.buffered
        let window = stream.incoming.window.windowBytes
        stream.incoming.lastTaken = now
        let limit = stream.incoming.window.consume(
            bytes,
            roundTrip: self.link.roundTrip,
            mayGrow: self.mayGrow(stream),
            now: now
        )
        self.grownBytes += stream.isClosed ? 0 : stream.incoming.window.windowBytes - window
        if let limit, !stream.isClosed, stream.incoming.phase != .over {
            self.control.append(
                LoggedFrame(
                    type: .streamCredit,
                    flags: [],
                    stream: stream.id,
                    payload: .integer(limit)
                )
            )
        }
        self.consumedBySession(before - stream.incoming.window.buffered, now: now)
    }

    /// Windows that have grown share half of the session's, so that no few readers that stop, with all
    /// that theirs let in, take it from everybody.
    private func mayGrow(_ stream: SessionStream) -> Bool {
        let half = self.receiveWindow.windowBytes / 2
        return self.receiveWindow.buffered < Int(half)
            && self.grownBytes + stream.incoming.window.windowBytes <= half
    }

    mutating func consumedBySession(_ bytes: Int, now: Instant) {
        guard bytes > 0 else { return }
        let limit = self.receiveWindow.consume(bytes, roundTrip: nil, mayGrow: false, now: now)
        if let limit { self.grantToSession(limit) } else { self.grantIfScarce(now: now) }
    }

    /// Keeps the peer's credit for the session from running out while there is room.
    mutating func grantIfScarce(now: Instant) {
        guard self.receiveWindow.isScarce else { return }
        self.grantToSession(self.receiveWindow.grant(now: now))
    }

    mutating func grantToSession(_ limit: UInt64) {
        self.control.append(
            LoggedFrame(type: .sessionCredit, flags: [], stream: .session, payload: .integer(limit))
        )
    }

    /// Gives a stream up in both directions; no event follows for it, not even one that was waiting to
    /// be taken, and what its reader still held counts as consumed.
    ///
    /// An accepting end still gets across what it has queued of its answer. The reset follows: after a
    /// whole answer it says that the rest of the request is not wanted, else that the answer breaks off
    /// there.
    package mutating func reset(_ stream: SessionStream, code: ResetCode) {
        guard !self.isClosed else { return }
        self.discardIncoming(of: stream)
        guard !stream.isClosed else { return }
        if !self.isOwn(stream.id), !stream.outgoing.queue.isEmpty {
            stream.outgoing.queueReset(code)
            return
        }
        if stream.outgoing.hasBegun || !self.isOwn(stream.id) {
            self.control.append(Self.resetFrame(stream.id, code))
        }
        self.close(stream)
    }

    static func resetFrame(_ id: StreamID, _ code: ResetCode) -> LoggedFrame {
        var payload = ByteBuffer()
        payload.writeMultipleIntegers(code.rawValue, 0 as UInt16)
        return LoggedFrame(type: .reset, flags: [], stream: id, payload: .bytes(payload))
    }

    /// Asks the peer to open no more streams.
    package mutating func startDraining() {
        guard !self.isClosed, !self.isDraining else { return }
        self.isDraining = true
        self.control.append(
            LoggedFrame(type: .drain, flags: [], stream: .session, payload: .none)
        )
    }

    /// Whether this end is draining, has no stream left, and the peer has acknowledged all it sent: it
    /// can be closed with nothing lost.
    package var isDrained: Bool {
        self.isDraining && self.streams.isEmpty && self.control.isEmpty
            && self.log.count == 0
    }

    /// Ends the session for good; its streams fail, the peer is told if a link is there.
    package mutating func close(_ code: CloseCode, reason: String) {
        guard !self.isClosed else { return }
        var payload = ByteBuffer()
        let text = reason.prefix(utf8Bytes: 512)
        payload.writeMultipleIntegers(code.rawValue, UInt16(text.utf8.count))
        payload.writeSubstring(text)
        self.finish(.closedHere(code))
        self.control = [
            LoggedFrame(type: .close, flags: [], stream: .session, payload: .bytes(payload))
        ]
    }

    // MARK: Streams

    func isOwn(_ id: StreamID) -> Bool { id.rawValue & 1 == (self.role == .connector ? 1 : 0) }

    mutating func makeStream(
        _ id: StreamID,
        isOpenedHere: Bool,
        now: Instant
    ) -> SessionStream {
        SessionStream(
            id: id,
            sendLimit: UInt64(self.peerLimits.streamWindowBytes),
            receiveWindow: ReceiveWindow(
                windowBytes: Int(self.configuration.limits.streamWindowBytes),
                maximumBytes: self.configuration.maximumStreamWindowBytes,
                now: now
            ),
            isOpenedHere: isOpenedHere,
            now: now
        )
    }

    /// Closes a stream whose both directions are over.
    mutating func closeIfComplete(_ stream: SessionStream) {
        guard stream.outgoing.isOver, stream.incoming.phase == .over else { return }
        self.close(stream)
    }

    mutating func close(_ stream: SessionStream) {
        guard !stream.isClosed else { return }
        stream.isClosed = true
        stream.outgoing.queue.removeAll()
        stream.incoming.section = nil
        self.grownBytes -= stream.incoming.window.grownBytes
        if self.isOwn(stream.id) { self.openedHere -= 1 } else { self.openedByPeer -= 1 }
        self.streams[stream.id] = nil
        self.closedStreams.append(stream)
        self.scheduler.noteClosed(stream)
    }

    /// Delivers nothing more of the peer's direction: its DATA counts as consumed when it comes, and
    /// so does what the owner, or an event that was not taken, still holds. The owner may say so again.
    mutating func discardIncoming(of stream: SessionStream) {
        guard !stream.incoming.isDiscarding else { return }
        stream.incoming.isDiscarding = true
        stream.incoming.section = nil
        self.events.removeAll { $0.stream === stream }
        let now = self.link.lastReceived
        let held = stream.incoming.window.buffered
        _ = stream.incoming.window.consume(held, roundTrip: nil, mayGrow: false, now: now)
        self.consumedBySession(held, now: now)
    }

    /// Whether the stream waits here for its first frame to go out.
    func isUnknownToPeer(_ stream: SessionStream) -> Bool {
        self.isOwn(stream.id) && !stream.outgoing.hasBegun
    }

    /// The peer takes no more streams: those it has not heard of go elsewhere.
    ///
    /// So an acknowledged DRAIN means that no stream is still to come, see ``isDrained``.
    mutating func peerDrains() {
        guard !self.isPeerDraining else { return }
        self.isPeerDraining = true
        self.events.append(.peerDraining)
        let waiting = self.streams.values.filter { self.isUnknownToPeer($0) }
        for stream in waiting.sorted(by: { $0.id < $1.id }) {
            self.close(stream)
            self.events.append(.reset(stream, .refused))
        }
    }

    /// Ends the session and fails its streams.
    mutating func finish(_ reason: CloseReason) {
        guard self.closeReason == nil else { return }
        self.closeReason = reason
        let code: ResetCode =
            switch reason {
            case .closedHere(.shutdown): .sessionStopped
            case .closedHere, .closedByPeer: .sessionClosed
            case .expired, .protocolError: .sessionLost
            }
        for stream in self.streams.values.sorted(by: { $0.id < $1.id }) {
            if !stream.incoming.isDiscarding {
                let isUntouched = self.isUnknownToPeer(stream)
                self.events.append(.reset(stream, isUntouched ? .refused : code))
            }
            stream.isClosed = true
            stream.outgoing.queue.removeAll()
            self.closedStreams.append(stream)
        }
        self.streams = [:]
        self.openedHere = 0
        self.openedByPeer = 0
        self.control.removeAll()
        self.management = ManagementFrames()
        self.events.append(.closed(reason))
    }
}

extension String {
    /// The longest beginning, in whole scalars, of at most so many bytes of UTF-8.
    fileprivate func prefix(utf8Bytes limit: Int) -> Substring {
        guard self.utf8.count > limit else { return self[...] }
        var end = self.utf8.index(self.startIndex, offsetBy: limit)
        while end.samePosition(in: self.unicodeScalars) == nil { self.utf8.formIndex(before: &end) }
        return self[..<end]
    }
}
