internal import HeapModule
internal import TunnelSession

/// When to look at whom next, for many who change their minds often.
///
/// A deadline that moves to a later time costs nothing: the owner is looked at when the earlier one
/// comes, and says then when he wants to be looked at again. So there are few entries for each, every one
/// earlier than the one before. What is due costs a logarithm, whatever the number of owners.
struct DeadlineTable<Owner: Hashable> {
    private struct Entry: Comparable {
        let due: Instant
        let owner: Owner

        static func < (left: Self, right: Self) -> Bool { left.due < right.due }
        static func == (left: Self, right: Self) -> Bool { left.due == right.due }
    }

    private var heap = Heap<Entry>()
    /// Of each owner, the times in the heap; the earliest is the last.
    private var dues: [Owner: [Instant]] = [:]

    /// The earliest time at which somebody may be due; nil when nobody waits.
    var first: Instant? { self.heap.min?.due }

    /// Entries in all, for tests.
    var count: Int { self.heap.count }

    /// Sees to it that `owner` comes up at `due` at the latest.
    mutating func arm(_ owner: Owner, at due: Instant) {
        if let earliest = self.dues[owner]?.last, earliest <= due { return }
        self.dues[owner, default: []].append(due)
        self.heap.insert(Entry(due: due, owner: owner))
    }

    /// Whoever comes up by `now`, perhaps too early; nil when nobody does any more.
    mutating func popDue(by now: Instant) -> Owner? {
        guard let first = self.heap.min, first.due <= now else { return nil }
        self.heap.removeMin()
        self.dues[first.owner]?.removeLast()
        if self.dues[first.owner]?.isEmpty == true { self.dues[first.owner] = nil }
        return first.owner
    }
}
