import NIOCore
import NIOPosix
import Testing

@testable import StatusServer

@Suite("Metrics counted on several event loops", .timeLimit(.minutes(1)))
struct MetricsConcurrencyTests {
    /// Runs `body` on two loops at once, each `count` times, while a third thread renders.
    private func race(
        _ registry: MetricsRegistry,
        count: Int,
        _ body: @escaping @Sendable (_ loop: Int, _ turn: Int) -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let loops = group.makeIterator().enumerated().map { index, loop in
            loop.submit { for turn in 0..<count { body(index, turn) } }
        }
        var total = 0.0
        for _ in 0..<20 {
            let read = try Exposition(registry.render())
            let now = read["race_total"] ?? 0
            #expect(now >= total)
            total = now
        }
        for loop in loops { try await loop.get() }
        try await group.shutdownGracefully()
    }

    @Test("Two loops count, and the totals are exact")
    func exact() async throws {
        let registry = MetricsRegistry()
        let counter = registry.counter("race_total", help: "R.")
        let gauge = registry.gauge("level", help: "L.")
        let histogram = registry.histogram("race_seconds", help: "S.")
        try await self.race(registry, count: 50_000) { _, turn in
            counter.increment()
            counter.add(2)
            gauge.increment()
            if turn % 2 == 0 { gauge.decrement() }
            histogram.observe(nanoseconds: Int64(turn % 4) * 1_000_000)
        }
        let read = try Exposition(registry.render())
        #expect(read["race_total"] == 300_000)
        #expect(read["level"] == 50_000)
        #expect(read["race_seconds_count"] == 100_000)
        #expect(read["race_seconds_bucket", ["le": "0.001"]] == 50_000)
        #expect(read["race_seconds_sum"] == 150)
    }

    @Test("Two loops meet at new names: one value for each name, nothing lost, the limit kept")
    func table() async throws {
        let registry = MetricsRegistry()
        let counter = registry.counter("race_total", help: "R.")
        let table = BoundedTable { Counter() }
        try await self.race(registry, count: 40_000) { loop, turn in
            // The loops go through the same names, 2,000 of them, in step and apart.
            table["host\((turn + loop * (turn / 8_000)) % 2_000)"].increment()
            counter.increment()
        }
        let entries = table.entries
        #expect(entries.count == 1_001)
        #expect(Set(entries.map(\.name)).count == 1_001)
        #expect(entries.reduce(0) { $0 + $1.value.value } == 80_000)
        #expect(table.other.value > 0)
    }

    @Test("Exactly 1,000 names, then other; a long name and the name other are other")
    func limit() {
        let table = BoundedTable { Counter() }
        for index in 0..<1_500 { table["\(index)"].increment() }
        table["999"].increment()
        table["other"].increment()
        table[String(repeating: "x", count: 256)].increment()
        #expect(table.entries.count == 1_001)
        #expect(table["999"].value == 2)
        #expect(table.entries.last?.name == "other")
        #expect(table.other.value == 502)
    }
}
