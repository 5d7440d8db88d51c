import Synchronization

@testable import TunnelTransport

/// A connection's owner that records what happens and sends what it is given.
// SAFETY: everything that changes is touched on the transport's thread only, the rest is Sendable.
final class TestPeer: TunnelConnectionHandler, @unchecked Sendable {
    enum Event: Sendable, Equatable {
        case opened
        case message([UInt8])
        case closed(TransportCloseReason)
    }

    private(set) var connection: TunnelConnection?
    var outgoing: [[UInt8]]
    private var sent = 0
    private var incoming: [UInt8] = []
    private let echoes: Bool
    var onMessage: ((TestPeer) -> Void)?
    private let closings = Atomic<Int>(0)
    /// Messages received; the transport's thread only.
    private(set) var messageCount = 0
    private let continuation: AsyncStream<Event>.Continuation
    private let iterator: Mutex<AsyncStream<Event>>

    init(sending outgoing: [[UInt8]] = [], echoes: Bool = false) {
        self.outgoing = outgoing
        self.echoes = echoes
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self)
        self.continuation = continuation
        self.iterator = Mutex(stream)
    }

    /// How often `closed` was called.
    var closedCount: Int { self.closings.load(ordering: .relaxed) }

    /// The next event; nil after `closed`.
    func next() async -> Event? {
        let stream = self.iterator.withLock { $0 }
        for await event in stream { return event }
        return nil
    }

    /// The reason the connection ended for; everything before is skipped.
    func end() async -> TransportCloseReason? {
        while let event = await self.next() {
            if case .closed(let reason) = event { return reason }
        }
        return nil
    }

    func messages(_ count: Int) async -> [[UInt8]] {
        var messages: [[UInt8]] = []
        while messages.count < count, let event = await self.next() {
            switch event {
            case .opened: continue
            case .message(let bytes): messages.append(bytes)
            case .closed: return messages
            }
        }
        return messages
    }

    func opened(_ connection: TunnelConnection) {
        self.connection = connection
        self.continuation.yield(.opened)
        if !self.outgoing.isEmpty { connection.wantsToWrite() }
    }

    func received(
        _ bytes: UnsafeRawBufferPointer,
        endsMessage: Bool,
        on connection: TunnelConnection
    ) {
        self.incoming.append(contentsOf: bytes)
        guard endsMessage else { return }
        self.messageCount += 1
        if self.echoes {
            self.outgoing.append(self.incoming)
            connection.wantsToWrite()
        }
        self.continuation.yield(.message(self.incoming))
        self.incoming.removeAll(keepingCapacity: true)
        self.onMessage?(self)
    }

    func nextMessage(
        into buffer: UnsafeMutableRawBufferPointer,
        on connection: TunnelConnection
    ) -> Int {
        guard self.sent < self.outgoing.count else { return 0 }
        let message = self.outgoing[self.sent]
        self.outgoing[self.sent] = []
        self.sent += 1
        buffer.copyBytes(from: message)
        return message.count
    }

    func closed(_ connection: TunnelConnection, reason: TransportCloseReason) {
        self.closings.add(1, ordering: .relaxed)
        self.continuation.yield(.closed(reason))
        self.continuation.finish()
        self.connection = nil
    }
}
