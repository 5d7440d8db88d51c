/// Counts what becomes of sessions and their links. Any thread, without a lock.
package final class SessionMetrics: Sendable {
    private let opened: Counter
    private let closed: Counter
    private let resumed: Counter
    private let linksLost: Counter
    /// By `LoginRefusal`.
    private let refusals: [Counter]

    init(_ registry: MetricsRegistry, prefix: String) {
        self.opened = registry.counter(
            "\(prefix)_sessions_opened_total",
            help: "Sessions begun, each with a login."
        )
        self.closed = registry.counter(
            "\(prefix)_sessions_closed_total",
            help: "Sessions that ended for good."
        )
        self.resumed = registry.counter(
            "\(prefix)_sessions_resumed_total",
            help: "Times that a session went on over a new link."
        )
        self.linksLost = registry.counter(
            "\(prefix)_links_lost_total",
            help: "Times that a session was left without a link."
        )
        self.refusals = LoginRefusal.allCases.map {
            registry.counter(
                "\(prefix)_login_refusals_total",
                help: "Logins refused, by reason.",
                labels: ["reason": $0.label]
            )
        }
    }

    /// A login has begun a new session.
    package func sessionOpened() { self.opened.increment() }

    /// A session is over for good, and will not be resumed.
    package func sessionClosed() { self.closed.increment() }

    /// A session goes on over a new link.
    package func sessionResumed() { self.resumed.increment() }

    /// A session is without a link; it may yet be resumed.
    package func linkLost() { self.linksLost.increment() }

    /// - Parameter code: Of REFUSED, as `RefusalCode.rawValue` has it.
    package func loginRefused(code: UInt16) {
        self.refusals[Int(LoginRefusal(code: code).rawValue)].increment()
    }
}
