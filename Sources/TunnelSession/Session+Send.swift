internal import DequeModule
internal import NIOCore
internal import TunnelWire

extension Session {
    /// A DATA frame is not begun in less room than this, so that a message's tail makes no crumbs.
    private static let leastDataRoom = FrameHeader.byteCount + 512

    /// No logged frame is larger, so that each fits into a message beside ACK, PONG and PING: one that
    /// is sent again over the next link would otherwise wait for a message that needs none of them.
    private static let largestFrame = WireLimits.messageBytes - 3 * (FrameHeader.byteCount + 8)

    /// Whether ``nextMessage(into:target:now:)`` would yield something.
    package func wantsToSend(now: Instant) -> Bool {
        guard self.link.isUp else { return false }
        if let reason = self.closeReason {
            // What came before this end's own CLOSE still goes; any other end is silent at once.
            guard case .closedHere = reason else { return false }
            return self.log.hasUntransmitted || !self.control.isEmpty
        }
        if self.log.hasUntransmitted { return true }
        if self.hasControlFrames, !self.log.isFull { return true }
        if self.link.pingDue || self.link.pongDue != nil || self.acknowledgement.isUrgent {
            return true
        }
        if let since = self.acknowledgement.since,
            now >= since + self.configuration.acknowledgementDelay
        {
            return true
        }
        return !self.log.isFull && !self.scheduler.isEmpty
    }

    /// Fills `buffer` with whole frames for one message of the link.
    ///
    /// The buffer has at least ``WireLimits/messageBytes`` of room. No new DATA is begun beyond `target`
    /// bytes: less than the room on a slow link, where a full message takes long enough to be felt.
    ///
    /// - Returns: the bytes filled; 0 when there is nothing to send.
    package mutating func nextMessage(
        into buffer: UnsafeMutableRawBufferPointer,
        target: Int = WireLimits.messageBytes,
        now: Instant
    ) -> Int {
        guard self.link.isUp, self.wantsToSend(now: now) else { return 0 }
        var message = MessageWriter(buffer: buffer)
        self.writeLinkFrames(to: &message, now: now)
        while true {
            while let frame = self.log.next {
                guard message.write(frame) else { return self.finishMessage(message) }
                self.log.advance()
            }
            // CLOSE goes even into a full log: nothing comes after it.
            guard !self.log.isFull || self.isClosed else { break }
            self.queueManagement()
            if let frame = self.control.first {
                guard message.room >= frame.byteCount else { break }
                self.control.removeFirst()
                self.log.append(frame)
            } else {
                guard !self.isClosed else { break }
                let room = min(message.room, target - message.count)
                guard room >= Self.leastDataRoom || message.count == 0,
                    self.logNextPiece(
                        room: min(max(room, Self.leastDataRoom), Self.largestFrame),
                        now: now
                    )
                else { break }
            }
        }
        return self.finishMessage(message)
    }

    private mutating func finishMessage(_ message: MessageWriter) -> Int {
        for stream in self.reportDue {
            guard !stream.isClosed || stream.outgoing.unreportedBytes > 0 else { continue }
            self.events.append(.sent(stream, bytes: stream.outgoing.unreportedBytes))
            stream.outgoing.unreportedBytes = 0
        }
        self.reportDue.removeAll(keepingCapacity: true)
        return message.count
    }

    /// ACK, PONG and PING: what belongs to the link and is not logged.
    private mutating func writeLinkFrames(to message: inout MessageWriter, now: Instant) {
        if self.acknowledgement.pendingFrames > 0 {
            message.write(.ack, integer: self.processed)
            self.acknowledgement = Acknowledgement()
        }
        if let value = self.link.pongDue {
            message.write(.pong, integer: value)
            self.link.pongDue = nil
        }
        if self.link.pingDue {
            self.link.pingDue = false
            self.link.pingsSent += 1
            self.link.lastPing = now
            message.write(.ping, integer: self.link.pingsSent)
        }
    }

    // MARK: Streams

    /// Lets a stream take part in the scheduling if it has something it may send.
    mutating func schedule(_ stream: SessionStream, now: Instant) {
        guard !stream.isClosed, stream.outgoing.isReady else { return }
        self.scheduler.add(stream, now: now)
    }

