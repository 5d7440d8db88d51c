import ControlAPI
import Testing

@testable import ControlClient

/// When a device asks again.
@Suite struct DevicePollMachineTests {
    private func machine(interval: Int = 5, expiresIn: Int = 600) -> DevicePollMachine {
        DevicePollMachine(
            DeviceAuthorizationDocument(
                deviceCode: "dc",
                userCode: "WDJB-MJHT",
                verificationUri: "https://edge.test/device",
                verificationUriComplete: "https://edge.test/device?code=WDJB-MJHT",
                expiresIn: expiresIn,
                interval: interval
            )
        )
    }

    @Test func theIntervalIsHonouredAndGrowsWhenTheEdgeSaysSo() {
        var machine = self.machine()
        #expect(machine.begin() == .wait(.seconds(5)))
        #expect(machine.next(after: .pending, at: .seconds(5)) == .wait(.seconds(5)))
        #expect(machine.next(after: .tooOften, at: .seconds(10)) == .wait(.seconds(10)))
        #expect(machine.next(after: .pending, at: .seconds(20)) == .wait(.seconds(10)))
        for _ in 0..<100 { _ = machine.next(after: .tooOften, at: .seconds(20)) }
        #expect(machine.next(after: .pending, at: .seconds(20)) == .wait(.seconds(60)))
    }

    @Test func anEdgeThatDoesNotAnswerIsAskedLessAndLess() {
        var machine = self.machine()
        #expect(machine.next(after: .unanswered, at: .seconds(5)) == .wait(.seconds(10)))
        #expect(machine.next(after: .unanswered, at: .seconds(5)) == .wait(.seconds(20)))
        for _ in 0..<100 { _ = machine.next(after: .unanswered, at: .seconds(5)) }
        #expect(machine.next(after: .unanswered, at: .seconds(5)) == .wait(.seconds(60)))
        #expect(machine.next(after: .pending, at: .seconds(5)) == .wait(.seconds(5)))
    }

    @Test func itEndsWithTheCode() {
        var machine = self.machine(expiresIn: 12)
        #expect(machine.next(after: .pending, at: .seconds(10)) == .wait(.seconds(2)))
        #expect(machine.next(after: .pending, at: .seconds(12)) == .expired)
        var none = self.machine(expiresIn: -1)
        #expect(none.begin() == .expired)
    }

    @Test func nobodyIsAskedWithoutPause() {
        var machine = self.machine(interval: 0)
        #expect(machine.begin() == .wait(.seconds(1)))
        var slow = self.machine(interval: 100_000)
        #expect(slow.begin() == .wait(.seconds(60)))
    }
}
