package import Logging
internal import Synchronization
package import TunnelLink
package import TunnelTransport
package import TunnelWire

/// How a connector stands towards its edge.
package enum ConnectorState: Sendable, Equatable {
    /// Dialling, or waiting to dial, with the last failure if there was one.
    case connecting(lastFailure: String?)
    /// Logged in: told for each link that is welcomed, whether its session is new or resumed.
    case connected(Welcome)
    /// The edge will not have this connector; trying again is useless.
    case refused(Refusal)
}

/// Where the edge is.
package struct EdgeAddress: Sendable {
    /// CONNECT-HOST: what the certificate must say, what the login is bound to, and the SNI.
    package var target: ClientTarget
    /// What is dialled; the target itself unless `edge-address` says otherwise.
    package var dialHost: String
    /// The TCP port that is dialled; the target's own unless `edge-address` says otherwise.
    package var dialPort: UInt16

    package init(target: ClientTarget, dialHost: String, dialPort: UInt16) {
        self.target = target
        self.dialHost = dialHost
        self.dialPort = dialPort
    }
}

/// Keeps a link to the edge: dials, waits, dials again, for as long as its task lives.
package struct LinkKeeper: Sendable {
    /// An edge that asks to be left alone for longer is dialled again all the same.
    private static let longestWait = Duration.seconds(30)

    private let endpoint: ConnectorEndpoint
    private let edge: EdgeAddress
    private let logger: Logger
    private let onState: @Sendable (ConnectorState) -> Void

    /// `onState` is called within the task of ``run()``, one call at a time.
    package init(
        endpoint: ConnectorEndpoint,
        edge: EdgeAddress,
        logger: Logger,
        onState: @escaping @Sendable (ConnectorState) -> Void
    ) {
        self.endpoint = endpoint
        self.edge = edge
        self.logger = logger
        self.onState = onState
    }

    /// Runs until the task is cancelled, or the edge refuses for good.
    ///
    /// - Throws: `Refusal` when trying again is useless; `CancellationError`.
    package func run() async throws {
        var schedule = ReconnectSchedule()
        var hasFailed = false
        while true {
            try Task.checkCancellation()
            let outcome = await self.runLinks()
            try Task.checkCancellation()
            if let refusal = outcome.refusal, refusal.isPermanent {
                self.onState(.refused(refusal))
                throw refusal
            }
            var delay = schedule.delay(
                afterLinkOf: outcome.lifetime,
                now: .now,
                random: .random(in: 0...1)
            )
            delay = Self.wait(delay, after: outcome.refusal)
            self.log(outcome, delay: delay, isFirstFailure: !hasFailed)
            hasFailed = outcome.lifetime == nil
            self.onState(.connecting(lastFailure: outcome.reason))
            if delay > .zero { try await Task.sleep(for: delay) }
        }
    }

    /// The first failure to reach the edge is a warning, those after it are not: there may be many.
    private func log(_ outcome: Outcome, delay: Duration, isFirstFailure: Bool) {
        let wasUp = outcome.lifetime != nil
        self.logger.log(
            level: wasUp || !isFirstFailure ? .info : .warning,
            wasUp
                ? "Link to the edge lost, dialling again" : "The edge is not reached, trying again",
            metadata: [
                "reason": "\(outcome.reason)",
                "delay": "\(Int(delay / .milliseconds(1))) ms",
            ]
        )
    }

    /// What happens to the links under way, in one queue.
    private enum Signal: Sendable {
        case link(Int, LinkEvent)
        case networkChanged
        case tryAgain
    }

    /// From a dial to the moment when no link is left: usually one link. Another is dialled beside it
    /// before it ends: when the machine's network changes so that the link's address is not the one to
    /// leave from any more (the new one takes the session over; the old one would be dead, or soon be),
    /// and when the edge drains (what is under way goes on there, what is new goes to the edge that now
    /// answers at the address).
    private func runLinks() async -> Outcome {
        let (signals, continuation) = AsyncStream.makeStream(of: Signal.self)
        let news = NetworkNews()
        let watch = Task {
            for await _ in NetworkWatch.changes() where news.isFirst() {
                continuation.yield(.networkChanged)
            }
        }
        defer { watch.cancel() }
        var links = Links()
        do {
            try await self.dial(&links, continuation)
        } catch {
            return Outcome(reason: error.description)
        }
        var retry = Retry()
        for await signal in signals {
            switch signal {
            case .link(let number, let event):
                self.note(event, of: number, in: &links)
                if links.isEmpty { return links.outcome }
                if case .welcomed = event { retry.schedule = ReconnectSchedule() }
                // A failed attempt is not repeated at once.
                if case .closed = event, links.wantsToMove {
                    self.tryAgain(&retry, asked: links.outcome.refusal, continuation)
                }
                guard links.wantsToMove, !retry.isPending else { continue }
            case .tryAgain:
                retry.isPending = false
                guard links.wantsToMove else { continue }
            case .networkChanged:
                news.wasTaken()
                guard links.wantsToMove else { continue }
                self.logger.info("The network has changed, dialling beside the old link")
            }
            do {
                try await self.dial(&links, continuation)
            } catch {
                // The old link may live; if not, its end is noticed.
                self.logger.debug("No other link", metadata: ["reason": "\(error)"])
                self.tryAgain(&retry, asked: nil, continuation)
            }
        }
        return links.outcome
    }

    /// Has another link dialled later, once, unless the edge has refused for good: then what there is
    /// goes on to its end.
    private func tryAgain(
        _ retry: inout Retry,
        asked refusal: Refusal?,
        _ continuation: AsyncStream<Signal>.Continuation
    ) {
        guard !retry.isPending, refusal?.isPermanent != true else { return }
        retry.isPending = true
        let delay = Self.wait(
            retry.schedule.delay(afterLinkOf: nil, now: .now, random: .random(in: 0...1)),
            after: refusal
        )
        Task {
            try await Task.sleep(for: delay)
            continuation.yield(.tryAgain)
        }
    }

    /// The schedule's delay, or what the edge asked for if that is longer, within reason.
    private static func wait(_ delay: Duration, after refusal: Refusal?) -> Duration {
        guard let refusal else { return delay }
        let asked = Duration.milliseconds(Int(refusal.retryAfterMilliseconds))
        return max(delay, min(asked, Self.longestWait))
    }

    private func dial(
        _ links: inout Links,
        _ continuation: AsyncStream<Signal>.Continuation
    ) async throws(DialError) {
        let socket = try await Dialler.connect(
            host: self.edge.dialHost,
            port: self.edge.dialPort
        )
        let number = links.add(NetworkPath(socket: socket))
        self.endpoint.connect(socket: socket, target: self.edge.target) { event in
            continuation.yield(.link(number, event))
        }
    }

    private func note(_ event: LinkEvent, of number: Int, in links: inout Links) {
        switch event {
        case .welcomed(let welcome):
            links.welcomed(number)
            self.logger.info(
                welcome.isResumed ? "Session resumed" : "Connected to the edge",
                metadata: ["session": "\(welcome.session.session)"]
            )
            self.onState(.connected(welcome))
        case .refused(let refusal): links.outcome.refusal = refusal
        case .draining:
            links.leaves(number)
            self.logger.info("The edge takes no more requests, dialling beside the old link")
        case .closed(let failure): links.closed(number, "\(failure)")
        }
    }
}

