import Foundation
import GRDB
import Testing

@testable import CulvertControl

/// The store's file on its own: after a clean stop, beside somebody else's log, and out of a backup.
@Suite struct StoreRestoreTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    /// A directory that goes with the test, and a store in it.
    private final class Folder {
        let path = NSTemporaryDirectory() + "culvert-restore-\(UUID().uuidString)"
        var file: String { self.path + "/edge.db" }
        var copy: String { self.path + "/copy.db" }

        init() throws {
            try FileManager.default.createDirectory(
                atPath: self.path,
                withIntermediateDirectories: true
            )
        }

        deinit { try? FileManager.default.removeItem(atPath: self.path) }

        var names: [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: self.path)) ?? []).sorted()
        }

        func bytes(_ name: String) throws -> Data {
            try Data(contentsOf: URL(fileURLWithPath: self.path + "/" + name))
        }
    }

    private static func add(_ names: [String], to store: SQLiteStore) async throws {
        for name in names {
            var transaction = StoreTransaction(
                audit: AuditEntry(at: Self.now, actor: .operator, action: "add", subject: name)
            )
            transaction.create(.account(Account(name: name, role: .member, createdAt: Self.now)))
            try await store.commit(transaction)
        }
    }

    private static func names(_ file: String) async throws -> [String] {
        let store = try SQLiteStore(file: file)
        let names = Registry(try await store.snapshot()).accounts.map(\.name)
        try await store.close()
        return names
    }

    @Test func aClosedStoreIsOneWholeFile() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        try await Self.add(["ann", "bob"], to: store)
        #expect(folder.names.contains("edge.db-wal"))
        // With connections of its own that only read.
        _ = try await store.snapshot()
        try await store.close()
        #expect(folder.names == ["edge.db"])
        try FileManager.default.copyItem(atPath: folder.file, toPath: folder.copy)
        #expect(try await Self.names(folder.copy) == ["ann", "bob"])
        await #expect(throws: StoreError.self) { try await Self.add(["cat"], to: store) }
    }

    @Test func whatIsLeftOfAnotherStoreBesideAFileIsNoticed() async throws {
        let folder = try Folder()
        let before = try SQLiteStore(file: folder.file)
        try await Self.add((0..<100).map { "a\($0)" }, to: before)
        try await before.backUp(to: folder.copy)
        try await Self.add((0..<300).map { "b\($0)" }, to: before)
        try await before.close()
        let store = try SQLiteStore(file: folder.file)
        try await Self.add((0..<40).map { "c\($0)" }, to: store)
        // As somebody leaves it who puts only the file itself back.
        let log = try folder.bytes("edge.db-wal")
        try log.write(to: URL(fileURLWithPath: folder.copy + "-wal"))
        let error = #expect(throws: StoreError.self) { try SQLiteStore(file: folder.copy) }
        let words = error?.description ?? ""
        #expect(words.contains("damaged") && words.contains("culvert edge restore"), "\(words)")
    }

    @Test func aBackupTakesTheStoresPlaceAndWhatWasThereIsKept() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        try await Self.add(["ann"], to: store)
        try await store.backUp(to: folder.copy)
        let copy = try folder.bytes("copy.db")
        try await Self.add(["later"], to: store)
        let log = try folder.bytes("edge.db-wal")
        try await store.close()
        // The edge was killed: what was later is in the log only.
        try log.write(to: URL(fileURLWithPath: folder.file + "-wal"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o640],
            ofItemAtPath: folder.file
        )
        let restored = try SQLiteStore.restore(folder.copy, over: folder.file, at: Self.now)
        #expect(restored.accounts == 1 && restored.tunnels == 0)
        #expect(restored.changedAt == Self.now)
        let kept = try #require(restored.keptAs)
        #expect(kept == folder.file + ".before-20270115T080000Z")
        #expect(FileManager.default.fileExists(atPath: kept + "-wal"))
        #expect(try folder.bytes("copy.db") == copy)
        #expect(!folder.names.contains { $0.contains("restoring") || $0 == "edge.db-wal" })
        let mode = try FileManager.default.attributesOfItem(atPath: folder.file)[.posixPermissions]
        #expect(mode as? Int == 0o640)
        #expect(try await Self.names(folder.file) == ["ann"])
        #expect(try await Self.names(kept) == ["ann", "later"])
    }

    @Test func aBackupMakesAStoreWhereNoneIs() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.copy)
        try await Self.add(["ann"], to: store)
        try await store.close()
        let restored = try SQLiteStore.restore(folder.copy, over: folder.file, at: Self.now)
        #expect(restored.keptAs == nil)
        #expect(folder.names == ["copy.db", "edge.db"])
        #expect(try await Self.names(folder.file) == ["ann"])
    }

    @Test func aLogThatWasLeftBehindIsNotTakenForTheBackups() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        try await Self.add(["ann"], to: store)
        try await store.backUp(to: folder.copy)
        try await Self.add(["later"], to: store)
        let log = try folder.bytes("edge.db-wal")
        try await store.close()
        // Somebody has moved the file away, and only the file.
        try FileManager.default.removeItem(atPath: folder.file)
        try log.write(to: URL(fileURLWithPath: folder.file + "-wal"))
        let restored = try SQLiteStore.restore(folder.copy, over: folder.file, at: Self.now)
        let kept = try #require(restored.keptAs)
        #expect(FileManager.default.fileExists(atPath: kept + "-wal"))
        #expect(!folder.names.contains("edge.db-wal"))
        #expect(try await Self.names(folder.file) == ["ann"])
    }

    @Test func whatIsNoBackupChangesNothing() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(file: folder.file)
        try await Self.add((0..<200).map { "a\($0)" }, to: store)
        try await store.backUp(to: folder.copy)
        try await store.close()
        let before = try folder.bytes("edge.db")
        var damaged = try folder.bytes("copy.db")
        for offset in stride(from: 8192, to: damaged.count, by: 4096) {
            damaged.replaceSubrange(offset..<offset + 64, with: Data(repeating: 0xFF, count: 64))
        }
        let files: [(name: String, data: Data, words: String)] = [
            ("damaged.db", damaged, "is damaged"),
            ("text.db", Data(String(repeating: "no database", count: 200).utf8), "is damaged"),
            ("empty.db", Data(), "there is nothing in it"),
        ]
        for (name, data, words) in files {
            let file = folder.path + "/" + name
            try data.write(to: URL(fileURLWithPath: file))
            let error = #expect(throws: StoreError.self) {
                try SQLiteStore.restore(file, over: folder.file, at: Self.now)
            }
            let said = error?.description ?? ""
            #expect(said.contains(words) && said.contains(name), "\(said)")
        }
        for file in [folder.path + "/missing.db", folder.file] {
            #expect(throws: StoreError.self) {
                try SQLiteStore.restore(file, over: folder.file, at: Self.now)
            }
        }
        #expect(try folder.bytes("edge.db") == before)
        let names = ["copy.db", "damaged.db", "edge.db", "empty.db", "text.db"]
        #expect(folder.names == names)
    }

    @Test func whoMayNotUseAStoreIsToldWhoseItIs() {
        let words = StoreFileAccess.words(
            "/var/edge.db",
            owner: "culvert",
            mode: 0o600,
            process: "bob"
        )
        #expect(
            words.hasPrefix("/var/edge.db: Permission denied: it belongs to culvert (mode 600)")
        )
        #expect(words.contains("run this as culvert"))
    }
}
