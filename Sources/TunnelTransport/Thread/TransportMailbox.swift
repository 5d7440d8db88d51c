import CLibwebsockets
import Synchronization

/// What other threads may touch of a transport: its queue of work and its alarm bell.
///
/// `libwebsockets` allows a single call from other threads, the wake-up, and only while its context
/// exists. So it is made under the lock that also takes the context away.
final class TransportMailbox: Sendable {
    typealias Job = @Sendable (TransportLoop) -> Void

    /// What the thread is doing, as far as a wake-up is concerned.
    private enum Attention {
        /// Looks at the bell before it sleeps again.
        static let awake: UInt8 = 0
        /// May be waiting for sockets: has to be woken.
        static let asleep: UInt8 = 1
        /// Awake or being woken, and will look for work.
        static let rung: UInt8 = 2
    }

    // SAFETY: the pointer is used for `culvert_loop_wake` only, under the lock, until `close`.
    private struct Bell: @unchecked Sendable {
        let loop: culvert_loop_ref
    }

    private struct Contents {
        var jobs: [Job] = []
        var isStopping = false
        var isClosed = false
    }

    private let attention = Atomic<UInt8>(Attention.awake)
    private let contents = Mutex(Contents())
    /// Set with the first job; lets a turn without jobs do without the lock.
    private let hasJobs = Atomic<Bool>(false)
    /// A lock of its own: the thread that the bell wakes runs straight to `contents`.
    private let bell = Mutex<Bell?>(nil)

    /// Queues work and rings; false once the thread has looked for the last time.
    func post(_ job: @escaping Job) -> Bool {
        let accepted = self.contents.withLock { contents in
            guard !contents.isClosed else { return false }
            contents.jobs.append(job)
            self.hasJobs.store(true, ordering: .releasing)
            return true
        }
        if accepted { self.ring() }
        return accepted
    }

    /// Makes the thread look for work; a system call only when it may be asleep.
    func ring() {
        let before = self.attention.exchange(Attention.rung, ordering: .acquiringAndReleasing)
        guard before == Attention.asleep else { return }
        self.bell.withLock { bell in
            if let bell { culvert_loop_wake(bell.loop) }
        }
    }

    /// Whether the thread waits, and nobody has rung.
    var isAsleep: Bool { self.attention.load(ordering: .relaxed) == Attention.asleep }

    /// Asks the thread to end.
    func stop() {
        self.contents.withLock { $0.isStopping = true }
        self.ring()
    }

    // MARK: the transport's thread

    func attach(_ loop: culvert_loop_ref) {
        let bell = Bell(loop: loop)
        self.bell.withLock { $0 = bell }
    }

    var isStopping: Bool { self.contents.withLock { $0.isStopping } }

    /// True when the thread may wait for its sockets: nobody has rung.
    func fallAsleep() -> Bool {
        self.attention.compareExchange(
            expected: Attention.awake,
            desired: Attention.asleep,
            ordering: .acquiringAndReleasing
        ).exchanged
    }

    /// True when somebody has rung since the last time.
    func wakeUp() -> Bool {
        self.attention.exchange(Attention.awake, ordering: .acquiringAndReleasing)
            == Attention.rung
    }

    func takeJobs() -> [Job] {
        guard self.hasJobs.load(ordering: .acquiring) else { return [] }
        return self.contents.withLock { contents in
            self.hasJobs.store(false, ordering: .relaxed)
            let jobs = contents.jobs
            contents.jobs = []
            return jobs
        }
    }

    /// After this nothing is accepted and nothing rings; returns what was still queued.
    func close() -> [Job] {
        self.bell.withLock { $0 = nil }
        return self.contents.withLock { contents in
            contents.isClosed = true
            let jobs = contents.jobs
            contents.jobs = []
            return jobs
        }
    }
}
