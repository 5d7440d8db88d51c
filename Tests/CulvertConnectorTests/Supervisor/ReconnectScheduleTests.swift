import Testing

@testable import CulvertConnector

/// When a connector dials again.
@Suite struct ReconnectScheduleTests {
    private let start = ContinuousClock.now

    @Test func theFirstDialAfterALastingLinkComesAtOnce() {
        var schedule = ReconnectSchedule()
        let delay = schedule.delay(afterLinkOf: .seconds(90), now: self.start, random: 0)
        #expect(delay == .zero)
    }

    @Test func aLinkThatIsDroppedAsSoonAsItIsAcceptedDoesNotRedialAtOnceForEver() {
        var schedule = ReconnectSchedule()
        var now = self.start
        var delays: [Duration] = []
        for _ in 0..<12 {
            let delay = schedule.delay(afterLinkOf: .milliseconds(1), now: now, random: 0)
            delays.append(delay)
            now += delay + .milliseconds(1)
        }
        #expect(delays[0] == .zero)
        #expect(delays.dropFirst().allSatisfy { $0 >= .milliseconds(100) })
    }

    @Test func cutsEverySecondOrTwoAreEachFollowedByADialAtOnce() {
        var schedule = ReconnectSchedule()
        for second in 1...60 {
            let now = self.start + .seconds(second)
            let delay = schedule.delay(afterLinkOf: .milliseconds(1_200), now: now, random: 0)
            #expect(delay == .zero)
        }
    }

    /// The time until an edge that was away for `outage` has its connector back.
    private func wait(after outage: Duration, random: Double) -> Duration {
        var schedule = ReconnectSchedule()
        var now = self.start
        var lifetime: Duration? = .seconds(60)
        while now - self.start < outage {
            now += schedule.delay(afterLinkOf: lifetime, now: now, random: random)
            now += .milliseconds(1)
            lifetime = nil
        }
        return now - self.start - outage
    }

    @Test(arguments: [0.0, 0.3, 1.0])
    func anEdgeThatRestartsHasItsConnectorBackWithinTwoSeconds(random: Double) {
        for seconds in 1...15 {
            #expect(self.wait(after: .seconds(seconds), random: random) <= .seconds(2))
        }
    }

    @Test func theWaitHasACeilingAndJitter() {
        var schedule = ReconnectSchedule()
        _ = schedule.delay(afterLinkOf: nil, now: self.start, random: 0)
        let later = self.start + .seconds(86_400)
        #expect(schedule.delay(afterLinkOf: nil, now: later, random: 0) == .seconds(30))
        #expect(schedule.delay(afterLinkOf: nil, now: later, random: 1) == .seconds(15))
    }
}
