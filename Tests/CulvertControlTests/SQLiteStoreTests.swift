import Foundation
import GRDB
import HTTPSemantics
import Testing

@testable import CulvertControl

/// What every store promises, and what becomes of this one's file.
@Suite struct SQLiteStoreTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000.125)

    /// A directory that goes with the test.
    private final class Folder {
        let path = NSTemporaryDirectory() + "culvert-store-\(UUID().uuidString)"
        var file: String { self.path + "/edge.db" }

        init() throws {
            try FileManager.default.createDirectory(
                atPath: self.path,
                withIntermediateDirectories: true
            )
        }

        deinit { try? FileManager.default.removeItem(atPath: self.path) }
    }

    private static func account(_ name: String) -> Account {
        Account(
            name: name,
            role: .member,
            maximumTunnels: 3,
            suffixes: [try? NormalizedHost("example.com"), try? NormalizedHost("x.test")]
                .compactMap { $0 },
            createdAt: Self.now
        )
    }

    private static func transaction(
        _ action: String = "test",
        _ change: (inout StoreTransaction) -> Void
    ) -> StoreTransaction {
        var transaction = StoreTransaction(
            audit: AuditEntry(
                at: Self.now,
                actor: .operator,
                action: action,
                subject: "subject",
                details: ["why": "a \"test\""]
            )
        )
        change(&transaction)
        return transaction
    }

    /// One record of each kind, with everything in it.
    private static func everything() throws -> [StoreRecord] {
        let account = Self.account("ann")
        let tunnel = Tunnel(owner: account.id, name: "web", createdAt: Self.now)
        return [
            .account(account),
            .tunnel(tunnel),
            .key(
                TunnelKey(
                    publicKey: try #require(TunnelPublicKey(0..<32)),
                    tunnel: tunnel.id,
                    label: "laptop; DROP TABLE key",
                    hostnames: [try HostPattern("*.a.example.com"), try HostPattern("b.test")],
                    expiresAt: Self.now.addingTimeInterval(60),
                    createdAt: Self.now
                )
            ),
            .token(
                AccessToken(
                    account: account.id,
                    purpose: .session,
                    secretHash: [UInt8](repeating: 7, count: 32),
                    label: "übung",
                    expiresAt: nil,
                    usedAt: Self.now.addingTimeInterval(30),
                    createdAt: Self.now
                )
            ),
            .hostname(
                HostnameClaim(
                    pattern: try HostPattern("*.bücher.example"),
                    tunnel: tunnel.id,
                    balance: .sticky,
                    createdAt: Self.now
                )
            ),
            .configuration(
                RemoteConfiguration(
                    tunnel: tunnel.id,
                    version: 1,
                    text: "ingress:\n  - service: http_status:404\n",
                    changedAt: Self.now
                )
            ),
        ]
    }

    @Test func whatIsCommittedIsThereAfterReopening() async throws {
        let folder = try Folder()
        let records = try Self.everything()
        do {
            let store = try SQLiteStore(file: folder.file)
            #expect(try await store.snapshot() == StoreSnapshot(revision: .none, records: []))
            let revision = try await store.commit(
                Self.transaction { transaction in
                    for record in records { transaction.create(record) }
                }
            )
            #expect(revision == StoreRevision(1))
        }
        let store = try SQLiteStore(file: folder.file)
        let snapshot = try await store.snapshot()
        #expect(snapshot.revision == StoreRevision(1))
        #expect(snapshot.records == records.map { StoredRecord($0, at: StoreRevision(1)) })
        let registry = Registry(snapshot)
        #expect(registry.account(named: "ann")?.suffixes.count == 2)
        let audit = try await store.audit(before: StoreRevision(100), limit: 10)
        #expect(audit.map(\.entry) == [Self.transaction { _ in }.audit])
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.file)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    }

    /// A file of the first schema, from before hostnames had settings.
    @Test func anOlderFileIsBroughtToThisSchema() async throws {
        let folder = try Folder()
        let tunnel = TunnelID()
        do {
            let database = try DatabaseQueue(path: folder.file)
            try SQLiteStore.migrator.migrate(database, upTo: "1")
            try await database.write { db in
                try db.execute(
                    sql: "INSERT INTO hostname VALUES ('a.test', 1, ?, 5000)",
                    arguments: ["\(tunnel)"]
                )
                try db.execute(
                    sql: """
                        UPDATE state SET revision = 1;
                        INSERT INTO audit VALUES (1, 5000, 'operator', 'test', 'subject', '{}');
                        """
                )
            }
            try database.close()
        }
        let claim = HostnameClaim(
            pattern: try HostPattern("a.test"),
            tunnel: tunnel,
            balance: .leastRequests,
            createdAt: Date(timeIntervalSince1970: 5)
        )
        let snapshot = try await SQLiteStore(file: folder.file).snapshot()
        #expect(snapshot.records == [StoredRecord(.hostname(claim), at: StoreRevision(1))])
    }

    /// A file of the second schema, from before sessions ended by themselves.
    @Test func sessionsOfAnOlderFileCountFromNow() async throws {
        let folder = try Folder()
        let (account, session, code) = (AccountID(), TokenID(), TokenID())
        do {
            let database = try DatabaseQueue(path: folder.file)
            try SQLiteStore.migrator.migrate(database, upTo: "2-balance")
            try await database.write { db in
                let rows: [(TokenID, String, Int64?)] = [
                    (session, "session", nil), (code, "enrolment", 9),
                ]
                for (id, purpose, expiresAt) in rows {
                    try db.execute(
                        sql: "INSERT INTO token VALUES (?, 1, ?, ?, x'07', 'old', ?, 5000)",
                        arguments: ["\(id)", "\(account)", purpose, expiresAt]
                    )
                }
                try db.execute(
                    sql: """
                        UPDATE state SET revision = 1;
                        INSERT INTO audit VALUES (1, 5000, 'operator', 'test', 'subject', '{}');
                        """
                )
            }
            try database.close()
        }
        let before = Date().addingTimeInterval(-1)
        let registry = Registry(try await SQLiteStore(file: folder.file).snapshot())
        let kept = try #require(registry.token(session))
        let usedAt = try #require(kept.usedAt)
        #expect((before...Date()).contains(usedAt))
        #expect(kept.expiresAt == usedAt + AccessToken.lifetimeSeconds)
        #expect(kept.endsAt == usedAt + AccessToken.idleSeconds)
        #expect(kept.createdAt == Date(timeIntervalSince1970: 5))
        let invitation = try #require(registry.token(code))
        #expect(invitation.usedAt == nil)
        #expect(invitation.expiresAt == Date(timeIntervalSince1970: 0.009))
    }

    @Test func nobodyWritesOverWhatHeHasNotSeen() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        var account = Self.account("ann")
        let key = StoreKey.account(account.id)
        let first = try await store.commit(Self.transaction { $0.create(.account(account)) })
        await #expect(throws: StoreError.conflict(key)) {
            try await store.commit(Self.transaction { $0.create(.account(account)) })
        }
        account.maximumTunnels = 5
        let second = try await store.commit(
            Self.transaction { $0.replace(.account(account), at: first) }
        )
        #expect(second > first)
        await #expect(throws: StoreError.conflict(key)) {
            try await store.commit(Self.transaction { $0.replace(.account(account), at: first) })
        }
        await #expect(throws: StoreError.conflict(key)) {
            try await store.commit(Self.transaction { $0.delete(key, at: first) })
        }
        try await store.commit(Self.transaction { $0.delete(key, at: second) })
        await #expect(throws: StoreError.conflict(key)) {
            try await store.commit(Self.transaction { $0.delete(key, at: second) })
        }
        let snapshot = try await store.snapshot()
        #expect(snapshot == StoreSnapshot(revision: StoreRevision(3), records: []))
        // What was refused is not in the audit trail either.
        #expect(try await store.audit(before: StoreRevision(100), limit: 10).count == 3)
    }

    @Test func allOfATransactionOrNothing() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        try await store.commit(Self.transaction { $0.create(.account(Self.account("ann"))) })
        await #expect(throws: StoreError.taken(.account, name: "ann")) {
            try await store.commit(
                Self.transaction {
                    $0.create(.account(Self.account("bob")))
                    $0.create(.account(Self.account("ann")))
                }
            )
        }
        #expect(Registry(try await store.snapshot()).account(named: "bob") == nil)
        #expect(try await store.snapshot().revision == StoreRevision(1))
    }

    @Test func aFenceStopsWhatWasDecidedTooEarly() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        let seen = try await store.snapshot().revision
        let claim = HostnameClaim(
            pattern: try HostPattern("*.example.com"),
            tunnel: TunnelID(),
            createdAt: Self.now
        )
        let written = try await store.commit(Self.transaction { $0.create(.hostname(claim)) })
        let other = Self.transaction {
            $0.create(.account(Self.account("ann")))
            $0.fence(.hostname, at: seen)
        }
        await #expect(throws: StoreError.fenced(.hostname)) { try await store.commit(other) }
        // Deletions count, too.
        let deleted = try await store.commit(
            Self.transaction { $0.delete(.hostname(claim.pattern), at: written) }
        )
        let late = Self.transaction {
            $0.create(.account(Self.account("ann")))
            $0.fence(.hostname, at: written)
        }
        await #expect(throws: StoreError.fenced(.hostname)) { try await store.commit(late) }
        try await store.commit(
            Self.transaction {
                $0.create(.account(Self.account("ann")))
                $0.fence(.hostname, at: deleted)
            }
        )
    }

    @Test(.timeLimit(.minutes(1)))
    func changesComeInOrderFromEveryProcess() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        // Another connection to the file is what another process would be.
        let other = try SQLiteStore(file: folder.file)
        var registry = Registry(try await store.snapshot())
        var changes = store.changes(after: registry.revision).makeAsyncIterator()
        let ann = Self.account("ann")
        let first = try await store.commit(Self.transaction { $0.create(.account(ann)) })
        registry.apply(try #require(try await changes.next()))
        #expect(registry.account(named: "ann") == ann)
        try await other.commit(Self.transaction { $0.delete(.account(ann.id), at: first) })
        registry.apply(try #require(try await changes.next()))
        #expect(registry.account(named: "ann") == nil && registry.revision == StoreRevision(2))
        let again = Self.account("ann")
        try await other.commit(Self.transaction { $0.create(.account(again)) })
        registry.apply(try #require(try await changes.next()))
        #expect(registry.account(named: "ann") == again)
        // Whoever was away catches up: what is deleted and what was written since.
        var late = Registry(StoreSnapshot(revision: .none, records: []))
        var catching = other.changes(after: .none).makeAsyncIterator()
        late.apply(try #require(try await catching.next()))
        #expect(late.account(named: "ann") == again && late.account(ann.id) == nil)
    }

    @Test(.timeLimit(.minutes(1)))
    func changesOfLongAgoAreNotInvented() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        try await store.commit(Self.transaction { $0.create(.account(Self.account("ann"))) })
        try await store.database.write { db in
            try db.execute(sql: "UPDATE state SET revision = 20000")
        }
        try await store.commit(Self.transaction { $0.create(.account(Self.account("bob"))) })
        var changes = store.changes(after: StoreRevision(1)).makeAsyncIterator()
        await #expect(throws: StoreError.compacted) { try await changes.next() }
        var recent = store.changes(after: StoreRevision(15_000)).makeAsyncIterator()
        #expect(try await recent.next()?.revision == StoreRevision(20_001))
    }

    @Test(.timeLimit(.minutes(1)))
    func ofManyWritersNoneLosesAnything() async throws {
        let folder = try Folder()
        let stores = [try SQLiteStore(file: folder.file), try SQLiteStore(file: folder.file)]
        let tunnel = TunnelID()
        func configuration(_ version: Int) -> StoreRecord {
            .configuration(
                RemoteConfiguration(
                    tunnel: tunnel,
                    version: version,
                    text: "",
                    changedAt: Self.now
                )
            )
        }
        try await stores[0].commit(Self.transaction { $0.create(configuration(0)) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    let store = stores[writer % 2]
                    var done = 0
                    while done < 25 {
                        let snapshot = try await store.snapshot()
                        let stored = try #require(snapshot.records.first)
                        guard case .configuration(let found) = stored.record else { return }
                        do {
                            try await store.commit(
                                Self.transaction {
                                    $0.replace(
                                        configuration(found.version + 1),
                                        at: stored.revision
                                    )
                                }
                            )
                            done += 1
                        } catch StoreError.conflict {
                            continue
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let registry = Registry(try await stores[1].snapshot())
        #expect(registry.configuration(of: tunnel)?.version == 100)
        #expect(registry.revision == StoreRevision(101))
    }

    @Test func aBackupIsWholeWhileCommitsGoOn() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        for number in 0..<20 {
            try await store.commit(
                Self.transaction { $0.create(.account(Self.account("a\(number)"))) }
            )
        }
        async let writing: Void = {
            for number in 20..<60 {
                try await store.commit(
                    Self.transaction { $0.create(.account(Self.account("a\(number)"))) }
                )
            }
        }()
        let copy = folder.path + "/backup.db"
        try await store.backUp(to: copy)
        try await writing
        let snapshot = try await SQLiteStore(file: copy).snapshot()
        #expect(snapshot.records.count == Int(snapshot.revision.number))
        #expect((20...60).contains(snapshot.records.count))
        let error = await #expect(throws: StoreError.self) { try await store.backUp(to: copy) }
        #expect(error?.description.contains("exists already") == true)
        await #expect(throws: StoreError.self) {
            try await store.backUp(to: folder.path + "/nowhere/backup.db")
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path)
                .allSatisfy { !$0.hasSuffix(".unfinished") }
        )
    }

    @Test func aFullDiskChangesNothing() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        let pages = try await store.database.write { db in
            try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        }
        try await store.database.write { db in
            try db.execute(sql: "PRAGMA max_page_count = \(pages + 2)")
        }
        let large = RemoteConfiguration(
            tunnel: TunnelID(),
            version: 1,
            text: String(repeating: "x", count: 200_000),
            changedAt: Self.now
        )
        await #expect(throws: StoreError.full) {
            try await store.commit(Self.transaction { $0.create(.configuration(large)) })
        }
        #expect(try await store.snapshot().records.isEmpty)
        try await store.database.write { db in
            try db.execute(sql: "PRAGMA max_page_count = 100000")
        }
        try await store.commit(Self.transaction { $0.create(.configuration(large)) })
    }

    @Test func aDamagedFileIsNamedAndLeftAlone() async throws {
        let folder = try Folder()
        do {
            let store = try SQLiteStore(file: folder.file)
            for number in 0..<200 {
                try await store.commit(
                    Self.transaction { $0.create(.account(Self.account("a\(number)"))) }
                )
            }
            try await store.database.writeWithoutTransaction { db in
                _ = try db.checkpoint(.truncate)
            }
            try store.database.close()
        }
        var bytes = try Data(contentsOf: URL(fileURLWithPath: folder.file))
        for offset in stride(from: 8192, to: bytes.count, by: 4096) {
            bytes.replaceSubrange(offset..<offset + 64, with: Data(repeating: 0xFF, count: 64))
        }
        try bytes.write(to: URL(fileURLWithPath: folder.file))
        let error = #expect(throws: StoreError.self) { try SQLiteStore(file: folder.file) }
        let words = error?.description ?? ""
        #expect(words.contains(folder.file) && words.contains("damaged"), "\(words)")
        #expect(words.contains("culvert edge backup"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file)) == bytes)
    }

    @Test func otherFilesAreRefused() async throws {
        let folder = try Folder()
        try Data("tunnels: []\n# not a database, but long enough to be taken for one".utf8)
            .write(to: URL(fileURLWithPath: folder.file))
        let text = #expect(throws: StoreError.self) { try SQLiteStore(file: folder.file) }
        #expect(text?.description.contains("damaged") == true)

        let foreign = folder.path + "/other.db"
        let database = try DatabaseQueue(path: foreign)
        try await database.write { try $0.execute(sql: "CREATE TABLE guests (name TEXT)") }
        try database.close()
        let other = #expect(throws: StoreError.self) { try SQLiteStore(file: foreign) }
        #expect(other?.description.contains("another program's") == true)

        let later = folder.path + "/later.db"
        do {
            let store = try SQLiteStore(file: later)
            try await store.database.write { db in
                try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('999')")
            }
        }
        let newer = #expect(throws: StoreError.self) { try SQLiteStore(file: later) }
        #expect(newer?.description.contains("later version") == true)

        let nowhere = #expect(throws: StoreError.self) {
            try SQLiteStore(file: folder.path + "/missing/edge.db")
        }
        #expect(nowhere?.description.contains("No such file") == true)
    }

    @Test(.timeLimit(.minutes(2)))
    func tenThousandTunnelsAreReadAtOnce() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        let owner = Self.account("ann")
        var transaction = Self.transaction { $0.create(.account(owner)) }
        for number in 0..<10_000 {
            let tunnel = Tunnel(owner: owner.id, name: "t\(number)", createdAt: Self.now)
            transaction.create(.tunnel(tunnel))
            let bytes = (0..<32).map { UInt8(truncatingIfNeeded: (number + 1) >> ($0 % 4 * 8)) }
            let key = try #require(TunnelPublicKey(bytes))
            transaction.create(
                .key(
                    TunnelKey(publicKey: key, tunnel: tunnel.id, label: "", createdAt: Self.now)
                )
            )
            for name in ["a", "b"] {
                let pattern = try HostPattern("\(name)\(number).example.com")
                transaction.create(
                    .hostname(
                        HostnameClaim(pattern: pattern, tunnel: tunnel.id, createdAt: Self.now)
                    )
                )
            }
        }
        try await store.commit(transaction)
        let start = ContinuousClock.now
        let registry = Registry(try await SQLiteStore(file: folder.file).snapshot())
        print(
            "10,000 tunnels with 20,000 hostnames opened and read in \(ContinuousClock.now - start)"
        )
        #expect(registry.tunnels(of: owner.id).count == 10_000)
        #expect(Array(registry.claims).count == 20_000)
    }

    @Test func aFileThatWasMovedAwayIsNotWrittenTo() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("culvert-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("edge.db")
        let store = try SQLiteStore(file: file.path)
        let account = Account(name: "ann", role: .member, createdAt: Self.now)
        func commit() async throws {
            var transaction = StoreTransaction(
                audit: AuditEntry(at: Self.now, actor: .operator, action: "x", subject: "x")
            )
            transaction.create(.account(account))
            try await store.commit(transaction)
        }
        let away = folder.appendingPathComponent("away.db")
        try FileManager.default.moveItem(at: file, to: away)
        await #expect(throws: StoreError.self) { try await commit() }
        try Data().write(to: file)
        await #expect(throws: StoreError.self) { try await commit() }
        try FileManager.default.removeItem(at: file)
        try FileManager.default.moveItem(at: away, to: file)
        try await commit()
    }
}
