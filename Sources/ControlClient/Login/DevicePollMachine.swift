package import ControlAPI

/// Decides when a device that logs in asks again (RFC 8628 §3.5). Time comes in as an argument.
package struct DevicePollMachine: Sendable {
    /// What came of a poll that brought no token.
    package enum Outcome: Sendable, Equatable {
        /// Nobody has decided yet.
        case pending
        /// The edge was asked too often.
        case tooOften
        /// There was no answer.
        case unanswered
    }

    /// What to do next.
    package enum Step: Sendable, Equatable {
        /// Ask again after a pause.
        case wait(Duration)
        /// The code is not good any more.
        case expired
    }

    private static let longestPause = Duration.seconds(60)

    private var interval: Duration
    private var unanswered = 0
    private let lifetime: Duration

    /// For codes that were just handed out.
    package init(_ authorization: DeviceAuthorizationDocument) {
        self.interval = .seconds(min(max(authorization.interval, 1), 60))
        self.lifetime = .seconds(max(authorization.expiresIn, 0))
    }

    /// Before the first poll.
    package mutating func begin() -> Step { self.wait(self.interval, at: .zero) }

    /// After a poll, at the time since the codes were handed out.
    package mutating func next(after outcome: Outcome, at now: Duration) -> Step {
        switch outcome {
        case .pending:
            self.unanswered = 0
            return self.wait(self.interval, at: now)
        case .tooOften:
            self.unanswered = 0
            self.interval = min(self.interval + .seconds(5), Self.longestPause)
            return self.wait(self.interval, at: now)
        case .unanswered:
            self.unanswered = min(self.unanswered + 1, 6)
            let pause = self.interval * (1 << self.unanswered)
            return self.wait(min(pause, Self.longestPause), at: now)
        }
    }

    private func wait(_ pause: Duration, at now: Duration) -> Step {
        now < self.lifetime ? .wait(min(pause, self.lifetime - now)) : .expired
    }
}

/// Nobody let the device in in time.
package struct DeviceLoginExpired: Error, CustomStringConvertible {
    /// There is nothing to say but that.
    package init() {}

    package var description: String {
        "Nobody let this machine in before the code expired; run `culvert login` again."
    }
}