    /// Moves the next piece, by the scheduler's choice, into the log; false when there is none.
    private mutating func logNextPiece(room: Int, now: Instant) -> Bool {
        while let stream = self.scheduler.next() {
            let sessionCredit = Int(self.sendLimit - self.sentDataBytes)
            guard stream.outgoing.isReady else {
                self.scheduler.served(stream, bytes: 0, hasMore: false, now: now)
                continue
            }
            if case .data = stream.outgoing.queue.first, sessionCredit == 0 {
                self.scheduler.park(stream)
                continue
            }
            let frame = stream.outgoing.take(
                id: stream.id,
                room: room - FrameHeader.byteCount,
                sessionCredit: sessionCredit
            )
            guard let frame else {
                self.scheduler.served(stream, bytes: 0, hasMore: false, now: now)
                continue
            }
            self.log.append(frame)
            if frame.type == .data { self.countSent(frame.payloadBytes, of: stream) }
            self.scheduler.served(
                stream,
                bytes: frame.byteCount,
                hasMore: stream.outgoing.isReady,
                now: now
            )
            if stream.outgoing.isOver { self.sendDirectionEnded(stream) }
            return true
        }
        return false
    }

    private mutating func countSent(_ bytes: Int, of stream: SessionStream) {
        self.sentDataBytes += UInt64(bytes)
        let before = stream.outgoing.unreportedBytes
        stream.outgoing.unreportedBytes += bytes
        if before < SessionStream.reportedBytes,
            stream.outgoing.unreportedBytes >= SessionStream.reportedBytes
        {
            self.reportDue.append(stream)
        }
    }

    private mutating func sendDirectionEnded(_ stream: SessionStream) {
        if stream.outgoing.isBrokenOff {
            self.close(stream)
        } else if let code = stream.outgoing.resetAfterEnd {
            if stream.incoming.phase != .over {
                self.control.append(Self.resetFrame(stream.id, code))
            }
            self.close(stream)
        } else {
            self.closeIfComplete(stream)
        }
    }
}

extension SessionStream {
    /// ``SessionEvent/sent(_:bytes:)`` comes for at least so many bytes at a time; an owner whose limit
    /// is twice that or more is never left waiting.
    package static let reportedBytes = 32 << 10
}

extension SessionStream.Outgoing {
    /// Whether the first piece may be sent as far as the stream's own credit goes.
    var isReady: Bool {
        switch self.queue.first {
        case nil: false
        case .data: self.credit > 0
        case .head, .trailers, .end, .reset: true
        }
    }

    /// Takes a frame off the queue, of at most `room` bytes of payload; nil when credit forbids.
    mutating func take(id: StreamID, room: Int, sessionCredit: Int) -> LoggedFrame? {
        guard let piece = self.queue.popFirst() else { return nil }
        self.hasBegun = true
        switch piece {
        case .head(let section):
            return self.takeSection(section, .head, id: id, room: room)
        case .trailers(let section):
            return self.takeSection(section, .trailers, id: id, room: room)
        case .end:
            self.isOver = true
            return LoggedFrame(type: .data, flags: .end, stream: id, payload: .none)
        case .reset(let code):
            self.isOver = true
            self.isBrokenOff = true
            return Session.resetFrame(id, code)
        case .data(var bytes):
            let count = min(bytes.readableBytes, room, self.credit, sessionCredit)
            guard count > 0, let slice = bytes.readSlice(length: count) else {
                self.queue.prepend(piece)
                return nil
            }
            self.sentBytes += UInt64(count)
            if bytes.readableBytes > 0 { self.queue.prepend(.data(bytes)) }
            return LoggedFrame(
                type: .data,
                flags: self.takeEnd() ? .end : [],
                stream: id,
                payload: .bytes(slice)
            )
        }
    }

    private mutating func takeSection(
        _ section: ByteBuffer,
        _ type: FrameType,
        id: StreamID,
        room: Int
    ) -> LoggedFrame? {
        var rest = section
        var flags: FrameFlags = []
        let payload = rest.readSlice(length: min(room, rest.readableBytes)) ?? ByteBuffer()
        if rest.readableBytes > 0 {
            flags = .more
            self.queue.prepend(type == .head ? .head(rest) : .trailers(rest))
        } else if type == .trailers {
            self.isOver = true
        } else if self.takeEnd() {
            flags = .end
        }
        return LoggedFrame(type: type, flags: flags, stream: id, payload: .bytes(payload))
    }

    /// Takes the end off the queue if it is all that is left, so that the last frame carries it.
    private mutating func takeEnd() -> Bool {
        guard case .end = self.queue.first else { return false }
        self.queue.removeAll()
        self.isOver = true
        return true
    }
}

/// Lays frames side by side in a message.
struct MessageWriter {
    let buffer: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    var room: Int { min(self.buffer.count, WireLimits.messageBytes) - self.count }

    /// Writes a frame if it fits.
    mutating func write(_ frame: LoggedFrame) -> Bool {
        guard self.room >= frame.byteCount else { return false }
        frame.write(to: UnsafeMutableRawBufferPointer(rebasing: self.buffer[self.count...]))
        self.count += frame.byteCount
        return true
    }

    mutating func write(_ type: FrameType, integer: UInt64) {
        let frame = LoggedFrame(type: type, flags: [], stream: .session, payload: .integer(integer))
        _ = self.write(frame)
    }
}
