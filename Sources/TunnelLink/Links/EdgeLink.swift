internal import Logging
internal import NIOCore
internal import TunnelSession
internal import TunnelTransport
internal import TunnelWire

/// An edge's end of one link: the login, then a session's frames. In a turn of the transport.
final class EdgeLink: TunnelConnectionHandler {
    /// A connector that has not logged in by then is dropped.
    private static let loginTimeout = Interval.seconds(10)

    private unowned let endpoint: EdgeEndpoint
    private let peer: String
    private var io = LinkIO()
    private var login: EdgeLogin?
    private var driver: SessionDriver?
    private var isOver = false

    init(endpoint: EdgeEndpoint, peer: String) {
        self.endpoint = endpoint
        self.peer = peer
    }

    func opened(_ connection: TunnelConnection) {
        do {
            let login = try self.endpoint.makeLogin()
            self.io.send(login.challengeFrame)
            self.login = login
            connection.wantsToWrite()
        } catch {
            connection.abort()
        }
        self.endpoint.host.schedule(at: SessionHost.now + Self.loginTimeout) {
            [weak self, weak connection] in
            guard let self, self.driver == nil, !self.isOver else { return }
            connection?.close(code: LinkCloseStatus.loginRefused, reason: "no login in time")
        }
    }

    func received(
        _ bytes: UnsafeRawBufferPointer,
        endsMessage: Bool,
        on connection: TunnelConnection
    ) {
        guard !self.isOver else { return }
        let now = SessionHost.now
        self.io.feed(bytes)
        if let driver, driver.link === connection { driver.session.linkReceived(now: now) }
        do {
            while let frame = try self.io.next() {
                try self.process(frame, on: connection, now: now)
            }
            if endsMessage { try self.io.messageEnded() }
        } catch {
            self.endpoint.host.logger.debug(
                "Link closed: protocol error",
                metadata: ["peer": "\(self.peer)", "reason": "\(error.reason)"]
            )
            connection.close(code: LinkCloseStatus.protocolError, reason: error.reason)
            self.isOver = true
        }
    }

    private func process(
        _ frame: FrameDecoder.Frame,
        on connection: TunnelConnection,
        now: Instant
    ) throws(WireError) {
        if let driver = self.driver {
            // A link that another one has replaced is no longer listened to.
            guard driver.link === connection else { return }
            try driver.receive(frame, now: now)
            return
        }
        guard var login = self.login else { return }
        let request = try login.receive(frame)
        switch self.endpoint.admit(request, peer: self.peer, connection: connection, now: now) {
        case .success(let admission):
            self.driver = admission.driver
            connection.releasePermit()
            self.io.send(try login.accept(admission.welcome))
        case .failure(let refusal):
            self.io.send(try login.refuse(refusal))
            // Before the close: it lets out what is ready, and nothing that becomes ready later.
            connection.wantsToWrite()
            connection.close(code: LinkCloseStatus.loginRefused, reason: refusal.message)
        }
        self.login = login
        connection.wantsToWrite()
    }

    func nextMessage(
        into buffer: UnsafeMutableRawBufferPointer,
        on connection: TunnelConnection
    ) -> Int {
        if self.io.hasOutgoing { return self.io.fill(buffer) }
        guard let driver = self.driver, driver.link === connection else { return 0 }
        return driver.nextMessage(into: buffer, now: SessionHost.now)
    }

    func closed(_ connection: TunnelConnection, reason: TransportCloseReason) {
        self.isOver = true
        self.endpoint.host.logger.debug(
            "Link gone",
            metadata: ["peer": "\(self.peer)", "reason": "\(reason)"]
        )
        guard let driver = self.driver, driver.link === connection else { return }
        driver.detach(now: SessionHost.now)
    }
}
