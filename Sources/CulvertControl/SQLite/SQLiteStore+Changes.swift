internal import GRDB
internal import Synchronization

extension SQLiteStore {
    /// How often the commits of other processes are looked for.
    private static let lookInterval = Duration.milliseconds(200)

    package func changes(
        after revision: StoreRevision
    ) -> AsyncThrowingStream<StoreChanges, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: StoreChanges.self)
        let task = Task {
            var last = revision
            let rings = self.commits.rings()
            let clock = Task {
                while true {
                    try await Task.sleep(for: Self.lookInterval)
                    rings.continuation.yield()
                }
            }
            defer {
                clock.cancel()
                self.commits.forget(rings)
            }
            do {
                for await _ in rings.stream {
                    guard let changes = try await self.changesNow(after: last) else { continue }
                    last = changes.revision
                    continuation.yield(changes)
                }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    /// What was changed since `last`, all of it; nil when nothing was.
    private func changesNow(
        after last: StoreRevision
    ) async throws(StoreError) -> StoreChanges? {
        try await self.reading { db in
            let revision = try Self.revision(db)
            guard revision > last else { return nil }
            let compacted = try Int64.fetchOne(db, sql: "SELECT compacted FROM state") ?? 0
            guard last.number >= compacted else { throw StoreError.compacted }
            var changes = StoreChanges(revision: revision, written: [], deleted: [])
            for kind in StoreKey.Kind.allCases {
                changes.written += try SQLiteRows.fetchAll(kind, after: last, db)
            }
            changes.deleted = try SQLiteRows.deleted(after: last, db)
            return changes
        }
    }
}

/// Tells those who wait of a commit.
final class CommitBell: Sendable {
    /// One who waits; the first ring is there already, to have him look.
    struct Rings: Sendable {
        let number: Int
        let stream: AsyncStream<Void>
        let continuation: AsyncStream<Void>.Continuation
    }

    private let waiting = Mutex<(count: Int, rings: [Int: Rings])>((0, [:]))

    func rings() -> Rings {
        // However often it rings, one look is enough.
        let (stream, continuation) = AsyncStream.makeStream(
            of: Void.self,
            bufferingPolicy: .bufferingNewest(1)
        )
        continuation.yield()
        return self.waiting.withLock { waiting in
            waiting.count += 1
            let rings = Rings(number: waiting.count, stream: stream, continuation: continuation)
            waiting.rings[rings.number] = rings
            return rings
        }
    }

    func forget(_ rings: Rings) {
        self.waiting.withLock { $0.rings[rings.number] = nil }
        rings.continuation.finish()
    }

    func ring() {
        for rings in self.waiting.withLock({ Array($0.rings.values) }) {
            rings.continuation.yield()
        }
    }
}
