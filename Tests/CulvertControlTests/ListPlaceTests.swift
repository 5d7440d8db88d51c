import CulvertControl
import Foundation
import Testing

/// Lists that are read page by page, of a registry with thousands of tunnels.
@Suite struct ListPlaceTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    /// Accounts with so many tunnels each; one has none, and names of one begin as another's do.
    private let accounts: [Account]
    private var registry = Registry.empty

    init() throws {
        let names = ["ann", "ann-2", "ann.b", "bob", "carl", "dora"]
        self.accounts = names.map { Account(name: $0, role: .member, createdAt: Self.now) }
        var records: [StoreRecord] = []
        for (account, count) in zip(self.accounts, [1_500, 1, 700, 0, 999, 1_000]) {
            records.append(.account(account))
            records += (0..<count).map { .tunnel(self.tunnel("t\($0)", of: account)) }
        }
        self.apply(records.shuffled())
    }

    private func tunnel(_ name: String, of account: Account) -> Tunnel {
        Tunnel(owner: account.id, name: name, createdAt: Self.now)
    }

    private mutating func apply(_ written: [StoreRecord], deleted: [StoreKey] = []) {
        let revision = StoreRevision(self.registry.revision.number + 1)
        let records = written.map { StoredRecord($0, at: revision) }
        self.registry.apply(
            StoreChanges(revision: revision, written: records, deleted: deleted)
        )
    }

    private func place(of tunnel: Tunnel) -> ListPlace {
        let account = self.accounts.first { $0.id == tunnel.owner }
        return ListPlace(account: account?.name ?? "", name: tunnel.name)
    }

    /// Reads all pages, with the place between them as text; `turn` may change the registry after each.
    private mutating func read(
        _ limit: Int,
        turn: (inout Self, ListPlace) -> Void = { _, _ in }
    ) -> [Tunnel] {
        var all: [Tunnel] = []
        var place: ListPlace?
        while true {
            let page = self.registry.tunnels(of: self.accounts, after: place, limit: limit)
            guard let last = page.last, page.count <= limit else { return all }
            all += page
            let next = ListPlace("\(self.place(of: last))")
            place = next
            turn(&self, next)
        }
    }

    @Test(arguments: [1_000, 999, 137, 10_000])
    func everyTunnelIsOnOnePage(limit: Int) throws {
        var world = try ListPlaceTests()
        let read = world.read(limit).map { world.place(of: $0) }
        #expect(read.count == 4_200)
        #expect(read == read.sorted())
        #expect(Set(read.map(\.description)).count == 4_200)
    }

    @Test func whatIsThereAllTheTimeIsReadOnceWhileOthersComeAndGo() throws {
        var world = try ListPlaceTests()
        let before = Set(world.accounts.flatMap { world.registry.tunnels(of: $0.id) }.map(\.id))
        var deleted: Set<TunnelID> = []
        var made: Set<TunnelID> = []
        let read = world.read(211) { world, place in
            // The last of the page itself, one that was read, one that was not; and one on either side.
            let account = world.accounts.first { $0.name == place.account }
            guard let account else { return }
            let tunnels = world.registry.tunnels(of: account.id)
            let gone = [
                world.registry.tunnel(named: place.name, of: account.id), tunnels.first,
                tunnels.last,
            ].compactMap(\.self)
            let new = [
                world.tunnel("0\(made.count)", of: account),
                world.tunnel("zz\(made.count)", of: account),
            ]
            deleted.formUnion(gone.map(\.id))
            made.formUnion(new.map(\.id))
            world.apply(new.map { .tunnel($0) }, deleted: Array(Set(gone.map { .tunnel($0.id) })))
        }
        let ids = read.map(\.id)
        #expect(Set(ids).count == ids.count)
        #expect(before.subtracting(deleted).isSubset(of: ids))
        #expect(Set(ids).isSubset(of: before.union(made)))
        #expect(deleted.count > 20)
    }

    @Test func accountsAreReadInPages() {
        #expect(self.registry.accounts(after: nil, limit: 2).map(\.name) == ["ann", "ann-2"])
        let rest = self.registry.accounts(after: "ann-2", limit: 9).map(\.name)
        #expect(rest == ["ann.b", "bob", "carl", "dora"])
        // One that is gone is a place all the same.
        #expect(self.registry.accounts(after: "b", limit: 1).map(\.name) == ["bob"])
        #expect(self.registry.accounts(after: "dora", limit: 1).isEmpty)
    }

    @Test func aPlaceIsWhateverSomebodyWrites() {
        #expect(ListPlace("ann/web") == ListPlace(account: "ann", name: "web"))
        #expect(ListPlace("ann") == ListPlace(account: "ann", name: ""))
        #expect(ListPlace("") < ListPlace("a"))
        #expect(ListPlace("a/b/c") == ListPlace(account: "a", name: "b/c"))
        // The account first: `-` and `.` come before `/`.
        #expect(ListPlace("ann/z") < ListPlace("ann-2/a"))
    }
}
