import Testing
import TunnelSession

@testable import TunnelLink

@Suite struct DeadlineTableTests {
    private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }

    @Test func theEarliestOfEachComesFirst() {
        var table = DeadlineTable<String>()
        #expect(table.first == nil)
        table.arm("a", at: self.at(50))
        table.arm("b", at: self.at(30))
        table.arm("a", at: self.at(10))
        #expect(table.first == self.at(10))
        #expect(table.popDue(by: self.at(9)) == nil)
        #expect(table.popDue(by: self.at(30)) == "a")
        #expect(table.popDue(by: self.at(30)) == "b")
        #expect(table.popDue(by: self.at(30)) == nil)
        // The later one of the two is still there.
        #expect(table.popDue(by: self.at(50)) == "a")
        #expect(table.first == nil && table.count == 0)
    }

    @Test func aLaterTimeAddsNothing() {
        var table = DeadlineTable<Int>()
        for time in 10..<10_000 { table.arm(1, at: self.at(UInt64(time))) }
        #expect(table.count == 1)
        #expect(table.popDue(by: self.at(10)) == 1)
        #expect(table.count == 0)
    }

    /// As sessions use it: an acknowledgement soon, again and again, below a ping in five seconds.
    @Test func shortTimesBelowALongOneDoNotPileUp() {
        var table = DeadlineTable<Int>()
        for round in 0..<1_000 {
            let now = UInt64(round) * 30
            table.arm(1, at: self.at(5_000_000))
            table.arm(1, at: self.at(now + 25))
            #expect(table.count == 2)
            #expect(table.popDue(by: self.at(now + 25)) == 1)
        }
    }

    @Test func nobodyIsForgotten() {
        var table = DeadlineTable<Int>()
        var wanted: [Int: UInt64] = [:]
        var state: UInt64 = 7
        func next(_ limit: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % limit
        }
        for now in 0..<5_000 as Range<UInt64> {
            let owner = Int(next(50))
            wanted[owner] = now + next(300)
            table.arm(owner, at: self.at(wanted[owner] ?? 0))
            while let owner = table.popDue(by: self.at(now)) {
                guard let due = wanted[owner] else { continue }
                if due <= now { wanted[owner] = nil } else { table.arm(owner, at: self.at(due)) }
            }
            #expect(wanted.values.allSatisfy { $0 > now })
        }
        #expect(table.count < 50 * 10)
    }
}
