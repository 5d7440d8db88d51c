/// Decides how many streams an HTTP/2 connection to an origin may carry, and when it has served its
/// time; no I/O, no clock.
///
///     connecting ──SETTINGS──▶ open ──GOAWAY, ids used up──▶ leaving ──last stream ended──▶ closed
///
/// What the origin may do wrong (a limit of no streams, one that falls below what is open) is
/// answered by an action; a stream that is opened without room is our own fault, and asserted.
struct HTTP2ConnectionMachine: ~Copyable {
    private enum State: Equatable {
        /// The origin's SETTINGS have not come: it may be no HTTP/2 server at all.
        case connecting
        case open
        /// It takes no more streams; those it has go on.
        case leaving
        case closed
    }

    private static let maximumStreamID = Int(Int32.max)

    private var state = State.connecting
    private let ownLimit: Int
    private var limit: Int
    private var nextStreamID = 1
    private(set) var openStreams = 0

    /// - Parameter limit: the most streams at a time, whatever the origin allows.
    init(limit: Int) {
        self.ownLimit = limit
        self.limit = limit
    }

    /// Whether a stream may be opened.
    var hasRoom: Bool { self.state == .open && self.openStreams < self.limit }
    var isReady: Bool { self.state == .open || self.state == .leaving }
    /// Whether a stream has been opened before.
    var isUsed: Bool { self.nextStreamID > 1 }

    enum SettingsAction: Equatable {
        /// The first ones: it is HTTP/2, streams may be opened.
        case ready
        /// There may be more room than before.
        case changed
        /// The first ones leave no room for a single stream.
        case useless
        case nothing
    }

    /// The origin's SETTINGS; `maximumStreams` is nil when they do not name it (RFC 9113 §6.5.2).
    mutating func receivedSettings(maximumStreams: Int?) -> SettingsAction {
        if let maximumStreams { self.limit = min(maximumStreams, self.ownLimit) }
        switch self.state {
        case .connecting where self.limit <= 0:
            self.state = .closed
            return .useless
        case .connecting:
            self.state = .open
            return .ready
        case .open: return .changed
        case .leaving, .closed: return .nothing
        }
    }

    /// Opens a stream.
    ///
    /// - Returns: its id, odd and higher than any before (RFC 9113 §5.1.1).
    mutating func openStream() -> Int {
        assert(self.hasRoom)
        let id = self.nextStreamID
        self.nextStreamID += 2
        self.openStreams += 1
        if self.nextStreamID > Self.maximumStreamID { self.state = .leaving }
        return id
    }

    enum StreamEndAction: Equatable {
        /// Another stream may be opened.
        case offer
        /// The same, and none is open.
        case idle
        /// None is open, and none will be.
        case close
        case nothing
    }

    /// A stream is over. `isRefused`: by REFUSED_STREAM, so that the origin takes fewer than it said;
    /// it is given no more than are open now until its next SETTINGS.
    mutating func streamEnded(isRefused: Bool = false) -> StreamEndAction {
        assert(self.openStreams > 0)
        self.openStreams -= 1
        if isRefused { self.limit = max(1, min(self.limit, self.openStreams)) }
        switch self.state {
        case .open where self.openStreams == 0: return .idle
        case .open where self.hasRoom: return .offer
        case .leaving where self.openStreams == 0:
            self.state = .closed
            return .close
        case .connecting, .open, .leaving, .closed: return .nothing
        }
    }

    enum GoAwayAction: Equatable {
        /// Streams beyond the last id are lost, the others go on.
        case leave
        case nothing
    }

    /// The origin's GOAWAY, which may come more than once (RFC 9113 §6.8).
    mutating func receivedGoAway() -> GoAwayAction {
        guard self.state != .closed else { return .nothing }
        self.state = .leaving
        return .leave
    }

    /// The connection is gone, or is being closed.
    mutating func closed() { self.state = .closed }
}
