import NIOCore
import TunnelSession
import TunnelWire

/// Both ends of a session and the links between them, in virtual time.
///
/// A link is two byte queues; whoever drives the pair says how many bytes cross, when time passes and
/// when the link is cut, so a run is a pure function of its choices.
final class Pair {
    final class End {
        var session: Session
        var decoder = FrameDecoder()
        /// Bytes that this end has sent and the other has not received.
        var wire: [UInt8] = []
        var events: [SessionEvent] = []
        var failure: WireError?

        init(session: consuming Session) { self.session = session }

        var isOver: Bool { self.session.isClosed }
    }

    let connector: End
    let edge: End
    var now = Instant(nanoseconds: 1_000_000_000)
    var cuts = 0

    init(
        connector: SessionConfiguration = SessionConfiguration(),
        edge: SessionConfiguration = SessionConfiguration()
    ) {
        self.connector = End(
            session: Session(
                role: .connector,
                configuration: connector,
                peerLimits: edge.limits,
                now: self.now
            )
        )
        self.edge = End(
            session: Session(
                role: .edge,
                configuration: edge,
                peerLimits: connector.limits,
                now: self.now
            )
        )
    }

    func other(_ end: End) -> End { end === self.connector ? self.edge : self.connector }

    /// Lets `end` produce one message, if it has one and a link.
    @discardableResult
    func transmit(_ end: End, target: Int = WireLimits.messageBytes) -> Int {
        var message = [UInt8](repeating: 0, count: WireLimits.messageBytes)
        let count = message.withUnsafeMutableBytes {
            end.session.nextMessage(into: $0, target: target, now: self.now)
        }
        end.wire.append(contentsOf: message[..<count])
        self.collect(end)
        return count
    }

    /// Lets at most `limit` bytes that `end` has sent reach the other end.
    func deliver(from end: End, limit: Int = .max) {
        let receiver = self.other(end)
        let count = min(limit, end.wire.count)
        guard count > 0, receiver.session.hasLink else { return }
        receiver.session.linkReceived(now: self.now)
        receiver.decoder.feed(ByteBuffer(bytes: end.wire[..<count]))
        end.wire.removeFirst(count)
        do {
            while let frame = try receiver.decoder.next() {
                try receiver.session.receive(frame, now: self.now)
            }
        } catch {
            receiver.failure = error
        }
        self.collect(receiver)
    }

    /// Cuts the link: what is on its way is lost.
    func cut() {
        self.cuts += 1
        for end in [self.connector, self.edge] {
            end.wire = []
            end.decoder = FrameDecoder()
            end.session.linkWasLost(now: self.now)
        }
    }

    /// A new link; both state what they have processed, as LOGIN and WELCOME do.
    func reconnect() throws {
        let connectorCount = self.connector.session.processed
        let edgeCount = self.edge.session.processed
        try self.edge.session.resume(peerProcessed: connectorCount, now: self.now)
        try self.connector.session.resume(peerProcessed: edgeCount, now: self.now)
    }

    /// A planned move: the connector stops reading the old link and states its count; the edge reads on
    /// until LOGIN comes, and what it still sends is lost. The new link's WELCOME may be lost, too.
    func move(delivering bytes: Int, losesWelcome: Bool) throws {
        self.cuts += 1
        let (connector, edge) = (self.connector, self.edge)
        connector.session.linkWasLost(now: self.now)
        let connectorCount = connector.session.processed
        self.deliver(from: connector, limit: bytes)
        self.transmit(edge)
        self.deliver(from: edge)
        for _ in 0..<(losesWelcome ? 2 : 1) {
            self.leave(edge)
            try edge.session.resume(peerProcessed: connectorCount, now: self.now)
            if losesWelcome { self.transmit(edge) }
        }
        edge.wire = []
        edge.decoder = FrameDecoder()
        connector.wire = []
        connector.decoder = FrameDecoder()
        try connector.session.resume(peerProcessed: edge.session.processed, now: self.now)
        // What the edge sent over this link before the connector took it up is still to come.
        if losesWelcome {
            edge.session.linkWasLost(now: self.now)
            try edge.session.resume(peerProcessed: connectorCount, now: self.now)
        }
    }

    private func leave(_ end: End) {
        end.wire = []
        end.decoder = FrameDecoder()
        end.session.linkWasLost(now: self.now)
    }

    func pass(_ interval: Interval) {
        self.now = self.now + interval
        for end in [self.connector, self.edge] {
            end.session.timePassed(now: self.now)
            self.collect(end)
        }
    }

    private func collect(_ end: End) { end.events += end.session.takeEvents() }

    /// Exchanges messages until neither end has anything to send now.
    func settle() {
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            for end in [self.connector, self.edge] {
                while self.transmit(end) > 0 { isQuiet = false }
                self.deliver(from: end)
            }
        }
    }
}

extension Pair.End {
    func open(now: Instant) -> SessionStream? { self.session.open(head: .request(), now: now) }

    func wantsToSend(now: Instant) -> Bool { self.session.wantsToSend(now: now) }

    /// Takes the events so far.
    func take() -> [SessionEvent] {
        defer { self.events = [] }
        return self.events
    }
}

extension ByteBuffer {
    /// A section that the session takes for a request's head.
    static func request(_ text: String = "") -> ByteBuffer { ByteBuffer(string: "\u{1}" + text) }

    /// A section that the session takes for a response's head.
    static func response(_ status: UInt16 = 200, _ text: String = "") -> ByteBuffer {
        var buffer = ByteBuffer(integer: 2 as UInt8)
        buffer.writeInteger(status)
        buffer.writeString(text)
        return buffer
    }
}

extension SessionEvent: CustomStringConvertible {
    public var description: String {
        switch self {
        case .opened(let stream): "opened \(stream.id)"
        case .head(let stream, let section): "head \(stream.id) \(section.readableBytes)"
        case .data(let stream, let bytes): "data \(stream.id) \(bytes.readableBytes)"
        case .trailers(let stream, let section): "trailers \(stream.id) \(section.readableBytes)"
        case .ended(let stream): "ended \(stream.id)"
        case .reset(let stream, let code): "reset \(stream.id) \(code)"
        case .sent(let stream, let bytes): "sent \(stream.id) \(bytes)"
        case .configuration(let it): "configuration \(it.version) \(it.text.utf8.count)"
        case .report(let report): "report \(report.configurationVersion.map(String.init) ?? "none")"
        case .peerDraining: "peerDraining"
        case .linkIsDead: "linkIsDead"
        case .closed(let reason): "closed \(reason)"
        }
    }
}
