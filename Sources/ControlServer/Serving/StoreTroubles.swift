internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import Logging
internal import Synchronization

/// What is told of a store that fails, to whoever looks after the edge. Any thread.
final class StoreTroubles: Sendable {
    /// A store that fails says so to each request, and to the log once in so long.
    private static let quietSeconds: TimeInterval = 60

    private let count: @Sendable () -> Void
    private let logger: Logger
    /// Since the last line of the log.
    private let state = Mutex<(loggedAt: Date?, unlogged: Int)>((nil, 0))

    /// `count` is called for each failure.
    init(count: @escaping @Sendable () -> Void, logger: Logger) {
        self.count = count
        self.logger = logger
    }

    /// What whoever asked is told of an error; if it is the store's own, it is counted and logged.
    func problem(_ error: StoreError, at now: Date) -> APIProblem {
        switch error {
        // Somebody was faster, or the name is taken: the store works.
        case .conflict, .fenced, .taken, .compacted: break
        case .busy, .full, .unavailable: self.note(error, at: now)
        }
        return APIProblem(error)
    }

    private func note(_ error: StoreError, at now: Date) {
        self.count()
        let unlogged = self.state.withLock { state -> Int? in
            guard state.loggedAt.map({ now >= $0 + Self.quietSeconds }) ?? true else {
                state.unlogged += 1
                return nil
            }
            defer { state = (now, 0) }
            return state.unlogged
        }
        guard let unlogged else { return }
        self.logger.error(
            "The store failed a request of the API",
            metadata: ["problem": "\(error)", "unlogged-since-the-last": "\(unlogged)"]
        )
    }
}

extension APIProblem {
    fileprivate init(_ error: StoreError) {
        switch error {
        case .taken: self.init(.exists, "\(error)")
        case .conflict, .fenced: self.init(.conflict, "\(error)")
        case .compacted, .busy, .full: self.init(.unavailable, "\(error)")
        // The words name files of the edge's machine: they are in its log.
        case .unavailable:
            self.init(.unavailable, "the edge's store cannot be used; its log says why")
        }
    }
}
