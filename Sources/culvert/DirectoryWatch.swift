import Dispatch
import Glibc

/// Tells when something in a directory has changed (inotify(7)), at no cost while nothing does.
enum DirectoryWatch {
    /// Changes come in bursts, a file is written in pieces: all within so long of the first are told as one.
    /// In a directory where something always changes, that is how often it is told.
    private static let burst = DispatchTimeInterval.milliseconds(100)

    /// A value after each burst of changes in the directory, until `onTermination` of the stream; nil where
    /// the kernel does not tell: there is no such directory, or the user has as many watches as he may.
    static func changes(in directory: String) -> AsyncStream<Void>? {
        let descriptor = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        let events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB
        guard inotify_add_watch(descriptor, directory, UInt32(events)) >= 0 else {
            close(descriptor)
            return nil
        }
        return AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let sources = WatchSources(descriptor, burst: Self.burst) { continuation.yield() }
            continuation.onTermination = { _ in sources.cancel() }
        }
    }
}

/// What libdispatch does for a watch: reads its descriptor, and waits for the end of a burst.
///
/// SAFETY: the sources are made here and may be cancelled on any thread; `isDue` is the queue's.
private final class WatchSources: @unchecked Sendable {
    private let source: any DispatchSourceRead
    private let timer: any DispatchSourceTimer
    private var isDue = false

    init(
        _ descriptor: CInt,
        burst: DispatchTimeInterval,
        onChange: @escaping @Sendable () -> Void
    ) {
        let queue = DispatchQueue(label: "directory-watch")
        let timer = DispatchSource.makeTimerSource(queue: queue)
        self.timer = timer
        self.source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        timer.setEventHandler { [weak self] in
            self?.isDue = false
            onChange()
        }
        timer.activate()
        self.source.setEventHandler { [weak self] in
            Self.drain(descriptor)
            guard let self, !self.isDue else { return }
            self.isDue = true
            timer.schedule(deadline: .now() + burst)
        }
        self.source.setCancelHandler { close(descriptor) }
        self.source.activate()
    }

    func cancel() {
        self.source.cancel()
        self.timer.cancel()
    }

    /// Throws the events away: what has changed is looked up.
    private static func drain(_ descriptor: CInt) {
        withUnsafeTemporaryAllocation(byteCount: 8_192, alignment: 8) { room in
            while read(descriptor, room.baseAddress, room.count) > 0 {}
        }
    }
}
