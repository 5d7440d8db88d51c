import NIOCore

/// Decides from the results of its checks whether an origin is healthy. Pure.
///
/// Before its first check it counts as healthy, and the first decides at once: a connector that starts
/// beside a dead origin takes no requests for it for longer than one check.
struct HealthMachine: Equatable {
    enum State: Equatable {
        case unchecked
        /// `failures` in a row.
        case healthy(failures: Int)
        /// `successes` in a row.
        case unhealthy(successes: Int)
    }

    enum Transition: Equatable {
        case becameUnhealthy
        case becameHealthy
    }

    private(set) var state = State.unchecked
    private let unhealthyThreshold: Int
    private let healthyThreshold: Int

    init(unhealthyThreshold: Int, healthyThreshold: Int) {
        self.unhealthyThreshold = unhealthyThreshold
        self.healthyThreshold = healthyThreshold
    }

    var isHealthy: Bool {
        if case .unhealthy = self.state { false } else { true }
    }

    /// A check has ended; nil when that changes nothing for others.
    mutating func checked(passed: Bool) -> Transition? {
        switch (self.state, passed) {
        case (.unchecked, true), (.healthy, true):
            self.state = .healthy(failures: 0)
            return nil
        case (.unchecked, false):
            self.state = .unhealthy(successes: 0)
            return .becameUnhealthy
        case (.healthy(let failures), false):
            guard failures + 1 >= self.unhealthyThreshold else {
                self.state = .healthy(failures: failures + 1)
                return nil
            }
            self.state = .unhealthy(successes: 0)
            return .becameUnhealthy
        case (.unhealthy(let successes), true):
            guard successes + 1 >= self.healthyThreshold else {
                self.state = .unhealthy(successes: successes + 1)
                return nil
            }
            self.state = .healthy(failures: 0)
            return .becameHealthy
        case (.unhealthy, false):
            self.state = .unhealthy(successes: 0)
            return nil
        }
    }
}

/// When an origin is checked. Pure: time and chance (from 0 to 1) are arguments.
struct HealthSchedule: Equatable {
    /// The first check comes within so long, so that a connector's rules are not checked all at once.
    private static let start = TimeAmount.seconds(1)

    let interval: TimeAmount

    /// The first check, for a check that is begun at `now`.
    func first(now: NIODeadline, chance: Double) -> NIODeadline {
        now + Self.part(chance, of: min(Self.start, self.interval))
    }

    /// The check after one that was begun and ended then: never before that has ended.
    func next(begun: NIODeadline, ended: NIODeadline, chance: Double) -> NIODeadline {
        max(ended, begun + Self.part(0.9 + 0.2 * chance, of: self.interval))
    }

    private static func part(_ part: Double, of time: TimeAmount) -> TimeAmount {
        .nanoseconds(Int64(Double(time.nanoseconds) * part))
    }
}
