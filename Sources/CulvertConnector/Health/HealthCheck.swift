import NIOCore

/// The checks of one origin, one after the other. Confined to its event loop.
final class HealthCheck {
    private let target: HealthTarget
    private let eventLoop: any EventLoop
    private let tls: OriginTLSContexts
    private let schedule: HealthSchedule
    private var machine: HealthMachine
    private var probe: (any HealthProbe)?
    private var timer: Scheduled<Void>?
    private var isStopped = false
    /// Told of each transition, and what brought it about.
    private let onTransition: (HealthMachine.Transition, _ reason: String) -> Void

    init(
        _ target: HealthTarget,
        tls: OriginTLSContexts,
        on eventLoop: any EventLoop,
        onTransition: @escaping (HealthMachine.Transition, _ reason: String) -> Void
    ) {
        self.target = target
        self.tls = tls
        self.eventLoop = eventLoop
        self.schedule = HealthSchedule(interval: TimeAmount(target.check.interval))
        self.machine = HealthMachine(
            unhealthyThreshold: target.check.unhealthyThreshold,
            healthyThreshold: target.check.healthyThreshold
        )
        self.onTransition = onTransition
    }

    var isHealthy: Bool { self.machine.isHealthy }

    func start() {
        self.check(at: self.schedule.first(now: .now(), chance: .random(in: 0..<1)))
    }

    /// No check is made any more, and none under way says anything.
    func stop() {
        self.isStopped = true
        self.timer?.cancel()
        self.probe?.cancel()
        self.probe = nil
    }

    private func check(at time: NIODeadline) {
        let check = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.timer = self.eventLoop.scheduleTask(deadline: time) { check.value.begin() }
    }

    private func begin() {
        guard !self.isStopped else { return }
        let begun = NIODeadline.now()
        let probe = self.makeProbe { [weak self] result in self?.ended(result, begun: begun) }
        self.probe = probe
        probe.start()
    }

    private func makeProbe(_ completion: @escaping (HealthResult) -> Void) -> any HealthProbe {
        if case .tcp(_, let host, let port) = self.target.service {
            let destination = TCPDestination(host: host, port: port)
            return TCPProbe(self.target, destination, on: self.eventLoop, completion: completion)
        }
        return HTTPProbe(self.target, tls: self.tls, on: self.eventLoop, completion: completion)
    }

    private func ended(_ result: HealthResult, begun: NIODeadline) {
        guard !self.isStopped else { return }
        self.probe = nil
        let next = self.schedule.next(begun: begun, ended: .now(), chance: .random(in: 0..<1))
        self.check(at: next)
        var reason = "it passes its checks again"
        if case .failed(let words) = result { reason = words }
        guard let transition = self.machine.checked(passed: result == .passed) else { return }
        self.onTransition(transition, reason)
    }
}

@available(*, unavailable)
extension HealthCheck: Sendable {}
