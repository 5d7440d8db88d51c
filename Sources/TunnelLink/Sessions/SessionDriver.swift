internal import Logging
internal import NIOCore
internal import Synchronization
package import TunnelSession
internal import TunnelTransport
package import TunnelWire

/// Whether a session can be used, as other threads see it.
package enum SessionAvailability: UInt8, AtomicRepresentable, Sendable {
    /// A link is there.
    case connected
    /// The link was lost; streams wait for another.
    case waiting
    /// The peer takes no new streams.
    case draining
    /// Over for good; nothing follows.
    case closed
}

/// Streams of a session, or of an event loop, that are under way, for balancing; any thread.
package final class StreamCount: Sendable {
    private let streams = Atomic<Int>(0)

    /// None under way.
    package init() {}

    /// Streams at about this moment: good enough to compare loads, not to enforce a limit.
    package var count: Int { self.streams.load(ordering: .relaxed) }

    func increment() { self.streams.add(1, ordering: .relaxed) }

    func decrement() { self.streams.subtract(1, ordering: .relaxed) }
}

/// One session beside what carries it: the current link on one side, streams on event loops on the
/// other.
///
/// SAFETY: `session`, `link` and what is private belong to the transport's turns; `load` and
/// `availability` are atomic; the rest is constant.
package final class SessionDriver: @unchecked Sendable {
    /// Chosen by the edge at the session's first login; the same over all its links.
    package let id: SessionID
    /// Ed25519, 32 bytes: the peer's on an edge, one's own on a connector.
    package let publicKey: [UInt8]
    /// Its streams that are not over, whichever end opened them; any thread.
    package let load = StreamCount()
    private let state = Atomic<SessionAvailability>(.connected)

    var session: Session
    private(set) var link: TunnelConnection?
    private unowned let host: SessionHost
    /// Takes the streams that the peer opens; nil refuses them.
    let acceptor: (any StreamAcceptor)?
    private let logger: Logger
    private var isDirty = false
    private var isLookedAfter = false
    private var pace = LinkPace()
    /// What the connector has been told, or is about to be.
    private var offered: ManagedConfiguration?
    /// Told once, in a turn of the transport, when the session is over.
    var onClosed: ((CloseReason) -> Void)?
    var onAvailability: ((SessionAvailability) -> Void)?
    /// Told in a turn of the transport when a link is gone, also one that another is to replace.
    var onLinkLost: (() -> Void)?
    /// Told in a turn of the transport what the edge says of where requests are to go.
    var onConfiguration: ((ManagedConfiguration) -> Void)?
    private var reportPace = ReportPace()
    /// Told in a turn of the transport how the connector says that it stands; of one that says so more
    /// often than ``ReportPace`` allows, the latest, later.
    var onReport: ((ConnectorReport) -> Void)?

    /// A session that `host` carries; `logger` is the host's when it is nil.
    init(
        id: SessionID,
        publicKey: [UInt8],
        session: consuming Session,
        host: SessionHost,
        acceptor: (any StreamAcceptor)? = nil,
        logger: Logger? = nil
    ) {
        self.id = id
        self.publicKey = publicKey
        self.session = session
        self.host = host
        self.acceptor = acceptor
        self.logger = logger ?? host.logger
    }

    /// Any thread.
    package var availability: SessionAvailability { self.state.load(ordering: .relaxed) }

    // MARK: Links

    func attach(_ connection: TunnelConnection) {
        self.link = connection
        self.pace = LinkPace()
        self.publish()
        self.markDirty()
    }

    /// Leaves the link, if there is one; the session waits for another.
    func detach(now: Instant, closing: (code: UInt16, reason: String)? = nil) {
        guard let link = self.link else { return }
        self.link = nil
        self.session.linkWasLost(now: now)
        if let closing {
            link.close(code: closing.code, reason: closing.reason)
        } else {
            link.abort()
        }
        self.publish()
        self.markDirty()
        self.onLinkLost?()
    }

    /// Tells other threads how the session stands, if that changed.
    func publish() {
        let new: SessionAvailability =
            if self.session.isClosed {
                .closed
            } else if self.session.isPeerDraining {
                .draining
            } else {
                self.session.hasLink ? .connected : .waiting
            }
        guard self.state.exchange(new, ordering: .relaxed) != new else { return }
        self.onAvailability?(new)
    }

    /// Calls `work` in a turn of the transport if the session is without a link `delay` from now; not
    /// twice in that time.
    ///
    /// In a turn of the transport.
    package func ifAway(after delay: Interval, _ work: @escaping (SessionDriver) -> Void) {
        guard !self.isLookedAfter else { return }
        self.isLookedAfter = true
        self.host.schedule(at: SessionHost.now + delay) { [weak self] in
            guard let self else { return }
            self.isLookedAfter = false
            if self.availability == .waiting { work(self) }
        }
    }

    /// Lets the streams' owners know that they might do better elsewhere. In a turn of the transport.
    package func announceAbsence() {
        for stream in self.session.openStreams { self.deliver(stream) { .away($0) } }
    }

    /// Tells the connector where requests are to go, unless that is what it was told last. In a turn of
    /// the transport.
    func offer(_ configuration: ManagedConfiguration) {
        guard configuration != self.offered else { return }
        self.offered = configuration
        self.session.send(configuration)
        self.markDirty()
    }

    /// Tells the edge how this connector stands. In a turn of the transport.
    func send(_ report: ConnectorReport) {
        self.session.send(report)
        self.markDirty()
    }

    // MARK: Input

    func apply(_ command: LoopBridge.Command, now: Instant) {
        switch command {
        case .open(let stream, let section): self.open(stream, section, now: now)
        case .head(let stream, let section):
            self.withStream(stream) { self.session.send(head: section, on: $0, now: now) }
        case .data(let stream, let bytes):
            self.withStream(stream) { self.session.send(data: bytes, on: $0, now: now) }
        case .trailers(let stream, let section):
            self.withStream(stream) { self.session.send(trailers: section, on: $0, now: now) }
        case .end(let stream):
            self.withStream(stream) { self.session.sendEnd(on: $0, now: now) }
        case .consumed(let stream, let bytes):
            self.withStream(stream) { self.session.consumed(bytes, on: $0, now: now) }
        case .reset(let stream, let code):
            self.withStream(stream) { self.session.reset($0, code: code) }
        case .release(let port, let bytes):
            guard let stream = port.session else { return }
            self.session.consumed(bytes, on: stream, now: now)
        }
        self.markDirty()
    }

    private func open(_ stream: LinkedStream, _ section: ByteBuffer, now: Instant) {
        guard let opened = self.session.open(head: section, owner: stream, now: now) else {
            self.host.deliver(.reset(stream, .refused), to: stream.bridge)
            return
        }
        stream.port.session = opened
    }

    private func withStream(_ stream: LinkedStream, _ body: (SessionStream) -> Void) {
        guard let session = stream.port.session else { return }
        body(session)
    }

    /// Processes a frame that followed the login; the link is closed on a breach.
    func receive(_ frame: FrameDecoder.Frame, now: Instant) throws(WireError) {
        defer { self.markDirty() }
        try self.session.receive(frame, now: now)
    }

    // MARK: Output

    func nextMessage(into buffer: UnsafeMutableRawBufferPointer, now: Instant) -> Int {
        self.keepPace(now: now)
        let count = self.session.nextMessage(
            into: buffer,
            target: self.pace.messageBytes,
            now: now
        )
        if self.session.hasEvents || self.session.isClosed { self.markDirty() }
        return count
    }

    /// Keeps what the socket takes ahead of its time in proportion to what the path delivers.
    private func keepPace(now: Instant) {
        guard self.pace.isDue(now: now), let link, let statistics = link.statistics else { return }
        let rate = statistics.deliveryBytesPerSecond
        guard self.pace.look(deliveredBytesPerSecond: rate, now: now) else { return }
        link.setNotSentLowWater(self.pace.unsentBytes)
    }

    func markDirty() {
        guard !self.isDirty else { return }
        self.isDirty = true
        self.host.markDirty(self)
    }

    /// Hands on what gathered: events to their loops, and a wish to write to the link.
    func settle(now: Instant) {
        self.isDirty = false
        if self.session.hasEvents {
            for event in self.session.takeEvents() { self.dispatch(event, now: now) }
        }
        // Breaks the cycle between the two halves of each stream that is over.
        for stream in self.session.takeClosedStreams() { stream.owner = nil }
        if let link = self.link, self.session.wantsToSend(now: now) { link.wantsToWrite() }
        if self.session.isClosed, !self.session.wantsToSend(now: now) { self.closeLink() }
    }

    private func closeLink() {
        guard let link = self.link else { return }
        self.link = nil
        let isBreach = if case .protocolError = self.session.closeReason { true } else { false }
        link.close(
            code: isBreach ? LinkCloseStatus.protocolError : LinkCloseStatus.sessionEnded,
            reason: self.session.closeReason.map { "\($0)" } ?? ""
        )
    }

    private func dispatch(_ event: SessionEvent, now: Instant) {
        switch event {
        case .opened(let stream):
            let bridge = self.host.leastBusyBridge()
            let opened = LinkedStream(bridge: bridge, driver: self)
            opened.port.session = stream
            stream.owner = opened
            self.load.increment()
            self.host.deliver(.opened(opened), to: bridge)
        case .head(let stream, let section): self.deliver(stream) { .head($0, section) }
        case .data(let stream, let bytes): self.deliver(stream) { .data($0, bytes) }
        case .trailers(let stream, let section): self.deliver(stream) { .trailers($0, section) }
        case .ended(let stream): self.deliver(stream) { .ended($0) }
        case .sent(let stream, let bytes): self.deliver(stream) { .sent($0, bytes) }
        case .reset(let stream, let code): self.deliver(stream) { .reset($0, code) }
        case .configuration(let configuration): self.onConfiguration?(configuration)
        case .report(let report): self.take(report, now: now)
        case .peerDraining: self.publish()
        case .linkIsDead:
            self.logger.info(
                "Nothing heard from the other end for too long: its link is given up",
                metadata: ["session": "\(self.id)"]
            )
            self.detach(now: now)
        case .closed(let reason):
            self.publish()
            self.onClosed?(reason)
            self.onClosed = nil
            self.host.remove(self)
        }
    }

    private func take(_ report: ConnectorReport, now: Instant) {
        switch self.reportPace.received(report, now: now) {
        case .passOn: self.onReport?(report)
        case .replace: break
        case .keep(let due):
            self.host.schedule(at: due) { [weak self] in
                guard let self, let report = self.reportPace.takeLate(), !self.session.isClosed
                else { return }
                self.onReport?(report)
            }
        }
    }

    private func deliver(
        _ stream: SessionStream,
        _ delivery: (LinkedStream) -> LoopBridge.Delivery
    ) {
        guard let owner = stream.owner else { return }
        // The owner is never anything else: `open` and `dispatch` alone set it.
        guard let owner = owner as? LinkedStream else { return }
        self.host.deliver(delivery(owner), to: owner.bridge)
    }
}
