import CulvertControl
import Foundation
import HTTPSemantics
import Testing
import TunnelWire

@testable import CulvertEdge

/// A table that goes on with the store is the table that would be made of it.
@Suite(.timeLimit(.minutes(1))) struct TunnelTableTests {
    @Test(arguments: 0..<8)
    func changesInPlaceMakeTheTableThatARebuildMakes(seed: UInt64) throws {
        var world = RandomStore(seed: seed)
        var registry = Registry.empty
        var table = TunnelTable()
        var declared: [DeclaredTunnel] = []
        var served = 0
        for step in 0..<100 {
            if world.isOneOf(10) {
                declared = try world.declared()
                table = try TunnelTable(
                    declared: declared,
                    stored: table.stored,
                    pools: table.pools
                )
            }
            let before = table
            let changes = try world.change()
            let concerned = registry.apply(changes)
            let consequences = table.apply(
                concerned.map { ($0, ServedTunnel($0, in: registry)) }
            )
            let rebuilt = try TunnelTable(
                declared: declared,
                stored: ServedTunnel.all(in: Registry(world.snapshot)),
                pools: table.pools
            )
            let wrong =
                Self.differences(table, rebuilt) + Self.omissions(before, table, consequences)
            try #require(wrong.isEmpty, "seed \(seed), step \(step): \(wrong)")
            served += table.routes.count
        }
        #expect(served > 0)
    }

    private static let patterns = RandomStore.hostnames.compactMap { try? HostPattern($0) }
    private static let hosts = RandomStore.hosts.compactMap { try? NormalizedHost($0) }

    /// In what two tables do not look alike.
    private static func differences(_ table: TunnelTable, _ rebuilt: TunnelTable) -> [String] {
        var found: [String] = []
        func same(_ isSame: Bool, _ what: String) { if !isSame { found.append(what) } }
        same(table.stored == rebuilt.stored, "stored tunnels")
        same(Set(table.keys.keys) == Set(rebuilt.keys.keys), "keys")
        for (publicKey, key) in table.keys {
            let other = rebuilt.keys[publicKey]
            same(key.tunnel == other?.tunnel && key.name == other?.name, "whose a key is")
            same(key.hostnames == other?.hostnames, "what a key serves")
            same(key.expiresAt == other?.expiresAt, "when a key expires")
            same(key.askable == other?.askable, "what a key may ask for")
        }
        same(table.expiries == rebuilt.expiries, "when keys expire")
        same(table.configurations == rebuilt.configurations, "configurations")
        same(table.shadowed == rebuilt.shadowed, "shadowed hostnames")
        same(table.routes.count == rebuilt.routes.count, "how many rows there are")
        for pattern in Self.patterns {
            let (row, other) = (table.routes[pattern], rebuilt.routes[pattern])
            same(row?.tunnel == other?.tunnel, "where \(pattern) leads")
            same(row?.balance == other?.balance, "the balance of \(pattern)")
            same(row?.hostname == other?.hostname, "the text of \(pattern)")
            same(row?.pool === row.flatMap { table.pools[$0.tunnel] }, "the pool of \(pattern)")
        }
        for host in Self.hosts {
            let (one, other) = (table.routes.lookUp(host), rebuilt.routes.lookUp(host))
            same(one?.target.tunnel == other?.target.tunnel, "where \(host) leads")
            same(one?.match == other?.match, "why \(host) leads there")
        }
        same(Set(table.pools.keys) == Set(rebuilt.pools.keys), "pools")
        return found
    }

    /// Whom a change concerns and who was not told, and which pools did not stay.
    private static func omissions(
        _ former: TunnelTable,
        _ table: TunnelTable,
        _ consequences: TunnelTable.Consequences
    ) -> [String] {
        var found: [String] = []
        func holds(_ isTrue: Bool, _ what: String) { if !isTrue { found.append(what) } }
        for (identity, pool) in former.pools {
            holds(table.pools[identity].map { $0 === pool } ?? true, "a pool of \(identity)")
        }
        for id in Set(table.stored.keys).union(former.stored.keys)
        where former.stored[id] != table.stored[id] {
            holds(consequences.tunnels.contains(.stored(id)), "a change of \(id)")
        }
        for host in Self.hosts {
            guard let row = former.routes.target(for: host),
                table.routes.target(for: host)?.pool !== row.pool
            else { continue }
            holds(consequences.pools.contains { $0 === row.pool }, "who waits for \(host)")
        }
        for pattern in Self.patterns {
            guard let row = table.routes[pattern], former.routes[pattern]?.tunnel != row.tunnel
            else { continue }
            holds(consequences.taken.contains(pattern), "\(pattern) was taken")
        }
        let news = table.shadowed.subtracting(former.shadowed)
        holds(news.isSubset(of: consequences.shadowed), "shadowed hostnames")
        return found
    }

    @Test func keysExpireInOrder() throws {
        let keys = try (1...9).map {
            try #require(TunnelPublicKey([UInt8](repeating: $0, count: 32)))
        }
        let start = Date(timeIntervalSince1970: 1_000)
        var expiries = KeyExpiries(zip(keys, [3, 1, 2]).map { (key: $0, at: start + $1) })
        expiries.insert(keys[3], at: start + 2)
        #expect(expiries.keys(after: start, through: start + 9) == [1, 2, 3, 0].map { keys[$0] })
        #expect(expiries.keys(after: start + 1, through: start + 2) == [keys[2], keys[3]])
        expiries.remove(keys[2], at: start + 2)
        // With another date it is another entry.
        expiries.remove(keys[0], at: start + 1)
        #expect(expiries.keys(after: start, through: start + 9) == [1, 3, 0].map { keys[$0] })
        #expect(expiries.keys(after: start + 3, through: start + 9).isEmpty)
        #expect(expiries.keys(after: start + 9, through: start).isEmpty)
    }
}
