import NIOConcurrencyHelpers

/// Collects events of any thread; a test waits for the one it is about.
final class Recorder<Event: Sendable>: Sendable {
    private struct Waiter {
        let id: Int
        let matches: @Sendable (Event) -> Bool
        let continuation: CheckedContinuation<Event, any Error>
    }

    private struct State {
        var events: [Event] = []
        var waiters: [Waiter] = []
        var nextID = 0
    }

    private let state = NIOLockedValueBox(State())

    var events: [Event] { self.state.withLockedValue { $0.events } }

    func record(_ event: Event) {
        let woken = self.state.withLockedValue { state in
            state.events.append(event)
            let woken = state.waiters.filter { $0.matches(event) }
            state.waiters.removeAll { waiter in woken.contains { $0.id == waiter.id } }
            return woken
        }
        for waiter in woken { waiter.continuation.resume(returning: event) }
    }

    /// The first event that matches, past or future.
    ///
    /// - Throws: `CancellationError`.
    @discardableResult
    func first(_ matches: @escaping @Sendable (Event) -> Bool) async throws -> Event {
        let id = self.state.withLockedValue { state in
            state.nextID += 1
            return state.nextID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let past: Event? = self.state.withLockedValue { state in
                    if let past = state.events.first(where: matches) { return past }
                    state.waiters.append(
                        Waiter(id: id, matches: matches, continuation: continuation)
                    )
                    return nil
                }
                if let past { continuation.resume(returning: past) }
                if Task.isCancelled { self.cancel(id) }
            }
        } onCancel: {
            self.cancel(id)
        }
    }

    private func cancel(_ id: Int) {
        let waiter = self.state.withLockedValue { state in
            let waiter = state.waiters.first { $0.id == id }
            state.waiters.removeAll { $0.id == id }
            return waiter
        }
        waiter?.continuation.resume(throwing: CancellationError())
    }
}
