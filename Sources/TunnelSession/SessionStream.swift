internal import DequeModule
internal import NIOCore
package import TunnelWire

/// A stream as its ``Session`` keeps it; owners hold it as a handle and may hang something on it.
///
/// Confined to its session's thread.
package final class SessionStream {
    /// Odd when the connector opened the stream, even when the edge did.
    package let id: StreamID
    /// The owner's; the session never looks at it.
    package var owner: AnyObject?
    /// Whether both directions are over; then the session ignores whatever is asked for it.
    package internal(set) var isClosed = false

    var outgoing: Outgoing
    var incoming: Incoming
    /// Where the stream stands in the scheduler.
    var turn = Turn()

    init(
        id: StreamID,
        sendLimit: UInt64,
        receiveWindow: ReceiveWindow,
        isOpenedHere: Bool,
        now: Instant
    ) {
        self.id = id
        self.outgoing = Outgoing(limit: sendLimit)
        self.incoming = Incoming(window: receiveWindow, isRequest: !isOpenedHere, now: now)
    }

    /// What waits to be sent, and how far it may go.
    struct Outgoing {
        enum Piece {
            case head(ByteBuffer)
            case data(ByteBuffer)
            case trailers(ByteBuffer)
            case end
            /// Breaks the direction off where its end would have been.
            case reset(ResetCode)
        }

        var queue = Deque<Piece>()
        /// DATA bytes put into the log so far, and the peer's limit on them.
        var sentBytes: UInt64 = 0
        var limit: UInt64
        /// Bytes that left the queue since the owner was told.
        var unreportedBytes = 0
        /// Nothing may be queued any more: an end, or trailers, was.
        var isEndQueued = false
        /// END, or RESET, is in the log.
        var isOver = false
        /// Anything of the stream is in the log: the peer knows, or will know, of it.
        var hasBegun = false
        var interimHeads = 0
        /// The direction is over with RESET, and so is the stream.
        var isBrokenOff = false
        /// RESET with this code follows the end that is queued.
        var resetAfterEnd: ResetCode?

        /// Has RESET follow what is queued.
        mutating func queueReset(_ code: ResetCode) {
            if self.isEndQueued {
                self.resetAfterEnd = code
            } else {
                self.isEndQueued = true
                self.queue.append(.reset(code))
            }
        }

        var credit: Int { Int(self.limit - self.sentBytes) }

        /// Small pieces are joined up to so many bytes: each would keep the buffer alive that it was
        /// read into, and cost a frame.
        static let joinedBytes = 2_048

        /// Adds body bytes to the last piece, if both are small body pieces.
        mutating func joinLast(_ bytes: ByteBuffer) -> Bool {
            guard case .data(var last) = self.queue.last,
                last.readableBytes + bytes.readableBytes <= Self.joinedBytes
            else { return false }
            self.queue.removeLast()
            last.writeImmutableBuffer(bytes)
            self.queue.append(.data(last))
            return true
        }
    }

    /// What the peer has sent, and may send.
    struct Incoming {
        enum Phase {
            case head
            case body
            case over
        }

        var phase = Phase.head
        var window: ReceiveWindow
        /// When the reader last took something, or had nothing to take.
        var lastTaken: Instant
        /// The pieces so far of a section whose last piece has not come.
        var section: ByteBuffer?
        var sectionType = FrameType.head
        var interimHeads = 0
        let isRequest: Bool
        /// Nothing of this direction becomes an event any more.
        var isDiscarding = false

        init(window: ReceiveWindow, isRequest: Bool, now: Instant) {
            self.window = window
            self.lastTaken = now
            self.isRequest = isRequest
        }
    }

    /// The scheduler's notes.
    struct Turn {
        enum Queue {
            case none
            case light
            case bulk
            case sessionCredit
        }

        var queue = Queue.none
        /// Bytes sent lately: grows with each byte and falls with time.
        var recentBytes = 0
        var lastSent: Instant?
        /// Bytes left of the stream's turn in the bulk queue.
        var deficit = 0
    }
}
