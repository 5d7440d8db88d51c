import Synchronization

/// How many requests are in progress of some kind: of one address, or of an edge. Any thread.
package final class RequestCount: Sendable {
    private let count = Atomic<Int>(0)

    /// Nothing is in progress.
    package init() {}

    /// Counts one more; false, and not counted, when that would be more than `limit`.
    func begin(limit: Int) -> Bool {
        guard self.count.add(1, ordering: .relaxed).newValue > limit else { return true }
        self.end()
        return false
    }

    /// One of those counted is over.
    func end() { self.count.subtract(1, ordering: .relaxed) }
}
