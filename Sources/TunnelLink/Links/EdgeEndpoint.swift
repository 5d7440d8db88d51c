package import HTTPSemantics
package import Logging
package import NIOCore
package import TunnelSession
package import TunnelTransport
package import TunnelWire

/// What the edge lets a login have.
package struct SessionGrant: Sendable {
    /// The tunnel's name, for logs and metrics.
    package var tunnel: String
    /// What WELCOME tells the connector.
    package var attributes: HTTPFields
    /// The public TCP ports it has.
    package var ports: [Int]
    /// Where the login came from, as `ADDRESS:PORT`.
    package var peer: String

    package init(
        tunnel: String,
        attributes: HTTPFields = HTTPFields(),
        ports: [Int] = [],
        peer: String = ""
    ) {
        self.tunnel = tunnel
        self.attributes = attributes
        self.ports = ports
        self.peer = peer
    }
}

/// Decides who may have a session, and is told of their fates. All calls come on the transport's
/// thread; none may block.
package protocol SessionAuthority: AnyObject, Sendable {
    /// Whether the holder of a key, proven by its signature, may have a session.
    func authorize(_ login: Login, peer: String) -> Result<SessionGrant, Refusal>
    /// A login was refused, by ``authorize(_:peer:)`` or before it came to that.
    func loginRefused(_ refusal: Refusal, peer: String)
    /// A login was granted and its session begun; WELCOME has not gone out yet. Never for a session
    /// that is resumed.
    func sessionOpened(_ session: SessionDriver, grant: SessionGrant, login: Login)
    /// What the session's connector is to be told of where requests go; nil when nothing. Asked when the
    /// session has begun, and at ``EdgeEndpoint/configurationsChanged()``.
    func configuration(for session: SessionDriver) -> ManagedConfiguration?
    /// The connector says how it stands.
    func sessionReported(_ session: SessionDriver, _ report: ConnectorReport)
    /// The session can be used, or cannot any more. Not told of the `connected` it begins with;
    /// `closed` comes before ``sessionClosed(_:reason:)``.
    func sessionChanged(_ session: SessionDriver, to availability: SessionAvailability)
    /// The session is over for good: the last call about it, at most once. None comes for sessions
    /// that end with the transport.
    func sessionClosed(_ session: SessionDriver, reason: CloseReason)
}

