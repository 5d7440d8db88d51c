import Testing
import TunnelSession

/// What may stand between the scheduler and the wire.
@Suite struct LinkPaceTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func aSlowPathTakesAboutTenMillisecondsAhead() {
        var pace = LinkPace()
        let isNews = pace.look(deliveredBytesPerSecond: 250_000, now: self.start)
        #expect(isNews)
        #expect(pace.messageBytes == 2_000)
        #expect(pace.unsentBytes == 5_000)
    }

    @Test func aFastPathIsNotLimited() {
        var pace = LinkPace()
        let isNews = pace.look(deliveredBytesPerSecond: 125_000_000, now: self.start)
        #expect(!isNews)
        #expect(pace.messageBytes == 16_000)
        #expect(pace.unsentBytes == 131_072)
    }

    @Test func anUnknownRateChangesNothing() {
        var pace = LinkPace()
        let before = pace
        let isNews = pace.look(deliveredBytesPerSecond: 0, now: self.start)
        #expect(!isNews)
        #expect(pace.messageBytes == before.messageBytes)
        #expect(pace.unsentBytes == before.unsentBytes)
    }

    @Test func smallChangesDoNotDisturbTheSocket() {
        var pace = LinkPace()
        _ = pace.look(deliveredBytesPerSecond: 500_000, now: self.start)
        let isNews = pace.look(deliveredBytesPerSecond: 550_000, now: self.start)
        #expect(!isNews)
        #expect(pace.unsentBytes == 10_000)
    }

    @Test func itIsDueEveryTwentyMilliseconds() {
        var pace = LinkPace()
        #expect(pace.isDue(now: self.start))
        _ = pace.look(deliveredBytesPerSecond: 0, now: self.start)
        #expect(!pace.isDue(now: self.start + .milliseconds(19)))
        #expect(pace.isDue(now: self.start + .milliseconds(20)))
    }
}
