/// Keeps a registry in step with a store, and carries out what is decided over it.
package actor Control {
    /// How often a change is decided anew because somebody else was faster.
    private static let attempts = 8
    /// How many changes may wait for their turn; beyond it they fail, `busy`.
    private static let maximumWaiting = 1_024

    /// Everything there is, as far as this process knows.
    package private(set) var registry: Registry
    private let store: any ControlStore
    private var observer: (@Sendable (Registry, RegistryNews) -> Void)?
    private var isChanging = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Reads everything there is.
    ///
    /// - Throws: `StoreError.unavailable`.
    package init(store: any ControlStore) async throws(StoreError) {
        self.store = store
        self.registry = Registry(try await store.snapshot())
    }

    /// Follows what others commit, until the task is cancelled.
    ///
    /// - Throws: `StoreError.unavailable` when the store cannot be read any more; what is known by then
    ///   stays known, and this may be called again.
    package func run() async throws {
        while !Task.isCancelled {
            do {
                for try await changes in self.store.changes(after: self.registry.revision) {
                    self.apply(changes)
                }
            } catch StoreError.compacted {
                self.replace(Registry(try await self.store.snapshot()))
            }
        }
    }

    /// Tells `observer` the registry now, and after each change, with what has changed, in place of the one
    /// before it; nobody if it is nil. Whoever makes a change is answered after the observer has been told.
    ///
    /// An observer does not keep the registry: the next change would have to copy all of it.
    package func observe(_ observer: (@Sendable (Registry, RegistryNews) -> Void)?) {
        self.observer = observer
        observer?(self.registry, .everything)
    }

    /// Makes what `decide` makes of the registry, and again of a later one when somebody else has
    /// changed what it depends on. The registry has the change, and the observer knows, when this returns.
    ///
    /// Changes of one process are made one after the other: decided side by side, all but one would be
    /// decided in vain.
    ///
    /// - Returns: the revision that the change made.
    /// - Throws: `ControlError` when `decide` does; `StoreError` when the store does not do it, a
    ///   conflict with another process only after eight of them in a row, `busy` with 1,024 changes waiting.
    @discardableResult
    package func change(
        _ decide: @Sendable (Registry) throws(ControlError) -> StoreTransaction
    ) async throws -> StoreRevision {
        try await self.takeTurn()
        defer { self.endTurn() }
        var attempt = 1
        while true {
            let seen = self.registry.revision
            do {
                let revision = try await self.store.commit(try decide(self.registry))
                try await self.catchUp(to: revision)
                return revision
            } catch let error as StoreError where error.isPassing && attempt < Self.attempts {
                attempt += 1
                let latest = try await self.store.latestRevision()
                // Over what there is now the same would come of it.
                guard latest > seen else { throw error }
                try await self.catchUp(to: latest)
            }
        }
    }

    /// Knows what others have committed by now; without it that may take a fifth of a second.
    ///
    /// - Throws: `StoreError.unavailable`; `CancellationError`.
    package func refresh() async throws {
        try await self.catchUp(to: try await self.store.latestRevision())
    }

    /// The audit trail, latest first: see `ControlStore.audit(before:limit:)`.
    ///
    /// - Throws: `StoreError.unavailable`.
    package nonisolated func audit(
        before revision: StoreRevision,
        limit: Int
    ) async throws(StoreError) -> [(revision: StoreRevision, entry: AuditEntry)] {
        try await self.store.audit(before: revision, limit: limit)
    }

    /// What made some records that are in the registry: see `ControlStore.audit(of:)`.
    ///
    /// - Throws: `StoreError.unavailable`.
    package nonisolated func audit(
        of revisions: [StoreRevision]
    ) async throws(StoreError) -> [StoreRevision: AuditEntry] {
        try await self.store.audit(of: revisions)
    }

    /// Closes the store: no change can be made from now on.
    ///
    /// - Throws: see `ControlStore.close()`.
    package nonisolated func close() async throws(StoreError) { try await self.store.close() }

    private func catchUp(to revision: StoreRevision) async throws {
        do {
            while self.registry.revision < revision {
                for try await changes in self.store.changes(after: self.registry.revision) {
                    self.apply(changes)
                    break
                }
                try Task.checkCancellation()
            }
        } catch StoreError.compacted {
            self.replace(Registry(try await self.store.snapshot()))
        }
    }

    private func apply(_ changes: StoreChanges) {
        guard changes.revision > self.registry.revision else { return }
        let tunnels = self.registry.apply(changes)
        self.observer?(self.registry, .tunnels(tunnels))
    }

    private func replace(_ registry: Registry) {
        guard registry.revision > self.registry.revision else { return }
        self.registry = registry
        self.observer?(registry, .everything)
    }

    private func takeTurn() async throws(StoreError) {
        guard self.isChanging else { return self.isChanging = true }
        guard self.waiting.count < Self.maximumWaiting else { throw .busy }
        await withCheckedContinuation { self.waiting.append($0) }
    }

    private func endTurn() {
        guard !self.waiting.isEmpty else { return self.isChanging = false }
        self.waiting.removeFirst().resume()
    }
}

extension StoreError {
    /// Whether the same may succeed over a later registry: it was decided over an old one.
    fileprivate var isPassing: Bool {
        switch self {
        case .conflict, .fenced, .taken: true
        case .compacted, .busy, .full, .unavailable: false
        }
    }
}
