import Testing

@testable import ControlServer

@Suite struct RateLimiterTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func aBurstAndThenTheRate() {
        var limiter = RateLimiter(.init(perSecond: 2, burst: 3))
        for _ in 0..<3 { #expect(limiter.take("a", now: 0) == nil) }
        let wait = limiter.take("a", now: 0)
        #expect(wait == 0.5)
        // Somebody else has a bucket of his own.
        #expect(limiter.take("b", now: 0) == nil)
        #expect(limiter.take("a", now: Self.second / 2) == nil)
        #expect(limiter.take("a", now: Self.second / 2) != nil)
        // However long nobody asks, no more than the burst gathers.
        for _ in 0..<3 { #expect(limiter.take("a", now: 100 * Self.second) == nil) }
        #expect(limiter.take("a", now: 100 * Self.second) != nil)
    }

    @Test func aClockThatGoesBackFillsNothing() {
        var limiter = RateLimiter(.init(perSecond: 1, burst: 1))
        #expect(limiter.take("a", now: 10 * Self.second) == nil)
        #expect(limiter.take("a", now: 5 * Self.second) != nil)
    }

    @Test func theTableIsBounded() {
        var limiter = RateLimiter(.init(perSecond: 1, burst: 2), maximumBuckets: 10)
        for number in 0..<10 { _ = limiter.take("\(number)", now: 0) }
        // Nobody's bucket is full again: whoever is new shares one.
        #expect(limiter.take("x", now: 0) == nil)
        #expect(limiter.take("y", now: 0) == nil)
        #expect(limiter.take("z", now: 0) != nil)
        #expect(limiter.count <= 11)
        // Later they are, and are let go.
        #expect(limiter.take("z", now: 60 * Self.second) == nil)
        #expect(limiter.count == 1)
    }
}