/// When to dial again beside links that are to be left.
private struct Retry {
    var schedule = ReconnectSchedule()
    /// Whether one is on its way: there is one at most.
    var isPending = false
}

/// Changes of the network that nobody has looked at yet count as one.
private final class NetworkNews: Sendable {
    private let isThere = Atomic<Bool>(false)

    func isFirst() -> Bool { !self.isThere.exchange(true, ordering: .relaxed) }

    func wasTaken() { self.isThere.store(false, ordering: .relaxed) }
}

/// Why there is no link any more.
private struct Outcome {
    var reason: String
    /// How long links were usable; nil when none ever was.
    var lifetime: Duration?
    var refusal: Refusal?
}

/// The links under way: the one in use, one that is to take over, and those that are left.
private struct Links {
    private enum State {
        /// Not welcomed yet.
        case pending
        case inUse
        /// The edge drains, or another link has taken over.
        case leaving
    }

    private struct Link {
        let number: Int
        let path: NetworkPath?
        var state = State.pending

        /// Whether nothing better can be had by another link.
        var isGood: Bool {
            switch self.state {
            case .pending: true
            case .inUse: !(self.path?.hasMoved ?? false)
            case .leaving: false
            }
        }
    }

    private var links: [Link] = []
    private var count = 0
    private var welcomedAt: ContinuousClock.Instant?
    var outcome = Outcome(reason: "the connector stops")

    var isEmpty: Bool { self.links.isEmpty }

    /// Whether each link has lost its place in the network or its edge, and no other is coming.
    var wantsToMove: Bool { !self.links.contains { $0.isGood } }

    /// A further link; its number.
    mutating func add(_ path: NetworkPath?) -> Int {
        self.count += 1
        self.outcome.refusal = nil
        self.links.append(Link(number: self.count, path: path))
        return self.count
    }

    mutating func welcomed(_ number: Int) {
        if self.welcomedAt == nil { self.welcomedAt = .now }
        for index in self.links.indices {
            self.links[index].state = self.links[index].number == number ? .inUse : .leaving
        }
    }

    mutating func leaves(_ number: Int) {
        for index in self.links.indices where self.links[index].number == number {
            self.links[index].state = .leaving
        }
    }

    mutating func closed(_ number: Int, _ reason: String) {
        self.links.removeAll { $0.number == number }
        self.outcome.reason = self.outcome.refusal?.message ?? reason
        self.outcome.lifetime = self.welcomedAt.map { .now - $0 }
    }
}
