internal import CulvertControl
internal import Foundation

/// When keys expire, in order. A look takes as long however many there are; to put one in or take one out moves
/// those that expire later.
struct KeyExpiries: Sendable, Equatable {
    private struct Entry: Sendable, Equatable {
        let at: Date
        let key: TunnelPublicKey
    }

    private var entries: [Entry] = []

    /// Of keys in any order.
    init(_ keys: some Sequence<(key: TunnelPublicKey, at: Date)> = []) {
        self.entries = keys.map { Entry(at: $0.at, key: $0.key) }.sorted(by: Self.isBefore)
    }

    mutating func insert(_ key: TunnelPublicKey, at date: Date) {
        let entry = Entry(at: date, key: key)
        self.entries.insert(entry, at: self.index { !Self.isBefore($0, entry) })
    }

    /// Takes a key out that was put in with this date.
    mutating func remove(_ key: TunnelPublicKey, at date: Date) {
        let entry = Entry(at: date, key: key)
        let index = self.index { !Self.isBefore($0, entry) }
        guard index < self.entries.count, self.entries[index] == entry else { return }
        self.entries.remove(at: index)
    }

    /// The keys that expire after `start`, at `end` at the latest.
    func keys(after start: Date, through end: Date) -> [TunnelPublicKey] {
        let first = self.index { $0.at > start }
        return self.entries[first...].prefix { $0.at <= end }.map(\.key)
    }

    /// The first entry for which `isFound` holds, as it does for all that follow; else the end.
    private func index(where isFound: (Entry) -> Bool) -> Int {
        var range = 0..<self.entries.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range =
                isFound(self.entries[middle])
                ? range.lowerBound..<middle : middle + 1..<range.upperBound
        }
        return range.lowerBound
    }

    /// By date; by key where that is the same.
    private static func isBefore(_ one: Entry, _ other: Entry) -> Bool {
        if one.at != other.at { return one.at < other.at }
        return one.key.bytes.lexicographicallyPrecedes(other.key.bytes)
    }
}
