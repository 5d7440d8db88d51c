import Glibc
import Logging
import Synchronization
import Testing

@testable import TunnelTransport

extension TransportTests {
    /// Turns that other threads take while the transport's own waits.
    @Suite(.serialized)
    struct Lending {
        private func start(_ driver: QueueDriver) throws -> TunnelTransport {
            let transport = try TunnelTransport(
                TransportConfiguration(),
                logger: .init(label: "test")
            )
            transport.start(driver: driver)
            return transport
        }

        @Test(.timeLimit(.minutes(1)))
        func whileTheThreadWaitsTheCallerServes() throws {
            let driver = QueueDriver()
            let transport = try self.start(driver)
            defer { transport.shutdown() }
            // The thread may not have begun to wait yet.
            while true {
                driver.posted.add(1, ordering: .sequentiallyConsistent)
                transport.serveOrWake()
                if driver.lastServer.load(ordering: .relaxed) == threadID() { break }
            }
            #expect(driver.served.load(ordering: .relaxed) > 0)
        }

        @Test(.timeLimit(.minutes(1)))
        func turnsAreNeverTakenByTwoAndNothingIsLeftLying() async throws {
            let driver = QueueDriver()
            let transport = try self.start(driver)
            // Each waits for its own to be served, so that the thread goes back to its sockets and
            // the next to come all find it asleep.
            let threads = (0..<4).map { number in
                Task.detached {
                    for _ in 0..<1_000 {
                        let mine = driver.posted.add(1, ordering: .sequentiallyConsistent).newValue
                        if number == 0 { transport.wake() } else { transport.serveOrWake() }
                        while driver.served.load(ordering: .relaxed) < mine { await Task.yield() }
                    }
                }
            }
            for thread in threads { await thread.value }
            transport.shutdown()
            #expect(driver.served.load(ordering: .relaxed) == 4_000)
            #expect(driver.collisions.load(ordering: .relaxed) == 0)
        }

        @Test(.timeLimit(.minutes(1)))
        func aDeadlineThatIsSetInALentTurnIsKept() throws {
            let driver = QueueDriver(delay: 3_000_000)
            let transport = try self.start(driver)
            defer { transport.shutdown() }
            for _ in 0..<20 {
                let before = driver.deadlinesMet.load(ordering: .relaxed)
                driver.posted.add(1, ordering: .sequentiallyConsistent)
                transport.serveOrWake()
                while driver.deadlinesMet.load(ordering: .relaxed) == before { sched_yield() }
            }
        }

        @Test(.timeLimit(.minutes(1)))
        func servingDuringAndAfterTheShutdownIsHarmless() async throws {
            for _ in 0..<30 {
                let transport = try self.start(QueueDriver())
                let threads = (0..<3).map { _ in
                    Task.detached { for _ in 0..<500 { transport.serveOrWake() } }
                }
                transport.shutdown()
                for thread in threads { await thread.value }
            }
        }
    }
}

/// Takes what was posted, and notices when it is not alone.
// SAFETY: `deadline` is used in turns only; the rest is atomic or constant.
private final class QueueDriver: TransportDriver, @unchecked Sendable {
    let posted = Atomic<Int>(0)
    let served = Atomic<Int>(0)
    let collisions = Atomic<Int>(0)
    let deadlinesMet = Atomic<Int>(0)
    let lastServer = Atomic<Int>(0)
    private let isInside = Atomic<Bool>(false)
    private let delay: UInt64?
    private var deadline: UInt64?

    /// With a `delay`, in nanoseconds, what is served sets a deadline.
    init(delay: UInt64? = nil) { self.delay = delay }

    var nextDeadline: UInt64? { self.deadline }

    func transportWoke(now: UInt64) {
        let wasInside = self.isInside.exchange(true, ordering: .sequentiallyConsistent)
        if wasInside { self.collisions.add(1, ordering: .relaxed) }
        // Time for somebody else to come in, if he can.
        for _ in 0..<3 { sched_yield() }
        if let deadline, deadline <= now {
            self.deadline = nil
            self.deadlinesMet.add(1, ordering: .relaxed)
        }
        let count = self.posted.load(ordering: .sequentiallyConsistent)
        if count > self.served.load(ordering: .relaxed) {
            self.served.store(count, ordering: .relaxed)
            self.lastServer.store(threadID(), ordering: .relaxed)
            if let delay { self.deadline = now + delay }
        }
        self.isInside.store(false, ordering: .sequentiallyConsistent)
    }

    func transportTurnEnded(now: UInt64) {}
}

private func threadID() -> Int { Int(bitPattern: UInt(pthread_self())) }
