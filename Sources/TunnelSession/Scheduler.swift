internal import DequeModule

/// Which stream sends next: light ones first, then bulk ones in turn.
///
/// A stream is *light* until it has sent 32 KiB lately; that debt is forgiven at 32 KiB for each
/// second in which the stream has nothing to send, so that small answers, events and keystrokes
/// pass a download that fills the link. Bulk streams take turns of 16,000 bytes. Light streams that
/// fill the link themselves leave one byte in five to bulk ones, so that nobody starves.
struct Scheduler {
    static let lightBytes = 32 << 10
    static let forgivenBytesPerSecond: UInt64 = 32 << 10
    /// A debt is never larger, so that a stream that pauses is light again after four seconds.
    static let largestDebtBytes = 160 << 10
    static let turnBytes = 16_000
    static let lightTurnsPerBulkTurn = 4

    private var light = Deque<SessionStream>()
    private var bulk = Deque<SessionStream>()
    private var waitingForSessionCredit: [SessionStream] = []
    private var lightBytesSinceBulk = 0
    /// Streams in a queue that were closed since it was last swept.
    private var closedCount = 0

    var isEmpty: Bool { self.light.isEmpty && self.bulk.isEmpty }

    /// Puts a stream that has something to send behind the others of its kind; no effect on one that
    /// is in a queue already.
    mutating func add(_ stream: SessionStream, now: Instant) {
        guard stream.turn.queue == .none else { return }
        stream.forgive(now: now)
        self.enqueue(stream)
    }

    private mutating func enqueue(_ stream: SessionStream) {
        if stream.turn.recentBytes < Self.lightBytes {
            stream.turn.queue = .light
            self.light.append(stream)
        } else {
            stream.turn.queue = .bulk
            // What the last turn went over is taken off this one: equal shares for unequal frames.
            stream.turn.deficit = min(stream.turn.deficit, 0) + Self.turnBytes
            self.bulk.append(stream)
        }
    }

    /// A stream was closed that may be in a queue. It leaves with its turn, or when as many have gathered
    /// as are still open: a queue that does not move (no link, no credit) must not keep them all.
    mutating func noteClosed(_ stream: SessionStream) {
        guard stream.turn.queue != .none else { return }
        self.closedCount += 1
        let total = self.light.count + self.bulk.count + self.waitingForSessionCredit.count
        guard self.closedCount >= 64, self.closedCount * 2 > total else { return }
        self.closedCount = 0
        self.light.removeAll { $0.isClosed }
        self.bulk.removeAll { $0.isClosed }
        self.waitingForSessionCredit.removeAll { $0.isClosed }
    }

    /// The stream whose turn it is; tell the outcome with ``served(_:bytes:hasMore:)`` or
    /// ``park(_:)``. Streams that were closed while they waited are dropped.
    mutating func next() -> SessionStream? {
        while let stream = self.front {
            guard stream.isClosed else { return stream }
            self.removeFront(stream)
        }
        return nil
    }

    private var front: SessionStream? {
        let isBulkDue =
            self.lightBytesSinceBulk >= Self.turnBytes * Self.lightTurnsPerBulkTurn
        if isBulkDue, let stream = self.bulk.first { return stream }
        return self.light.first ?? self.bulk.first
    }

    private mutating func removeFront(_ stream: SessionStream) {
        if stream.turn.queue == .bulk {
            self.bulk.removeFirst()
        } else {
            self.light.removeFirst()
        }
        stream.turn.queue = .none
    }

    /// The front stream sent so many bytes and has more to send, or not.
    mutating func served(_ stream: SessionStream, bytes: Int, hasMore: Bool, now: Instant) {
        // Nothing is forgiven for the time it waited its turn: on a slow link with many downloads each
        // would be light again by the time it is served, and pass for a newcomer.
        stream.turn.lastSent = now
        stream.turn.recentBytes = min(stream.turn.recentBytes + bytes, Self.largestDebtBytes)
        if stream.turn.queue == .bulk {
            self.lightBytesSinceBulk = max(
                0,
                self.lightBytesSinceBulk - bytes * Self.lightTurnsPerBulkTurn
            )
            stream.turn.deficit -= bytes
            guard !hasMore || stream.turn.deficit <= 0 else { return }
        } else {
            if !self.bulk.isEmpty { self.lightBytesSinceBulk += bytes }
        }
        self.removeFront(stream)
        if hasMore { self.enqueue(stream) }
    }

    /// The front stream waits for credit of the session.
    mutating func park(_ stream: SessionStream) {
        self.removeFront(stream)
        stream.turn.queue = .sessionCredit
        self.waitingForSessionCredit.append(stream)
    }

    /// The session has credit again.
    mutating func unparkAll(now: Instant) {
        let streams = self.waitingForSessionCredit
        self.waitingForSessionCredit = []
        for stream in streams {
            stream.turn.queue = .none
            guard !stream.isClosed else { continue }
            self.add(stream, now: now)
        }
    }
}

extension SessionStream {
    /// Lets the debt of recent bytes fall with the time that has passed.
    fileprivate func forgive(now: Instant) {
        guard self.turn.recentBytes > 0, let last = self.turn.lastSent else {
            self.turn.lastSent = now
            return
        }
        let elapsed = min((now - last).nanoseconds, 60_000_000_000)
        let forgiven = elapsed * Scheduler.forgivenBytesPerSecond / 1_000_000_000
        // A time too short to forgive a byte must not be lost.
        guard forgiven > 0 else { return }
        self.turn.recentBytes = max(0, self.turn.recentBytes - Int(forgiven))
        self.turn.lastSent = now
    }
}
