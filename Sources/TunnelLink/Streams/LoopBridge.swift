package import NIOCore
internal import Synchronization
internal import TunnelSession
internal import TunnelWire

/// Carries what streams of one event loop say to the transport's thread, and what it answers, in
/// batches: one lock and at most one wake-up for each batch and direction.
///
/// SAFETY: `deliveries` belongs to the transport's turns, all else that changes to the event loop, but
/// for `inbox`, which is behind a lock.
package final class LoopBridge: @unchecked Sendable {
    /// What the transport's thread tells the loop.
    ///
    /// SAFETY: the transport's thread only carries the stream; its loop alone uses it. The same
    /// holds for ``Command``, of whose stream that thread uses the port.
    enum Delivery: @unchecked Sendable {
        case opened(LinkedStream)
        case head(LinkedStream, ByteBuffer)
        case data(LinkedStream, ByteBuffer)
        case trailers(LinkedStream, ByteBuffer)
        case ended(LinkedStream)
        case sent(LinkedStream, Int)
        case away(LinkedStream)
        case reset(LinkedStream, ResetCode)

        var stream: LinkedStream {
            switch self {
            case .opened(let stream), .head(let stream, _), .data(let stream, _),
                .trailers(let stream, _), .ended(let stream), .sent(let stream, _),
                .away(let stream), .reset(let stream, _):
                stream
            }
        }
    }

    /// What the loop tells the transport's thread.
    enum Command: @unchecked Sendable {
        case open(LinkedStream, ByteBuffer)
        case head(LinkedStream, ByteBuffer)
        case data(LinkedStream, ByteBuffer)
        case trailers(LinkedStream, ByteBuffer)
        case end(LinkedStream)
        case consumed(LinkedStream, Int)
        case reset(LinkedStream, ResetCode)
        /// The stream's owner is gone; what it held is free.
        case release(StreamPort, Int)
    }

    private struct Inbox {
        var deliveries: [Delivery] = []
        var isScheduled = false
    }

    /// The one loop whose streams it carries.
    package let eventLoop: any EventLoop
    /// For the heads and trailers that its streams encode.
    package let allocator = ByteBufferAllocator()
    /// Streams of this loop.
    let load = StreamCount()
    private let host: SessionHost

    /// Mostly credit of less than 32 KiB each: so a loop seldom owes its sessions more than 2 MiB.
    private static let maximumIdleCommands = 64

    private var outbox: [Command] = []
    /// How many of the outbox nobody waits for.
    private var idleCommands = 0
    private var isDelivering = false
    private var touched: [LinkedStream] = []
    /// The deliveries of the round; its room is used again and again.
    private var batch: [Delivery] = []

    private var deliveries: [Delivery] = []
    private let inbox = Mutex(Inbox())

    init(eventLoop: any EventLoop, host: SessionHost) {
        self.eventLoop = eventLoop
        self.host = host
    }

    // MARK: On the event loop

    func queue(_ command: Command) { self.outbox.append(command) }

    /// Queues what nobody waits for, the rest of a finished stream's credit: it does not wake the other
    /// thread by itself.
    func queueIdly(_ command: Command) {
        self.outbox.append(command)
        self.idleCommands += 1
    }

    func flush() {
        // Within a round of deliveries everything leaves together at its end.
        guard !self.isDelivering else { return }
        let isWaitedFor = self.outbox.count > self.idleCommands
        guard isWaitedFor || self.idleCommands >= Self.maximumIdleCommands else { return }
        self.idleCommands = 0
        self.host.submit(&self.outbox)
    }

    /// Any thread: gives back what a stream still held when its last owner went.
    func release(_ port: StreamPort, _ bytes: Int) {
        var batch: [Command] = [.release(port, bytes)]
        self.host.submit(&batch)
    }

    private func deliverInbox() {
        self.inbox.withLock { inbox in
            inbox.isScheduled = false
            swap(&self.batch, &inbox.deliveries)
        }
        self.isDelivering = true
        for delivery in self.batch {
            let stream = delivery.stream
            if case .opened = delivery { self.accept(stream) }
            stream.receive(delivery)
            guard !stream.isTouched else { continue }
            stream.isTouched = true
            self.touched.append(stream)
        }
        for stream in self.touched {
            stream.isTouched = false
            stream.delegate?.receivedAll(on: stream)
        }
        self.touched.removeAll(keepingCapacity: true)
        self.batch.removeAll(keepingCapacity: true)
        self.isDelivering = false
        self.flush()
    }

    private func accept(_ stream: LinkedStream) {
        guard let acceptor = stream.port.driver.acceptor else { return stream.reset(.refused) }
        acceptor.accept(stream)
    }

    // MARK: In a turn of the transport

    /// Adds to the batch; true when it is the batch's first.
    func add(_ delivery: Delivery) -> Bool {
        self.deliveries.append(delivery)
        return self.deliveries.count == 1
    }

    /// Hands the batch to the loop and wakes it unless it is about to look anyway.
    func deliver() {
        guard !self.deliveries.isEmpty else { return }
        let needsWake = self.inbox.withLock { inbox in
            if inbox.deliveries.isEmpty {
                swap(&inbox.deliveries, &self.deliveries)
            } else {
                inbox.deliveries.append(contentsOf: self.deliveries)
            }
            defer { inbox.isScheduled = true }
            return !inbox.isScheduled
        }
        self.deliveries.removeAll(keepingCapacity: true)
        if needsWake { self.eventLoop.execute { self.deliverInbox() } }
    }
}

/// Takes the streams that the peer opens; all calls on the stream's event loop.
package protocol StreamAcceptor: AnyObject, Sendable {
    /// Sets the stream's delegate; its request follows at once.
    func accept(_ stream: TunnelStream)
}
