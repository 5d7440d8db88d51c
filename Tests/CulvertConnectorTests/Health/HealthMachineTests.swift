import NIOCore
import Testing

@testable import CulvertConnector

/// What the results of checks mean, and when checks are made; in virtual time.
@Suite struct HealthMachineTests {
    /// The transitions that results bring about, in order: `+` and `-` are checks, and of what comes out
    /// `U` is unhealthy, `H` healthy again, `.` nothing.
    private func run(_ results: String, unhealthy: Int = 3, healthy: Int = 2) -> String {
        var machine = HealthMachine(unhealthyThreshold: unhealthy, healthyThreshold: healthy)
        return results.reduce(into: "") { text, result in
            switch machine.checked(passed: result == "+") {
            case .becameUnhealthy:
                #expect(!machine.isHealthy)
                text += "U"
            case .becameHealthy:
                #expect(machine.isHealthy)
                text += "H"
            case nil: text += "."
            }
        }
    }

    @Test(
        arguments: [
            ("+++", "..."),
            // The first decides.
            ("-", "U"), ("-+-+", "U..."), ("-++", "U.H"),
            // Only failures in a row count, and only successes in a row.
            ("+--+--+---", ".........U"),
            ("+---+-+-++", "...U.....H"),
            ("+---++---", "...U.H..U"),
            ("-----", "U...."),
        ]
    )
    func transitions(results: String, expected: String) {
        #expect(self.run(results) == expected)
    }

    @Test func thresholdsOfOne() {
        #expect(self.run("+-+-", unhealthy: 1, healthy: 1) == ".UHU")
    }

    @Test func whatWasNotCheckedIsHealthy() {
        #expect(HealthMachine(unhealthyThreshold: 1, healthyThreshold: 1).isHealthy)
    }

    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test func theFirstCheckComesSoon() {
        let slow = HealthSchedule(interval: .seconds(10))
        #expect(slow.first(now: self.start, chance: 0) == self.start)
        #expect(slow.first(now: self.start, chance: 0.5) == self.start + .milliseconds(500))
        let fast = HealthSchedule(interval: .milliseconds(100))
        #expect(fast.first(now: self.start, chance: 0.5) == self.start + .milliseconds(50))
    }

    @Test func checksComeByTheirBegins() {
        let schedule = HealthSchedule(interval: .seconds(10))
        func next(took time: TimeAmount, chance: Double) -> TimeAmount {
            schedule.next(begun: self.start, ended: self.start + time, chance: chance) - self.start
        }
        #expect(next(took: .milliseconds(5), chance: 0.5) == .seconds(10))
        #expect(next(took: .milliseconds(5), chance: 0) == .seconds(9))
        #expect(next(took: .seconds(8), chance: 1) == .seconds(11))
        // No two at once.
        #expect(next(took: .seconds(60), chance: 0.5) == .seconds(60))
    }

    /// A day of an origin that fails for an hour, and of checks that take as long as they may.
    @Test func aDay() {
        let check = HealthCheckOptions()
        let schedule = HealthSchedule(interval: TimeAmount(check.interval))
        var machine = HealthMachine(
            unhealthyThreshold: check.unhealthyThreshold,
            healthyThreshold: check.healthyThreshold
        )
        let outage = (self.start + .hours(8))..<(self.start + .hours(9))
        var generator = SystemRandomNumberGenerator()
        var begun = schedule.first(now: self.start, chance: 0.5)
        var changes: [TimeAmount] = []
        while begun < self.start + .hours(24) {
            let isDown = outage.contains(begun)
            let ended = begun + (isDown ? TimeAmount(check.timeout) : .milliseconds(3))
            if machine.checked(passed: !isDown) != nil { changes.append(ended - self.start) }
            let next = schedule.next(
                begun: begun,
                ended: ended,
                chance: .random(in: 0..<1, using: &generator)
            )
            #expect(next >= ended && next >= begun + .seconds(9) && next <= begun + .seconds(11))
            begun = next
        }
        #expect(changes.count == 2)
        // Three checks after its begin, two after its end, each an interval and a timeout at most.
        #expect(changes[0] > .hours(8) && changes[0] < .hours(8) + .seconds(33 + 5))
        #expect(changes[1] > .hours(9) && changes[1] < .hours(9) + .seconds(22 + 1))
    }
}
