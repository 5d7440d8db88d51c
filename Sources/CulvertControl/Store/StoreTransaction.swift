/// What is to be changed together, on what condition.
package struct StoreTransaction: Sendable {
    /// The revision each key is to have; `none` that there is to be no record.
    package private(set) var expectations: [StoreKey: StoreRevision] = [:]
    /// Kinds of which nothing may have been committed after a revision.
    package private(set) var fences: [StoreKey.Kind: StoreRevision] = [:]
    package private(set) var writes: [StoreRecord] = []
    package private(set) var deletions: [StoreKey] = []
    package var audit: AuditEntry

    package init(audit: AuditEntry) { self.audit = audit }

    /// Adds a record that is not there.
    package mutating func create(_ record: StoreRecord) {
        self.expect(record.key, at: .none)
        self.writes.append(record)
    }

    /// Writes a record over the one of `revision`.
    package mutating func replace(_ record: StoreRecord, at revision: StoreRevision) {
        self.expect(record.key, at: revision)
        self.writes.append(record)
    }

    /// Deletes the record of `revision`.
    package mutating func delete(_ key: StoreKey, at revision: StoreRevision) {
        self.expect(key, at: revision)
        self.deletions.append(key)
    }

    /// Makes nothing happen unless the record of `key` is still that of `revision`.
    package mutating func expect(_ key: StoreKey, at revision: StoreRevision) {
        self.expectations[key] = revision
    }

    /// Makes nothing happen if any record of `kind` was written or deleted after `revision`.
    package mutating func fence(_ kind: StoreKey.Kind, at revision: StoreRevision) {
        self.fences[kind] = revision
    }
}

/// Why a store did not do what it was asked.
package enum StoreError: Error, Sendable, Equatable {
    /// Somebody has changed a record, or made or deleted one, since the caller looked.
    case conflict(StoreKey)
    /// Somebody has changed records of the kind since the caller looked.
    case fenced(StoreKey.Kind)
    /// A name that is to be unique is taken: of an account, or of a tunnel among its owner's.
    case taken(StoreKey.Kind, name: String)
    /// Changes from so long ago are not kept any more: start from a snapshot.
    case compacted
    /// Another process has been writing for too long, or too many changes wait for their turn.
    case busy
    /// No room is left where the store is.
    case full
    /// The store cannot be used, in words for a person who can mend that.
    case unavailable(String)
}

extension StoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .conflict, .fenced: "somebody else changed it at the same time; try again"
        case .taken(let kind, let name): "there is \(kind.article) \"\(name)\" already"
        case .compacted: "changes from so long ago are not kept"
        case .busy: "others are writing to the store; try again"
        case .full: "no room is left on the disk of the store; nothing was changed"
        case .unavailable(let words): words
        }
    }
}

extension StoreKey.Kind {
    fileprivate var article: String {
        switch self {
        case .account: "an account"
        case .token: "a token"
        case .key: "a key"
        case .tunnel: "a tunnel"
        case .hostname: "a hostname"
        case .configuration: "a configuration"
        }
    }
}
