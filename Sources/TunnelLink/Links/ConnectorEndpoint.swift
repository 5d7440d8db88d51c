internal import Glibc
package import HTTPSemantics
package import Logging
package import TunnelSession
package import TunnelTransport
package import TunnelWire

/// What a connector's endpoint asks, and tells; in turns of the transport, so none may block.
package protocol ConnectorDelegate: AnyObject, Sendable {
    /// What goes with each LOGIN: `agent`, each `hostname` asked for, `configuration-version`.
    var loginAttributes: HTTPFields { get }
    /// How the connector stands now; nil, or an empty one, when there is nothing to say yet.
    var report: ConnectorReport? { get }
    /// The edge says where requests are to go; those that it opens from then on come after this. The
    /// report goes out afterwards, if it is another one.
    func received(_ configuration: ManagedConfiguration)
}

/// The connector's side of a tunnel: one session, over one link after another. While an edge drains
/// there may be a second one, at the edge that takes its place.
///
/// SAFETY: `current`, `leaving`, `reported`, `isDraining` and `isClosed` belong to the transport's turns; the
/// rest is constant.
package final class ConnectorEndpoint: @unchecked Sendable {
    /// Carries the sessions, and their streams to the group's event loops.
    package let host: SessionHost
    /// Signs each LOGIN; its public key is who the edge takes this connector for.
    package let identity: TunnelIdentity
    private let transport: TunnelTransport
    private let configuration: SessionConfiguration
    private let connectorID: SessionID
    private let delegate: any ConnectorDelegate
    private let acceptor: any StreamAcceptor
    private let logger: Logger
    /// What the sessions have been told.
    private var reported = ConnectorReport()
    private var current: SessionDriver?
    /// Sessions of edges that drain, each with its link, until those edges end them.
    private var leaving: [SessionDriver] = []
    private var isDraining = false
    private var isClosed = false

    /// Makes an endpoint whose links are the transport's, and that hands requests to `acceptor`.
    package init(
        identity: TunnelIdentity,
        delegate: any ConnectorDelegate,
        configuration: SessionConfiguration,
        transport: ConnectorTransport,
        acceptor: any StreamAcceptor,
        logger: Logger
    ) {
        self.identity = identity
        self.delegate = delegate
        self.configuration = configuration
        self.acceptor = acceptor
        self.logger = logger
        self.connectorID = SessionID(
            high: .random(in: 1...UInt64.max),
            low: .random(in: 0...UInt64.max)
        )
        self.host = transport.host
        self.transport = transport.transport
    }

    /// Any thread: makes a link over a connected socket, and goes on with the session if there is one.
    /// After ``close(_:reason:)`` there is none: the socket is closed.
    package func connect(
        socket: CInt,
        target: ClientTarget,
        onEvent: @escaping @Sendable (LinkEvent) -> Void
    ) {
        let isTaken = self.host.execute {
            guard !self.isClosed else {
                Glibc.close(socket)
                return onEvent(.closed(.transport(.shutdown)))
            }
            let isBegun = self.transport.connect(
                socket: socket,
                to: target,
                handler: ConnectorLink(
                    endpoint: self,
                    connectHost: target.hostname.lowercased(),
                    onEvent: onEvent
                )
            )
            if !isBegun { onEvent(.closed(.transport(.shutdown))) }
        }
        guard !isTaken else { return }
        Glibc.close(socket)
        onEvent(.closed(.transport(.shutdown)))
    }

    /// Any thread: asks the delegate how the connector stands, and tells the edge if it is news.
    package func reportChanged() {
        self.host.execute { self.tellReport() }
    }

    private func tellReport() {
        guard let report = self.delegate.report, report != self.reported else { return }
        self.reported = report
        for driver in self.drivers { driver.send(report) }
    }

    /// Any thread: asks the edge for no more streams; `completion` comes when all that were under
    /// way are over and the edge has all of them, in a turn of the transport.
    package func drain(completion: @escaping @Sendable () -> Void) {
        self.host.execute {
            self.isDraining = true
            for driver in self.drivers {
                driver.session.startDraining()
                driver.markDirty()
            }
            self.awaitDrained(until: SessionHost.now + Self.drainPatience, completion)
        }
    }

    /// How long an edge may take to say that it opens no more streams, when none is under way.
    private static let drainPatience = Interval.seconds(2)

    private var drivers: [SessionDriver] { self.leaving + (self.current.map { [$0] } ?? []) }

    private func awaitDrained(
        until patience: Instant,
        _ completion: @escaping @Sendable () -> Void
    ) {
        let isOver = self.drivers.allSatisfy { driver in
            if driver.session.isClosed || driver.session.isDrained { return true }
            // Nothing is under way, and the edge is gone, or does not answer: nothing more will come.
            let isUnanswered = !driver.session.hasLink || SessionHost.now >= patience
            return driver.session.streamCount == 0 && isUnanswered
        }
        if isOver { return completion() }
        self.host.schedule(at: SessionHost.now + .milliseconds(20)) {
            self.awaitDrained(until: patience, completion)
        }
    }

    /// Any thread: ends the session for good, tells the edge so, and makes no link any more.
    package func close(_ code: CloseCode, reason: String) {
        self.host.execute {
            self.isClosed = true
            for driver in self.drivers {
                driver.session.close(code, reason: reason)
                driver.markDirty()
            }
        }
    }

    // MARK: Logins, in a turn of the transport

    /// The LOGIN for a challenge that has just come. The old link, if it is still there, is left:
    /// what this says of the session must stay true. But a session of an edge that drains goes on
    /// beside a new one.
    func makeLogin(version: UInt8, now: Instant) -> Login {
        var resume: ResumePoint?
        if let current, !current.session.isClosed, !Self.goesOnByItself(current) {
            current.detach(now: now, closing: (LinkCloseStatus.replaced, "moved to another link"))
            resume = ResumePoint(session: current.id, processed: current.session.processed)
        }
        return Login(
            version: version,
            publicKey: self.identity.publicKey,
            connector: self.connectorID,
            resume: resume,
            limits: self.configuration.limits,
            attributes: self.delegate.loginAttributes
        )
    }

    /// Goes on with the session, or begins a new one, as the edge says.
    func enter(
        _ welcome: Welcome,
        on connection: TunnelConnection,
        now: Instant
    ) throws(WireError) -> SessionDriver {
        if welcome.isResumed {
            guard let current, current.id == welcome.session.session, !current.session.isClosed
            else {
                throw WireError(.unexpectedFrame, "WELCOME resumes a session that is not ours")
            }
            current.detach(now: now)
            defer { current.markDirty() }
            try current.session.resume(peerProcessed: welcome.session.processed, now: now)
            current.attach(connection)
            return current
        }
        if let old = self.current {
            if Self.goesOnByItself(old) {
                self.leaving.append(old)
            } else {
                self.expire(old)
            }
        }
        var configuration = self.configuration
        configuration.resumeWindow = .milliseconds(UInt64(welcome.resumeWindowMilliseconds))
        let driver = SessionDriver(
            id: welcome.session.session,
            publicKey: self.identity.publicKey,
            session: Session(
                role: .connector,
                configuration: configuration,
                peerLimits: welcome.limits,
                now: now
            ),
            host: self.host,
            acceptor: self.acceptor,
            logger: self.logger
        )
        driver.onClosed = { [weak self, unowned driver] _ in
            self?.leaving.removeAll { $0 === driver }
        }
        driver.onConfiguration = { [weak self] configuration in
            self?.delegate.received(configuration)
            self?.tellReport()
        }
        self.current = driver
        self.host.add(driver)
        driver.attach(connection)
        if self.reported != ConnectorReport() { driver.send(self.reported) }
        if self.isDraining { driver.session.startDraining() }
        return driver
    }

    /// A link is over that carried `driver`.
    func linkIsOver(_ driver: SessionDriver, now: Instant) {
        driver.detach(now: now)
        // Its edge drained, and takes no other link.
        if driver !== self.current { self.expire(driver) }
    }

    private func expire(_ driver: SessionDriver) {
        driver.session.expire()
        driver.markDirty()
    }

    /// Whether the edge has asked to go elsewhere, and serves to the end what is under way.
    private static func goesOnByItself(_ driver: SessionDriver) -> Bool {
        driver.session.isPeerDraining && driver.session.hasLink && !driver.session.isClosed
    }
}
