import CLibwebsockets
import Logging

/// Where libwebsockets calls in; `owner` is the `TransportLoop`, alive until its `finish` returns.
let onTransportEvent: culvert_on_event = { owner, socket, id, event, bytes, length in
    guard let owner, let socket else { return 0 }
    let loop = Unmanaged<TransportLoop>.fromOpaque(owner).takeUnretainedValue()
    return loop.handle(event, on: socket, id: UInt(id), bytes, length)
}

// What libwebsockets reports, during a turn. Nothing here writes or frees a socket: a socket must
// not be closed from inside its own callback except by the returned -1.
extension TransportLoop {
    func handle(
        _ event: culvert_event,
        on socket: culvert_socket,
        id: UInt,
        _ bytes: UnsafeMutableRawPointer?,
        _ length: Int
    ) -> CInt {
        guard let connection = self.connections[id] else {
            return event == CULVERT_UPGRADE_ASKED || event == CULVERT_ANSWER_RECEIVED ? -1 : 0
        }
        switch event {
        case CULVERT_RECEIVED:
            return self.received(
                UnsafeRawBufferPointer(start: bytes, count: length),
                connection,
                socket
            )
        case CULVERT_WRITABLE:
            self.writable(connection)
            return 0
        case CULVERT_UPGRADE_ASKED:
            connection.socket = socket
            return self.upgradeAsked(connection, socket)
        case CULVERT_APPEND_HEADERS:
            return self.appendFields(of: connection, at: bytes, room: length)
        case CULVERT_ANSWER_RECEIVED:
            return self.answerReceived(connection, socket)
        case CULVERT_OPENED:
            return self.opened(connection, socket)
        default:
            self.ended(
                event,
                connection,
                socket,
                UnsafeRawBufferPointer(start: bytes, count: length)
            )
            return 0
        }
    }

    // MARK: the upgrade

    private func upgradeAsked(_ connection: TunnelConnection, _ socket: culvert_socket) -> CInt {
        guard connection.phase == .connecting, connection.handler == nil,
            let server = self.configuration.server
        else { return -1 }
        let request = UpgradeRequest(socket: socket, peer: connection.peer)
        defer { request.invalidate() }
        let decision = request.refusal().map { .failure($0) } ?? server.accept(request)
        switch decision {
        case .success(let handler):
            connection.handler = handler
            return 0
        case .failure(let refusal):
            self.respond(refusal, to: socket)
            return -1
        }
    }

