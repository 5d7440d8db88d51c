internal import TunnelWire

extension Session {
    /// How often a session under pressure looks for streams to give up.
    private static let reliefInterval = Interval.seconds(1)

    /// Whether so much of the window waits for readers that soon nobody could be sent anything: many
    /// stalled streams, each within its own window, take the session's.
    private var isUnderPressure: Bool {
        self.receiveWindow.buffered > Int(self.receiveWindow.windowBytes / 4 * 3)
    }

    /// DATA was counted: relief may have become due.
    mutating func notePressure(now: Instant) {
        if self.reliefDue == nil, self.isUnderPressure { self.reliefDue = now }
    }

    /// Gives up the streams whose readers have taken nothing for the stall timeout, the longest
    /// first, until half the window is free.
    mutating func relieve(now: Instant) {
        guard let due = self.reliefDue, now >= due else { return }
        guard self.isUnderPressure else {
            self.reliefDue = nil
            return
        }
        self.reliefDue = now + Self.reliefInterval
        let stalled = self.streams.values.filter {
            $0.incoming.window.buffered > 0
                && now >= $0.incoming.lastTaken + self.configuration.stallTimeout
        }
        let order = stalled.sorted {
            ($0.incoming.lastTaken, $0.id) < ($1.incoming.lastTaken, $1.id)
        }
        guard !order.isEmpty else { return }
        for stream in order {
            guard self.receiveWindow.buffered > Int(self.receiveWindow.windowBytes / 2) else {
                break
            }
            self.giveUp(stream)
        }
        // Not only when half a window has come together: what is left may be next to nothing.
        self.grantToSession(self.receiveWindow.grant(now: now))
    }

    private mutating func giveUp(_ stream: SessionStream) {
        self.discardIncoming(of: stream)
        self.control.append(Self.resetFrame(stream.id, .overLimit))
        self.close(stream)
        self.events.append(.reset(stream, .overLimit))
    }
}
