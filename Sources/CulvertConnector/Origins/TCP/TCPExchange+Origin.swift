import HTTPSemantics
import NIOCore
import TunnelLink
import TunnelWire
import WebSocketWire

// MARK: - Getting a connection

extension TCPExchange {
    /// Takes up the request, an upgrade to WebSocket.
    func begin() {
        switch self.target.service {
        case .tcp(_, let host, let port):
            self.dial(TCPDestination(host: host, port: port), within: nil)
        case .bastion:
            guard let destination = TCPDestination(of: self.head) else {
                return self.answer(.noDestination(self.head))
            }
            let rules = self.target.options.ipRules
            self.dial(destination, within: rules.isEmpty ? nil : rules)
        case .socksProxy:
            self.switchProtocols()
            self.beginSOCKS()
            self.readFrames()
        case .http, .https, .unix, .unixTLS, .httpStatus, .helloWorld:
            self.fail(.internalError, "\(self.target.name) carries no TCP")
        }
    }

    private func dial(_ destination: TCPDestination, within rules: [IPRule]?) {
        let dial = TCPDial(
            to: destination,
            options: self.target.options,
            rules: rules,
            on: self.stream.eventLoop
        ) { result in
            self.dial = nil
            switch result {
            case .success(let connection): self.dialled(connection)
            case .failure(let failure): self.dialFailed(failure)
            }
        }
        self.dial = dial
        dial.start()
    }

    private func dialled(_ connection: TCPConnection) {
        guard connection.join(self) else {
            connection.abandon()
            return self.dialFailed(
                TCPDialFailure(kind: .unreachable, detail: "closed by the origin at once")
            )
        }
        self.connection = connection
        self.machine.attached()
        if self.machine.isSwitched {
            self.replySOCKS(.succeeded)
        } else {
            self.switchProtocols()
            if self.target.options.proxyType == .socks { self.beginSOCKS() }
        }
        self.writeHeld()
        if self.socks == nil, self.stream.isWritable { connection.resumeReading() }
        self.readFrames()
        self.flushConnection()
    }

    private func writeHeld() {
        let pieces = self.held
        self.held.removeAll()
        for piece in pieces { self.connection?.write(piece) }
    }

    private func dialFailed(_ failure: TCPDialFailure) {
        guard self.machine.isSwitched else {
            guard failure.kind == .denied else { return self.fail(failure.code, failure.detail) }
            self.claim.record.failure = OriginFailure(.refused, failure.detail)
            return self.answer(.destinationDenied(self.head))
        }
        let reply: SOCKSHandshake.Reply =
            switch failure.kind {
            case .denied: .notAllowed
            case .refused: .refused
            case .unreachable, .timedOut: .hostUnreachable
            }
        self.replySOCKS(reply)
        self.giveUp(WebSocketCloseCode.normal, reason: failure.detail, as: failure.code)
    }
}

// MARK: - SOCKS

extension TCPExchange {
    private func beginSOCKS() {
        self.socks = SOCKSHandshake()
        self.setTimer(seconds: TCPLimits.handshakeTime) {
            $0.giveUp(WebSocketCloseCode.policyViolation, reason: "no SOCKS request in time")
        }
    }

    func receivedSOCKS(_ bytes: ByteBuffer) {
        self.socks?.append(bytes)
        while let step = self.socks?.next() {
            switch step {
            case .needsMore: return
            case .answer(let answer):
                self.send(WebSocketFrame.binary(answer))
                self.stream.flush()
            case .connect(let destination): self.connectSOCKS(destination)
            case .refuse(let answer, let reason):
                if answer.readableBytes > 0 { self.send(WebSocketFrame.binary(answer)) }
                // In SOCKS' own words an orderly end.
                self.giveUp(WebSocketCloseCode.normal, reason: "SOCKS: \(reason)")
            }
        }
    }

    private func connectSOCKS(_ destination: TCPDestination) {
        self.cancelTimer()
        let rest = self.socks?.takeRest() ?? ByteBuffer()
        self.socks = nil
        if rest.readableBytes > 0 { self.held.append(rest) }
        guard self.connection == nil else {
            // `proxyType: socks` in front of a service: whatever the client names is the service.
            self.replySOCKS(.succeeded)
            self.writeHeld()
            if self.stream.isWritable { self.connection?.resumeReading() }
            return
        }
        self.claim.record.origin = "\(self.target.name) \(destination)"
        self.dial(destination, within: self.target.options.ipRules)
    }

    private func replySOCKS(_ reply: SOCKSHandshake.Reply) {
        guard self.machine.isAnswerOpen else { return }
        self.send(WebSocketFrame.binary(SOCKSHandshake.reply(reply)))
        self.stream.flush()
    }
}

extension LocalAnswer {
    /// To a bastion's visitor who names no destination, or none that can be read.
    static func noDestination(_ request: RequestHead) -> LocalAnswer {
        .text(
            """
            This hostname leads to a bastion, and the request does not say where to go from it.

            Name the destination:
              culvert access tcp --hostname \(request.authority) --destination HOST:PORT

            """,
            status: 400,
            reason: "Bad Request",
            request
        )
    }

    /// To one whose destination `ipRules` forbid.
    static func destinationDenied(_ request: RequestHead) -> LocalAnswer {
        .text(
            """
            The connector's ipRules do not allow this destination.

            If the connector is yours, add the address to ipRules in its configuration.

            """,
            status: 403,
            reason: "Forbidden",
            request
        )
    }

    /// To a request for a TCP service that is no WebSocket, a browser's for example.
    static func upgradeRequired(_ request: RequestHead) -> LocalAnswer {
        var answer = LocalAnswer.text(
            """
            This hostname leads to a TCP service, which a browser cannot show.

            Bring it to a port of your machine, and connect to that:
              culvert access tcp --hostname \(request.authority) --url 127.0.0.1:2222

            For SSH, culvert access ssh-config --hostname \(request.authority) prints what belongs
            into ~/.ssh/config.

            """,
            status: 426,
            reason: "Upgrade Required",
            request
        )
        // No `Upgrade`, though RFC 9110 §15.5.22 asks for it: it belongs to the edge's connection,
        // which may be HTTP/2, where it is forbidden.
        answer.head.fields.append("Sec-WebSocket-Version", "13")
        return answer
    }
}