    private func respond(_ refusal: UpgradeRefusal, to socket: culvert_socket) {
        let prefix = Int(CULVERT_WRITE_PREFIX)
        var bytes = [UInt8](repeating: 0, count: prefix) + Array(refusal.response.utf8)
        bytes.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return }
            _ = culvert_respond(socket, start + prefix, buffer.count - prefix)
        }
    }

    private func appendFields(
        of connection: TunnelConnection,
        at position: UnsafeMutableRawPointer?,
        room: Int
    ) -> CInt {
        guard let cursor = position?.assumingMemoryBound(to: UnsafeMutablePointer<UInt8>?.self),
            let start = cursor.pointee
        else { return 0 }
        let text = connection.requestFields.map { "\($0.name): \($0.value)\r\n" }.joined()
        // The rest of the request still has to fit behind.
        guard text.utf8.count + 256 < room else { return -1 }
        _ = UnsafeMutableBufferPointer(start: start, count: room).update(fromContentsOf: text.utf8)
        cursor.pointee = start + text.utf8.count
        return 0
    }

    /// libwebsockets takes a 101 without subprotocol for agreement.
    private func answerReceived(_ connection: TunnelConnection, _ socket: culvert_socket) -> CInt {
        let chosen = UpgradeRequest.copy(CULVERT_FIELD_PROTOCOL, of: socket)
        if chosen == TransportConfiguration.subprotocol { return 0 }
        self.finish(connection, because: .violation("the server did not agree to culvert.v1"))
        return -1
    }

    private func opened(_ connection: TunnelConnection, _ socket: culvert_socket) -> CInt {
        guard connection.phase == .connecting, let handler = connection.handler else {
            return connection.phase == .closing ? 0 : -1
        }
        connection.socket = socket
        connection.phase = .open
        self.logger.debug("tunnel connection opened", metadata: ["peer": "\(connection.peer)"])
        handler.opened(connection)
        return 0
    }

    // MARK: data

    private func received(
        _ bytes: UnsafeRawBufferPointer,
        _ connection: TunnelConnection,
        _ socket: culvert_socket
    ) -> CInt {
        guard connection.phase == .open, let handler = connection.handler else { return 0 }
        let position = culvert_received_position(socket)
        guard position.is_binary else {
            return self.violated(connection, code: 1003, "text frames are not understood")
        }
        self.receivedBytes += bytes.count
        connection.messageBytes += bytes.count
        // A frame may claim to be as long as an integer gets.
        let room = self.configuration.maximumMessageBytes - connection.messageBytes
        guard position.frame_remaining <= room else {
            return self.violated(connection, code: 1009, "a message is too long")
        }
        let endsMessage = position.is_final && position.frame_remaining == 0
        if endsMessage {
            connection.messageBytes = 0
            connection.receivedMessages += 1
        }
        self.noteAlive(connection, socket)
        handler.received(bytes, endsMessage: endsMessage, on: connection)
        return 0
    }

    /// Seldom, for libwebsockets keeps a sorted list; but long before it pings, and gives up, whoever is
    /// not heard of.
    func noteAlive(_ connection: TunnelConnection, _ socket: culvert_socket) {
        guard self.now &- connection.lastConfirmedAlive > 10_000_000_000 else { return }
        connection.lastConfirmedAlive = self.now
        culvert_confirm_alive(socket)
    }

    /// libwebsockets is told at the end of the turn, and nothing by the returned value: after a -1 from here it
    /// would wait for the peer's close frame with its receive buffer full, and write what still comes of this
    /// frame behind the buffer's end.
    private func violated(
        _ connection: TunnelConnection,
        code: UInt16,
        _ words: String
    ) -> CInt {
        self.breakOff(connection, closing: (code, words), because: .violation(words))
        return 0
    }

    private func writable(_ connection: TunnelConnection) {
        guard connection.hasMessages || connection.phase == .closing else { return }
        self.mark(connection)
    }

    // MARK: the end

    /// Whichever of the several ends libwebsockets reports comes first decides the reason.
    private func ended(
        _ event: culvert_event,
        _ connection: TunnelConnection,
        _ socket: culvert_socket,
        _ bytes: UnsafeRawBufferPointer
    ) {
        if event == CULVERT_DESTROYED {
            connection.socket = nil
            self.connections[connection.id] = nil
        }
        guard connection.phase != .closed else { return }
        self.finish(connection, because: self.reason(event, connection, socket, bytes))
    }

    private func reason(
        _ event: culvert_event,
        _ connection: TunnelConnection,
        _ socket: culvert_socket,
        _ bytes: UnsafeRawBufferPointer
    ) -> TransportCloseReason {
        switch (event, connection.phase) {
        case (_, .closing):
            return .closedHere
        case (CULVERT_PEER_CLOSED, _):
            guard bytes.count >= 2 else { return .closedByPeer(code: 1005, reason: "") }
            let words = String(decoding: bytes.dropFirst(2), as: UTF8.self)
            return .closedByPeer(code: UInt16(bytes[0]) << 8 | UInt16(bytes[1]), reason: words)
        case (_, .connecting) where connection.role == .client:
            let live = event == CULVERT_CONNECT_FAILED ? socket : nil
            return self.connectFailure(live, words: String(decoding: bytes, as: UTF8.self))
        default:
            return .lost("the peer or the path broke it off")
        }
    }

    /// Why a client's handshake failed. libwebsockets' own words say little.
    func connectFailure(_ socket: culvert_socket?, words: String) -> TransportCloseReason {
        guard let handle else { return .shutdown }
        let failure = culvert_take_tls_failure(handle)
        if failure.verify_code != 0 {
            return .untrustedCertificate(
                UntrustedCertificate(
                    code: Int(failure.verify_code),
                    reason: cText(failure.reason),
                    subject: cText(failure.subject),
                    depth: Int(failure.depth)
                )
            )
        }
        let alert = cText(failure.alert)
        guard let socket else { return .tlsFailed(alert.isEmpty ? words : alert) }
        let status = Int(culvert_response_status(socket))
        if status != 0, status != 101 {
            return .refused(
                RefusedUpgrade(
                    status: status,
                    errorCode: UpgradeRequest.copy(other: "culvert-error", of: socket),
                    retryAfter: UpgradeRequest.copy(CULVERT_FIELD_RETRY_AFTER, of: socket),
                    location: UpgradeRequest.copy(CULVERT_FIELD_LOCATION, of: socket)
                )
            )
        }
        if words.hasPrefix("Timed out") { return .timedOut }
        guard culvert_tls_established(socket) else {
            return .tlsFailed(alert.isEmpty ? "the server does not complete it (\(words))" : alert)
        }
        return .lost("the server ended the upgrade (\(words))")
    }
}

/// The text of a C array that was imported as a tuple.
private func cText<Characters>(_ characters: Characters) -> String {
    withUnsafeBytes(of: characters) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
