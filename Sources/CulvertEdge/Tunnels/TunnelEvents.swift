internal import ControlAPI
internal import Foundation
internal import Synchronization

/// What happens to tunnels, for those who watch one (`culvert tail`).
///
/// Any thread. While nobody watches a tunnel, what happens to it costs a look at a flag.
final class TunnelEvents: Sendable {
    /// Who may watch at once, in all; one more is refused.
    static let maximumWatchers = 256
    /// What waits for one watcher; when more does, the oldest is left out.
    private static let waiting = 1_000
    /// How often watchers are given a nil, whatever happens.
    static let tickInterval = Duration.seconds(1)

    private struct Contents {
        var watchers: [ServedTunnel.Identity: [Int: AsyncStream<EventDocument?>.Continuation]] = [:]
        var count = 0
        var lastNumber = 0
        var isOver = false
    }

    private let contents = Mutex(Contents())
    private let isWatched = Atomic<Bool>(false)

    /// Whether anybody watches anything.
    var hasWatchers: Bool { self.isWatched.load(ordering: .relaxed) }

    /// What happens to a tunnel from now on, until its reader leaves; a nil every second, for the reader to see
    /// whether he still may.
    ///
    /// - Returns: nil when too many watch.
    func watch(_ tunnel: ServedTunnel.Identity) -> AsyncStream<EventDocument?>? {
        let (stream, continuation) = AsyncStream.makeStream(
            of: EventDocument?.self,
            bufferingPolicy: .bufferingNewest(Self.waiting)
        )
        let number = self.contents.withLock { contents -> Int? in
            guard contents.count < Self.maximumWatchers, !contents.isOver else { return nil }
            contents.count += 1
            contents.lastNumber += 1
            contents.watchers[tunnel, default: [:]][contents.lastNumber] = continuation
            return contents.lastNumber
        }
        guard let number else { return nil }
        self.isWatched.store(true, ordering: .relaxed)
        continuation.onTermination = { [weak self] _ in self?.forget(number, of: tunnel) }
        return stream
    }

    private func forget(_ number: Int, of tunnel: ServedTunnel.Identity) {
        let isLast = self.contents.withLock { contents in
            guard contents.watchers[tunnel]?.removeValue(forKey: number) != nil else {
                return false
            }
            if contents.watchers[tunnel]?.isEmpty == true { contents.watchers[tunnel] = nil }
            contents.count -= 1
            return contents.count == 0
        }
        if isLast { self.isWatched.store(false, ordering: .relaxed) }
    }

    /// Tells those who watch the tunnel; `event` is not made for nobody.
    func tell(_ tunnel: ServedTunnel.Identity, _ event: () -> EventDocument) {
        guard self.hasWatchers else { return }
        let watchers = self.contents.withLock { $0.watchers[tunnel].map { Array($0.values) } }
        guard let watchers else { return }
        let event = event()
        for watcher in watchers { watcher.yield(event) }
    }

    /// Gives all watchers their nil every second, until the task is cancelled.
    func keepAlive() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.tickInterval)
            for watcher in self.all { watcher.yield(nil) }
        }
    }

    /// Ends all watching, for good: the edge stops.
    func finish() {
        self.contents.withLock { $0.isOver = true }
        for watcher in self.all { watcher.finish() }
    }

    private var all: [AsyncStream<EventDocument?>.Continuation] {
        self.contents.withLock { $0.watchers.values.flatMap(\.values) }
    }
}

extension EventDocument {
    /// A request that is over.
    init(_ record: AccessRecord) {
        self.init(
            "request",
            at: Date(),
            request: RequestDocument(
                id: record.requestID,
                method: record.method,
                host: record.host,
                path: record.path,
                status: record.status,
                error: record.errorCode,
                address: record.visitorAddress,
                milliseconds: Int(record.durationNanoseconds / 1_000_000),
                bytesIn: record.requestBytes,
                bytesOut: record.responseBytes
            )
        )
    }
}