/// The edge's side of all tunnels: adopts sockets, logs connectors in, keeps and resumes sessions.
///
/// SAFETY: `sessions`, `isDraining` and `adoptsNoMore` belong to the transport's turns; the rest is
/// constant.
package final class EdgeEndpoint: @unchecked Sendable {
    /// Sessions at once; beyond it a login is refused as overloaded. Default 10,000.
    package static let maximumSessions = 10_000

    /// Carries the sessions; its bridges are how an event loop reaches them.
    package let host: SessionHost
    private let transport: TunnelTransport
    private let connectHost: String
    private let configuration: SessionConfiguration
    private let authority: any SessionAuthority
    /// Connections that may still become links.
    let logins = PendingLogins()
    private(set) var sessions: [SessionID: SessionDriver] = [:]
    var isDraining = false
    /// Nobody can come but those in `logins`.
    var adoptsNoMore = false

    /// Makes an endpoint for the name that connectors dial: `connectHost`, lower case, to which logins
    /// are bound and for which `certificates` are.
    ///
    /// - Throws: `TransportError` when libwebsockets cannot be started.
    package init(
        connectHost: String,
        certificates: ServerCertificates,
        maximumConnections: Int,
        configuration: SessionConfiguration,
        group: any EventLoopGroup,
        authority: any SessionAuthority,
        logger: Logger
    ) throws(TransportError) {
        self.connectHost = connectHost
        self.configuration = configuration
        self.authority = authority
        self.host = SessionHost(group: group, logger: logger)
        let accepting = AcceptingEndpoint()
        var transportConfiguration = TransportConfiguration(
            server: ServerConfiguration(
                certificates: certificates,
                accept: { accepting.handler(for: $0) }
            )
        )
        transportConfiguration.maximumConnections = maximumConnections
        self.transport = try TunnelTransport(transportConfiguration, logger: logger)
        self.host.bind(to: self.transport)
        accepting.endpoint = self
    }

    /// Any thread: starts the transport's thread, without which nothing adopted is served; a second
    /// call does nothing.
    package func start() { self.transport.start(driver: self.host) }

    /// Any thread: ends all links and the transport's thread; waits for it.
    package func shutdown() { self.transport.shutdown() }

    /// Any thread: takes over an accepted socket whose ClientHello has not been consumed; keeps
    /// `permit` until a connector has logged in over it, or it is gone.
    package func adopt(socket: CInt, peer: String, permit: (any AnyObject & Sendable)? = nil) {
        self.transport.adopt(socket: socket, peer: peer, permit: self.logins.begin(keeping: permit))
    }

    /// Any thread: new certificates for logins from now on.
    package func replaceCertificates(_ certificates: ServerCertificates) {
        self.transport.replaceCertificates(certificates)
    }

    /// Any thread: asks the authority for each session's configuration, and tells it to those connectors
    /// that were told another. `ids` says whose may be another, in a turn of the transport; nil for everyone's.
    package func configurationsChanged(
        of ids: (@Sendable () -> Set<SessionID>)? = nil
    ) {
        self.host.execute {
            for driver in self.sessions(ids) { self.offerConfiguration(to: driver) }
        }
    }

    private func sessions(_ ids: (() -> Set<SessionID>)?) -> [SessionDriver] {
        guard let ids else { return Array(self.sessions.values) }
        return ids().compactMap { self.sessions[$0] }
    }

    private func offerConfiguration(to driver: SessionDriver) {
        guard let configuration = self.authority.configuration(for: driver) else { return }
        driver.offer(configuration)
    }

    /// Any thread: ends the sessions for which `condition` holds, with their streams. `ids` says of which to ask, in
    /// a turn of the transport; nil for all of them.
    package func closeSessions(
        _ code: CloseCode,
        reason: String,
        among ids: (@Sendable () -> Set<SessionID>)? = nil,
        where condition: @escaping @Sendable (SessionDriver) -> Bool
    ) {
        self.host.execute {
            for driver in self.sessions(ids) where condition(driver) {
                driver.session.close(code, reason: reason)
                driver.markDirty()
            }
        }
    }

    // MARK: Logins, in a turn of the transport

    struct Admission {
        var driver: SessionDriver
        var welcome: Welcome
    }

    func makeLogin() throws(WireError) -> EdgeLogin {
        var random = SystemRandomNumberGenerator()
        let nonce = (0..<Challenge.nonceBytes).map { _ in UInt8.random(in: 0...255, using: &random)
        }
        return try EdgeLogin(
            host: self.connectHost,
            challenge: Challenge(versions: EdgeLogin.versions, nonce: nonce)
        )
    }

    func admit(
        _ request: EdgeLogin.Request,
        peer: String,
        connection: TunnelConnection,
        now: Instant
    ) -> Result<Admission, Refusal> {
        let result = self.check(request, peer: peer, connection: connection, now: now)
        if case .failure(let refusal) = result {
            self.authority.loginRefused(refusal, peer: peer)
        }
        return result
    }

    private func check(
        _ request: EdgeLogin.Request,
        peer: String,
        connection: TunnelConnection,
        now: Instant
    ) -> Result<Admission, Refusal> {
        let login = request.login
        guard EdgeLogin.versions.contains(login.version) else {
            return .failure(
                Refusal(
                    code: .unsupportedVersion,
                    isPermanent: true,
                    message: "this edge speaks versions \(EdgeLogin.versions) of culvert"
                )
            )
        }
        guard
            TunnelIdentity.verify(
                request.signature,
                of: request.signedBytes,
                publicKey: login.publicKey
            )
        else {
            return .failure(
                Refusal(code: .badSignature, isPermanent: true, message: "the signature is wrong")
            )
        }
        if let resumed = self.resume(login, on: connection, now: now) { return .success(resumed) }
        return self.open(login, peer: peer, connection: connection, now: now)
    }

    /// Goes on with the session that the login names, if it is there and its own.
    private func resume(
        _ login: Login,
        on connection: TunnelConnection,
        now: Instant
    ) -> Admission? {
        guard let point = login.resume, let driver = self.sessions[point.session],
            driver.publicKey == login.publicKey, !driver.session.isClosed
        else { return nil }
        driver.detach(
            now: now,
            closing: (LinkCloseStatus.replaced, "another link of the session took over")
        )
        let processed = driver.session.processed
        do {
            try driver.session.resume(peerProcessed: point.processed, now: now)
        } catch {
            self.host.logger.warning(
                "Session could not be resumed",
                metadata: ["session": "\(driver.id)", "reason": "\(error.reason)"]
            )
            driver.markDirty()
            return nil
        }
        driver.attach(connection)
        return Admission(
            driver: driver,
            welcome: self.welcome(driver.id, isResumed: true, processed: processed, [:])
        )
    }

    private func open(
        _ login: Login,
        peer: String,
        connection: TunnelConnection,
        now: Instant
    ) -> Result<Admission, Refusal> {
        if let refusal = self.refusalForLoad { return .failure(refusal) }
        let grant: SessionGrant
        switch self.authority.authorize(login, peer: peer) {
        case .success(let granted): grant = granted
        case .failure(let refusal): return .failure(refusal)
        }
        let id = SessionID(high: .random(in: 1...UInt64.max), low: .random(in: 0...UInt64.max))
        let driver = SessionDriver(
            id: id,
            publicKey: login.publicKey,
            session: Session(
                role: .edge,
                configuration: self.configuration,
                peerLimits: login.limits,
                now: now
            ),
            host: self.host
        )
        self.sessions[id] = driver
        self.host.add(driver)
        driver.onAvailability = { [authority, unowned driver] in
            authority.sessionChanged(driver, to: $0)
        }
        driver.onClosed = { [weak self, unowned driver] reason in
            guard let self else { return }
            self.sessions[id] = nil
            self.authority.sessionClosed(driver, reason: reason)
        }
        driver.onReport = { [authority, unowned driver] in
            authority.sessionReported(driver, $0)
        }
        driver.onLinkLost = { [weak self, unowned driver] in self?.endIfStranded(driver) }
        driver.attach(connection)
        self.authority.sessionOpened(driver, grant: grant, login: login)
        self.offerConfiguration(to: driver)
        return .success(
            Admission(
                driver: driver,
                welcome: self.welcome(
                    id,
                    isResumed: false,
                    processed: 0,
                    grant.attributes
                )
            )
        )
    }

    private var refusalForLoad: Refusal? {
        if self.isDraining {
            return Refusal(
                code: .draining,
                isPermanent: false,
                retryAfterMilliseconds: 1_000,
                message: "this edge is stopping"
            )
        }
        guard self.sessions.count >= Self.maximumSessions else { return nil }
        return Refusal(
            code: .overloaded,
            isPermanent: false,
            retryAfterMilliseconds: 10_000,
            message: "this edge has \(self.sessions.count) sessions, its limit"
        )
    }

    private func welcome(
        _ id: SessionID,
        isResumed: Bool,
        processed: UInt64,
        _ attributes: HTTPFields
    ) -> Welcome {
        Welcome(
            version: 1,
            isResumed: isResumed,
            session: ResumePoint(session: id, processed: processed),
            limits: self.configuration.limits,
            resumeWindowMilliseconds: UInt32(
                clamping: self.configuration.resumeWindow.nanoseconds / 1_000_000
            ),
            attributes: attributes
        )
    }
}

/// Lets the transport be made before the endpoint that its upgrades go to.
///
/// SAFETY: set once before the transport starts, read on its thread.
private final class AcceptingEndpoint: @unchecked Sendable {
    weak var endpoint: EdgeEndpoint?

    func handler(
        for request: UpgradeRequest
    ) -> Result<any TunnelConnectionHandler, UpgradeRefusal> {
        guard let endpoint else {
            return .failure(UpgradeRefusal(status: 503, errorCode: "stopping"))
        }
        return .success(EdgeLink(endpoint: endpoint, peer: request.peer))
    }
}
