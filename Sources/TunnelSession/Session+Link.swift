package import TunnelWire

/// The link a session has, or waits for.
struct LinkState {
    var isUp = true
    /// When the link came, or was lost.
    var since: Instant
    var lastReceived: Instant
    var lastPing: Instant?
    var pingsSent: UInt64 = 0
    var pingDue = true
    var pongDue: UInt64?
    /// The smallest round trip measured on this link.
    var roundTrip: Interval?
    var isReportedDead = false

    init(now: Instant) {
        self.since = now
        self.lastReceived = now
    }
}

/// What has been processed and not yet acknowledged.
struct Acknowledgement {
    static let dataBytes = 64 << 10
    static let frames = 256

    var pendingFrames = 0
    var pendingDataBytes = 0
    var since: Instant?
    /// Whether it has waited long enough.
    var isOverdue = false

    /// Whether it should go out without waiting for company.
    var isUrgent: Bool {
        self.isOverdue || self.pendingFrames >= Self.frames
            || self.pendingDataBytes >= Self.dataBytes
    }
}

extension Session {
    /// Whether a link is there.
    package var hasLink: Bool { self.link.isUp }

    /// Bytes arrived on the link, whatever they were.
    package mutating func linkReceived(now: Instant) { self.link.lastReceived = now }

    /// The link is gone; the session waits for another one for its resume window.
    package mutating func linkWasLost(now: Instant) {
        guard self.link.isUp else { return }
        self.link = LinkState(now: now)
        self.link.isUp = false
        self.acknowledgement = Acknowledgement()
    }

    /// Goes on over a new link; what the peer has not processed is sent again.
    ///
    /// Call ``linkWasLost(now:)`` first, if the old link is still there. `peerProcessed` is the peer's
    /// own count, from its LOGIN or WELCOME.
    ///
    /// - Throws: `badCount` when the peer claims what was never sent, or forgot what it had
    ///   acknowledged; the session is then over.
    package mutating func resume(peerProcessed: UInt64, now: Instant) throws(WireError) {
        guard !self.isClosed else { return }
        do {
            try self.log.rewind(toProcessed: peerProcessed)
        } catch {
            self.finish(.protocolError(error))
            throw error
        }
        self.link = LinkState(now: now)
        self.acknowledgement = Acknowledgement()
    }

    /// The session cannot be resumed: the peer does not know it any more.
    package mutating func expire() { self.finish(.expired) }

    /// When ``timePassed(now:)`` wants to be called next; nil when never.
    package var deadline: Instant? {
        guard !self.isClosed else { return nil }
        guard self.link.isUp else { return self.link.since + self.configuration.resumeWindow }
        var deadline = self.link.lastReceived + self.configuration.livenessTimeout
        if self.link.isReportedDead { return nil }
        if let reliefDue { deadline = min(deadline, reliefDue) }
        if !self.link.pingDue { deadline = min(deadline, self.nextPing) }
        // One that is urgent waits for the link, not for time: a timer would only spin.
        if let since = self.acknowledgement.since, !self.acknowledgement.isUrgent {
            deadline = min(deadline, since + self.configuration.acknowledgementDelay)
        }
        return deadline
    }

    /// The edge asks all the time, and a connector when it is not asked any more: one of the two is
    /// enough to tell both, and a thousand connectors that idle make half the work.
    private var nextPing: Instant {
        let last = self.link.lastPing ?? self.link.since
        let interval = self.configuration.pingInterval
        return switch self.role {
        case .edge: last + interval
        case .connector:
            max(last, self.link.lastReceived)
                + Interval(nanoseconds: interval.nanoseconds / 2 * 3)
        }
    }

    /// Does what is due by now; afterwards look at ``wantsToSend(now:)`` and ``takeEvents()``.
    package mutating func timePassed(now: Instant) {
        guard !self.isClosed else { return }
        guard self.link.isUp else {
            if now >= self.link.since + self.configuration.resumeWindow { self.finish(.expired) }
            return
        }
        if let since = self.acknowledgement.since,
            now >= since + self.configuration.acknowledgementDelay
        {
            self.acknowledgement.isOverdue = true
        }
        self.relieve(now: now)
        if now >= self.link.lastReceived + self.configuration.livenessTimeout {
            if !self.link.isReportedDead { self.events.append(.linkIsDead) }
            self.link.isReportedDead = true
        } else if now >= self.nextPing {
            self.link.pingDue = true
        }
    }

    mutating func receivePong(_ value: UInt64, now: Instant) {
        guard value == self.link.pingsSent, let sent = self.link.lastPing else { return }
        let sample = now - sent
        self.link.roundTrip = self.link.roundTrip.map { min($0, sample) } ?? sample
    }
}
