/// Where an edge keeps what must outlive it; see the page of this module.
///
/// Any thread. Implementations do not decide anything: what may be done is asked of a ``Registry``.
package protocol ControlStore: Sendable {
    /// All records, of one revision.
    ///
    /// - Throws: `StoreError.unavailable`.
    func snapshot() async throws(StoreError) -> StoreSnapshot

    /// The revision that the latest commit made, by anyone.
    ///
    /// - Throws: `StoreError.unavailable`.
    func latestRevision() async throws(StoreError) -> StoreRevision

    /// Makes all changes of a transaction, or none; they are kept when this returns.
    ///
    /// - Returns: the revision that the transaction made.
    /// - Throws: `StoreError`; nothing was changed then.
    @discardableResult
    func commit(_ transaction: StoreTransaction) async throws(StoreError) -> StoreRevision

    /// What every commit after `revision` changed, whoever made it, in order and without a gap.
    ///
    /// Ends with `StoreError.compacted` when that is too long ago, and when its task is cancelled.
    func changes(after revision: StoreRevision) -> AsyncThrowingStream<StoreChanges, any Error>

    /// The audit trail, latest first.
    ///
    /// - Parameters:
    ///   - revision: entries of before this revision only.
    ///   - limit: how many at most.
    /// - Returns: each commit's entry with the revision it made.
    /// - Throws: `StoreError.unavailable`.
    func audit(
        before revision: StoreRevision,
        limit: Int
    ) async throws(StoreError) -> [(revision: StoreRevision, entry: AuditEntry)]

    /// The entries of the audit trail that some commits made.
    ///
    /// - Parameter revisions: 1,001 at most.
    /// - Returns: those that are known, by the revision that the commit made.
    /// - Throws: `StoreError.unavailable`.
    func audit(
        of revisions: [StoreRevision]
    ) async throws(StoreError) -> [StoreRevision: AuditEntry]

    /// Copies everything, of one revision, to a new file of this machine, while commits go on.
    ///
    /// - Throws: `StoreError`; the file is not there then. One that exists is never written over.
    func backUp(to path: String) async throws(StoreError)

    /// Leaves everything in order for the next who opens it. Whatever is asked afterwards fails.
    ///
    /// - Throws: `StoreError`; everything that was committed is there all the same.
    func close() async throws(StoreError)
}
