internal import HeapModule
package import Logging
package import NIOCore
internal import Synchronization
package import TunnelSession
internal import TunnelTransport
internal import TunnelWire

/// All sessions that one transport carries, and the traffic between its thread and the event loops.
///
/// SAFETY: `commands` is behind a lock; `transport` and `bridges` are set before the transport
/// starts and constant from then on; the rest belongs to the transport's turns.
package final class SessionHost: TransportDriver, @unchecked Sendable {
    /// For what becomes of its links and sessions.
    package let logger: Logger
    private let commands = Mutex<[LoopBridge.Command]>([])
    private var transport: TunnelTransport?
    private(set) var bridges: [LoopBridge] = []

    private var drivers: [ObjectIdentifier: SessionDriver] = [:]
    /// The commands being applied; its room is used again and again.
    private var batch: [LoopBridge.Command] = []
    private var dirty: [SessionDriver] = []
    private var filledBridges: [LoopBridge] = []
    private var deadlines = DeadlineTable<ObjectIdentifier>()
    private var isTurnOver = false
    private var tasks = Heap<ScheduledWork>()

    /// Streams live on the loops of `group`.
    package init(group: any EventLoopGroup, logger: Logger) {
        self.logger = logger
        for eventLoop in group.makeIterator() {
            self.bridges.append(LoopBridge(eventLoop: eventLoop, host: self))
        }
    }

    /// Must be called once, before the transport starts.
    func bind(to transport: TunnelTransport) { self.transport = transport }

    /// The bridge of `eventLoop`, which is one of the group's.
    package func bridge(of eventLoop: any EventLoop) -> LoopBridge? {
        self.bridges.first { $0.eventLoop === eventLoop }
    }

    // MARK: From the loops

    /// Any thread: takes a batch of commands, and leaves the array empty.
    func submit(_ batch: inout [LoopBridge.Command]) {
        let isLight = self.isLight(batch)
        let needsWake = self.commands.withLock {
            guard $0.isEmpty else {
                $0.append(contentsOf: batch)
                return false
            }
            swap(&$0, &batch)
            return true
        }
        batch.removeAll(keepingCapacity: true)
        guard needsWake else { return }
        if isLight {
            self.transport?.serveOrWake()
        } else {
            self.transport?.wake()
        }
    }

    /// Beyond this the other thread had better do its part beside the loop's.
    private static let lightStreams = 2
    private static let lightCommands = 4
    private static let lightBytes = 4 << 10

    /// Whether sending `batch` costs less than to have it sent: when little goes on, the switches of
    /// threads are most of what a request takes.
    private func isLight(_ batch: [LoopBridge.Command]) -> Bool {
        guard batch.count <= Self.lightCommands else { return false }
        let streams = self.bridges.reduce(0) { $0 + $1.load.count }
        guard streams <= Self.lightStreams else { return false }
        return batch.reduce(0) { $0 + $1.byteCount } <= Self.lightBytes
    }

    /// Any thread: runs `work` in a turn of the transport; false after its shutdown, when it does not.
    @discardableResult
    package func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        self.transport?.execute(work) ?? false
    }

    // MARK: The transport's turns

    /// The clock of every deadline here: monotonic, the transport's own. Any thread.
    package static var now: Instant {
        Instant(nanoseconds: monotonicNanoseconds())
    }

    /// Applies what the loops have asked for since, then fires the timers that are due.
    package func transportWoke(now: UInt64) {
        self.isTurnOver = false
        let now = Instant(nanoseconds: now)
        self.commands.withLock { swap(&$0, &self.batch) }
        for command in self.batch { command.driver.apply(command, now: now) }
        self.batch.removeAll(keepingCapacity: true)
        self.settle(now: now)
        if let due = self.firstDeadline, now >= due { self.fireTimers(now: now) }
    }

    /// Settles the sessions that something happened to, and hands each loop its batch.
    package func transportTurnEnded(now: UInt64) {
        self.settle(now: Instant(nanoseconds: now))
        defer { self.isTurnOver = true }
        for bridge in self.filledBridges { bridge.deliver() }
        self.filledBridges.removeAll(keepingCapacity: true)
    }

    /// The earliest of the tasks' and the sessions' times; a session may have put its own off.
    package var nextDeadline: UInt64? { self.firstDeadline?.nanoseconds }

    private var firstDeadline: Instant? {
        guard let task = self.tasks.min?.due else {
            return self.deadlines.first
        }
        return self.deadlines.first.map { min($0, task) } ?? task
    }

    private func settle(now: Instant) {
        while !self.dirty.isEmpty {
            let batch = self.dirty
            self.dirty = []
            for driver in batch {
                driver.settle(now: now)
                self.arm(driver)
            }
        }
    }

    private func fireTimers(now: Instant) {
        while let task = self.tasks.min, task.due <= now {
            self.tasks.removeMin()
            task.work()
        }
        while let id = self.deadlines.popDue(by: now) {
            guard let driver = self.drivers[id] else { continue }
            guard let deadline = driver.session.deadline, deadline <= now else {
                self.arm(driver)
                continue
            }
            driver.session.timePassed(now: now)
            driver.markDirty()
        }
        self.settle(now: now)
    }

    private func arm(_ driver: SessionDriver) {
        guard let deadline = driver.session.deadline else { return }
        self.deadlines.arm(ObjectIdentifier(driver), at: deadline)
    }

    /// Runs `work` in a turn of the transport at `due`.
    func schedule(at due: Instant, _ work: @escaping () -> Void) {
        self.tasks.insert(ScheduledWork(due: due, work: work))
    }

    // MARK: For the drivers

    func add(_ driver: SessionDriver) { self.drivers[ObjectIdentifier(driver)] = driver }

    func remove(_ driver: SessionDriver) { self.drivers[ObjectIdentifier(driver)] = nil }

    /// Has the driver settled before this turn ends, or, from a write after its end, in another one.
    func markDirty(_ driver: SessionDriver) {
        self.dirty.append(driver)
        if self.isTurnOver { self.transport?.wake() }
    }

    func deliver(_ delivery: LoopBridge.Delivery, to bridge: LoopBridge) {
        if bridge.add(delivery) { self.filledBridges.append(bridge) }
    }

    /// Where a peer's next stream goes: to the loop with the fewest, and to the first of those, which
    /// has what it needs in its caches and a connection to the origin.
    func leastBusyBridge() -> LoopBridge {
        var best = self.bridges[0]
        var fewest = best.load.count
        for bridge in self.bridges.dropFirst() where fewest > 0 {
            let count = bridge.load.count
            if count < fewest { (best, fewest) = (bridge, count) }
        }
        return best
    }
}

/// What is to be done in a turn at a time.
private struct ScheduledWork: Comparable {
    let due: Instant
    let work: () -> Void

    static func < (left: Self, right: Self) -> Bool { left.due < right.due }
    static func == (left: Self, right: Self) -> Bool { left.due == right.due }
}

extension LoopBridge.Command {
    fileprivate var byteCount: Int {
        switch self {
        case .open(_, let bytes), .head(_, let bytes), .data(_, let bytes),
            .trailers(_, let bytes):
            bytes.readableBytes
        case .end, .consumed, .reset, .release: 0
        }
    }

    fileprivate var driver: SessionDriver {
        switch self {
        case .open(let stream, _), .head(let stream, _), .data(let stream, _),
            .trailers(let stream, _), .end(let stream), .consumed(let stream, _),
            .reset(let stream, _):
            stream.port.driver
        case .release(let port, _): port.driver
        }
    }
}
