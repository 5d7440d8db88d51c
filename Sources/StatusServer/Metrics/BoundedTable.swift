internal import Synchronization

/// Values by name, made at first use: a bounded number of names, then one value for all others.
///
/// Names are never forgotten. An open hash table whose slots are filled once, with compare and exchange;
/// the hash is seeded for each process, so names cannot be chosen to collide. Any thread, without a lock.
final class BoundedTable<Value: Sendable>: Sendable {
    /// Most names a table can have.
    static var maximum: Int { 1_000 }
    /// A longer name belongs to the others: a name stays in memory for good.
    static var maximumNameBytes: Int { 255 }

    /// The name that `other` goes by; asking for it gives `other`.
    static var otherName: String { "other" }

    private final class Entry: Sendable {
        let name: String
        let value: Value

        init(name: String, value: Value) {
            self.name = name
            self.value = value
        }
    }

    private let slots: InlineArray<2048, AtomicLazyReference<Entry>>
    private let limit: Int
    private let count = Atomic<Int>(0)
    private let make: @Sendable () -> Value
    /// What names beyond the limit share.
    let other: Value

    /// - Parameters:
    ///   - limit: Names, at most `maximum`.
    ///   - make: A new value; sometimes made in vain, when two threads meet at a name's first use.
    init(limit: Int = BoundedTable.maximum, make: @escaping @Sendable () -> Value) {
        self.slots = InlineArray { _ in AtomicLazyReference() }
        self.limit = min(limit, Self.maximum)
        self.make = make
        self.other = make()
    }

    /// The value of `name`, or `other` when there are as many names as may be.
    subscript(name: String) -> Value {
        guard name.utf8.count <= Self.maximumNameBytes, name != Self.otherName else {
            return self.other
        }
        var slot = Int(bitPattern: UInt(bitPattern: name.hashValue) % 2048)
        // Never more than half full, so an empty slot is found.
        while true {
            if let entry = self.slots[slot].load() {
                if entry.name == name { return entry.value }
            } else {
                guard self.reserve() else { return self.other }
                let mine = Entry(name: name, value: self.make())
                let entry = self.slots[slot].storeIfNil(mine)
                if entry === mine { return entry.value }
                // Another thread was first, with this name or one that shares the slot.
                self.count.subtract(1, ordering: .relaxed)
                if entry.name == name { return entry.value }
            }
            slot = (slot + 1) % 2048
        }
    }

    /// Takes one of the places; a place that is given back at once may make a name `other` once.
    private func reserve() -> Bool {
        guard self.count.load(ordering: .relaxed) < self.limit else { return false }
        guard self.count.add(1, ordering: .relaxed).oldValue < self.limit else {
            self.count.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    /// All names and their values, by name; `other` comes last.
    var entries: [(name: String, value: Value)] {
        var entries: [(name: String, value: Value)] = []
        for slot in self.slots.indices {
            guard let entry = self.slots[slot].load() else { continue }
            entries.append((entry.name, entry.value))
        }
        return entries.sorted { $0.name < $1.name } + [(Self.otherName, self.other)]
    }
}
