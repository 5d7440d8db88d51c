internal import Synchronization

/// A number that only grows; wraps after 2⁶⁴. Any thread, without a lock.
package final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    init() {}

    /// What has been added since the counter was made.
    package var value: UInt64 { self.count.load(ordering: .relaxed) }

    /// Adds one.
    package func increment() { self.count.wrappingAdd(1, ordering: .relaxed) }

    /// Adds `amount`; a negative one, which would be a bug of the caller, adds nothing.
    package func add(_ amount: Int) {
        guard amount > 0 else { return }
        self.count.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }
}

/// A number that goes up and down. Any thread, without a lock.
package final class Gauge: Sendable {
    private let level = Atomic<Int>(0)

    init() {}

    /// The level as it stands; 0 before anything was set.
    package var value: Int { self.level.load(ordering: .relaxed) }

    /// Replaces the level, whatever was added to it.
    package func set(_ value: Int) { self.level.store(value, ordering: .relaxed) }

    /// Adds one, which ``decrement()`` takes away again.
    package func increment() { self.level.wrappingAdd(1, ordering: .relaxed) }

    /// Takes one away; below 0 when there was none to take.
    package func decrement() { self.level.wrappingSubtract(1, ordering: .relaxed) }
}
