internal import NIOCore
package import TunnelSession
package import TunnelTransport
package import TunnelWire

/// What becomes of one link of a connector; told in a turn of the transport.
package enum LinkEvent: Sendable {
    /// The edge let the connector in; requests may come.
    case welcomed(Welcome)
    /// The edge refused the login; ``closed(_:)`` follows.
    case refused(Refusal)
    /// The edge takes no more requests and asks to go elsewhere. What is under way goes on over this
    /// link, beside a session that another one may begin.
    case draining
    /// The link is over, or never came to be. The last event, exactly once.
    case closed(LinkFailure)
}

/// Why a link is over.
package enum LinkFailure: Sendable, Equatable {
    /// The connection ended, or never came about; its login may have been refused before.
    case transport(TransportCloseReason)
    /// The edge sent what the protocol does not allow, or no answer to the login within 10 s.
    case protocolError(WireError)
    /// The edge ended the session that the link carried, and with it the link.
    case sessionEnded(CloseReason)
}

extension LinkFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .transport(let reason): "\(reason)"
        case .protocolError(let error): "the edge broke the protocol: \(error.reason)"
        case .sessionEnded(let reason): "\(reason)"
        }
    }
}

/// A connector's end of one link: the login, then the session's frames. In a turn of the transport.
final class ConnectorLink: TunnelConnectionHandler {
    /// An edge that has not answered the login by then is left.
    private static let loginTimeout = Interval.seconds(10)

    private let endpoint: ConnectorEndpoint
    private let onEvent: @Sendable (LinkEvent) -> Void
    private var io = LinkIO()
    private var login: ConnectorLogin
    private var driver: SessionDriver?
    private var isDraining = false
    private var failure: WireError?

    init(
        endpoint: ConnectorEndpoint,
        connectHost: String,
        onEvent: @escaping @Sendable (LinkEvent) -> Void
    ) {
        self.endpoint = endpoint
        self.login = ConnectorLogin(host: connectHost)
        self.onEvent = onEvent
    }

    func opened(_ connection: TunnelConnection) {
        self.endpoint.host.schedule(at: SessionHost.now + Self.loginTimeout) {
            [weak self, weak connection] in
            guard let self, self.driver == nil, self.failure == nil else { return }
            self.failure = WireError(.unexpectedFrame, "no answer to the login in time")
            connection?.close(code: LinkCloseStatus.loginRefused, reason: "no login in time")
        }
    }

    func received(
        _ bytes: UnsafeRawBufferPointer,
        endsMessage: Bool,
        on connection: TunnelConnection
    ) {
        guard self.failure == nil else { return }
        let now = SessionHost.now
        self.io.feed(bytes)
        if let driver, driver.link === connection { driver.session.linkReceived(now: now) }
        do {
            while let frame = try self.io.next() {
                try self.process(frame, on: connection, now: now)
            }
            if endsMessage { try self.io.messageEnded() }
        } catch {
            self.failure = error
            connection.close(code: LinkCloseStatus.protocolError, reason: error.reason)
        }
    }

    private func process(
        _ frame: FrameDecoder.Frame,
        on connection: TunnelConnection,
        now: Instant
    ) throws(WireError) {
        if let driver = self.driver {
            guard driver.link === connection else { return }
            try driver.receive(frame, now: now)
            if driver.session.isPeerDraining, !self.isDraining {
                self.isDraining = true
                self.onEvent(.draining)
            }
            return
        }
        switch try self.login.receive(frame) {
        case .answer(let version):
            let answer = self.endpoint.makeLogin(version: version, now: now)
            self.io.send(try self.login.sign(answer, with: self.endpoint.identity.sign))
            connection.wantsToWrite()
        case .welcomed(let welcome):
            self.driver = try self.endpoint.enter(welcome, on: connection, now: now)
            self.onEvent(.welcomed(welcome))
        case .refused(let refusal):
            self.onEvent(.refused(refusal))
            connection.close(code: LinkCloseStatus.loginRefused, reason: "refused")
        }
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
        // Without a link it was this one's, and found dead.
        if let driver, driver.link === connection || driver.link == nil {
            self.endpoint.linkIsOver(driver, now: SessionHost.now)
        }
        self.onEvent(.closed(self.reason(of: reason)))
    }

    /// What is behind the end of the connection, which this end may only have closed in answer to it.
    private func reason(of end: TransportCloseReason) -> LinkFailure {
        if let failure { return .protocolError(failure) }
        if let reason = self.driver?.session.closeReason, case .closedByPeer = reason {
            return .sessionEnded(reason)
        }
        return .transport(end)
    }
}
