import DequeModule
import NIOCore

/// A connection the front door has not handed out yet. Confined to the door's thread.
final class PendingConnection {
    enum Phase: Equatable {
        /// Waiting for the rest of the ClientHello.
        case hello
        /// Answered; what the peer still sends is thrown away, at most this many bytes more, so
        /// that a reset does not overtake the answer (RFC 9112 §9.6).
        case draining(bytesLeft: Int)
    }

    let token: UInt64
    let peer: PeerAddress
    let permit: ConnectionPermit
    var phase = Phase.hello
    var isRegistered = false
    /// The `SO_RCVLOWAT` that was set; 1 is the kernel's default.
    var lowWaterBytes = 1
    private var descriptor: OwnedDescriptor?

    /// The descriptor's number, to be used only while it is owned here.
    let raw: CInt

    init(
        token: UInt64,
        descriptor: consuming OwnedDescriptor,
        peer: PeerAddress,
        permit: ConnectionPermit
    ) {
        self.token = token
        self.raw = descriptor.raw
        self.descriptor = consume descriptor
        self.peer = peer
        self.permit = permit
    }

    /// Gives the descriptor away, once.
    func takeDescriptor() -> OwnedDescriptor? { self.descriptor.take() }
}

/// The connections not handed out yet, oldest first, each with a deadline.
///
/// At the limit the oldest goes, so that silent clients push out each other and not a new visitor.
/// Confined to the door's thread.
struct PendingConnections {
    private let limit: Int
    private let timeout: TimeAmount
    private var byToken: [UInt64: PendingConnection] = [:]
    /// Tokens in order of arrival, which is the order of their deadlines too; those that left are
    /// skipped when they come to the front.
    private var order: Deque<(token: UInt64, deadline: NIODeadline)> = []

    init(limit: Int, timeout: TimeAmount) {
        self.limit = max(1, limit)
        self.timeout = timeout
    }

    var count: Int { self.byToken.count }

    subscript(token: UInt64) -> PendingConnection? { self.byToken[token] }

    /// Adds a connection; gives back the oldest when there was no room.
    mutating func insert(_ connection: PendingConnection, now: NIODeadline) -> PendingConnection? {
        var evicted: PendingConnection?
        if self.byToken.count >= self.limit, let oldest = self.oldest() {
            evicted = self.byToken.removeValue(forKey: oldest.token)
        }
        self.byToken[connection.token] = connection
        self.order.append((connection.token, now + self.timeout))
        return evicted
    }

    mutating func remove(_ token: UInt64) -> PendingConnection? {
        self.byToken.removeValue(forKey: token)
    }

    /// Takes out one connection whose deadline has passed.
    mutating func popExpired(now: NIODeadline) -> PendingConnection? {
        guard let oldest = self.oldest(), oldest.deadline <= now else { return nil }
        return self.byToken.removeValue(forKey: oldest.token)
    }

    mutating func nextDeadline() -> NIODeadline? { self.oldest()?.deadline }

    mutating func removeAll() {
        self.byToken.removeAll()
        self.order.removeAll()
    }

    private mutating func oldest() -> (token: UInt64, deadline: NIODeadline)? {
        while let first = self.order.first {
            if self.byToken[first.token] != nil { return first }
            self.order.removeFirst()
        }
        return nil
    }
}
