import HTTPSemantics
import Logging
import NIOCore
import Synchronization

/// Checks the origins of the ingress rules that ask for it, and says which hostnames are unhealthy.
///
/// A hostname is unhealthy while the origin of one of its rules is. An origin that several rules lead to in
/// the same way is checked once. Any thread; the work is done on one event loop.
final class HealthChecks: Sendable {
    private let desk: NIOLoopBoundBox<HealthDesk?>
    private let tls: OriginTLSContexts
    private let logger: Logger
    private let onChange: @Sendable (Set<String>) -> Void
    private let unhealthy = Mutex<Set<String>>([])

    /// `onChange` is told, on the loop, of the hostnames that are unhealthy whenever these change: as their
    /// rules have them, and empty for rules without one.
    init(
        on eventLoop: any EventLoop,
        tls: OriginTLSContexts,
        logger: Logger,
        onChange: @escaping @Sendable (Set<String>) -> Void
    ) {
        self.desk = NIOLoopBoundBox.makeEmptyBox(
            valueType: HealthDesk.self,
            eventLoop: eventLoop
        )
        self.tls = tls
        self.logger = logger
        self.onChange = onChange
    }

    /// What `onChange` was last told.
    var unhealthyHostnames: Set<String> { self.unhealthy.withLock { $0 } }

    /// Checks what these rules ask for, and nothing else any more. What was found of an origin that is
    /// checked as before stays found.
    func replace(_ rules: IngressRules) {
        self.desk.eventLoop.execute {
            let desk =
                self.desk.value
                ?? HealthDesk(
                    on: self.desk.eventLoop,
                    tls: self.tls,
                    logger: self.logger,
                    onChange: { hostnames in
                        self.unhealthy.withLock { $0 = hostnames }
                        self.onChange(hostnames)
                    }
                )
            self.desk.value = desk
            desk.replace(rules)
        }
    }

    /// Checks nothing any more, and says nothing more.
    func stop() { self.desk.eventLoop.execute { self.desk.value?.stop() } }
}

/// The checks under way, by what they check. Confined to its event loop.
private final class HealthDesk {
    private let eventLoop: any EventLoop
    private let tls: OriginTLSContexts
    private let logger: Logger
    private let onChange: (Set<String>) -> Void
    private var checks: [HealthTarget: HealthCheck] = [:]
    private var hostnames: [HealthTarget: Set<String>] = [:]
    private var told: Set<String> = []
    private var isStopped = false

    init(
        on eventLoop: any EventLoop,
        tls: OriginTLSContexts,
        logger: Logger,
        onChange: @escaping (Set<String>) -> Void
    ) {
        self.eventLoop = eventLoop
        self.tls = tls
        self.logger = logger
        self.onChange = onChange
    }

    func replace(_ rules: IngressRules) {
        guard !self.isStopped else { return }
        self.hostnames = [:]
        for rule in rules.rules {
            guard let target = HealthTarget(rule) else { continue }
            self.hostnames[target, default: []].insert(rule.hostname?.description ?? "")
        }
        for (target, check) in self.checks where self.hostnames[target] == nil {
            check.stop()
            self.checks[target] = nil
        }
        for target in self.hostnames.keys where self.checks[target] == nil {
            let check = HealthCheck(target, tls: self.tls, on: self.eventLoop) {
                [weak self] transition, reason in
                self?.changed(target, transition, reason)
            }
            self.checks[target] = check
            check.start()
        }
        self.tell()
    }

    func stop() {
        self.isStopped = true
        for check in self.checks.values { check.stop() }
        self.checks = [:]
    }

    private func changed(
        _ target: HealthTarget,
        _ transition: HealthMachine.Transition,
        _ reason: String
    ) {
        let names = self.hostnames[target] ?? []
        let hostnames = names.map { $0.isEmpty ? "*" : $0 }.sorted().joined(separator: ", ")
        let message: Logger.Message =
            switch transition {
            case .becameUnhealthy: "An origin is unhealthy"
            case .becameHealthy: "An origin is healthy again"
            }
        self.logger.info(
            message,
            metadata: [
                "origin": "\(target.service)", "hostnames": "\(hostnames)", "reason": "\(reason)",
            ]
        )
        self.tell()
    }

    private func tell() {
        var unhealthy: Set<String> = []
        for (target, check) in self.checks where !check.isHealthy {
            unhealthy.formUnion(self.hostnames[target] ?? [])
        }
        guard unhealthy != self.told else { return }
        self.told = unhealthy
        self.onChange(unhealthy)
    }
}
