import CLibwebsockets
import WebSocketWire

// Reading past libwebsockets: its client takes 80 instructions for every byte received, more than
// nine tenths of a connector's work in an upload, and its server takes frames without a mask. See
// `culvert_read_directly`.
extension TransportLoop {
    /// TLS records taken from one socket before the others have their turn.
    private static let recordsPerEvent = 8

    /// Before the first message of a connection goes out.
    ///
    /// The protocol has a place where nothing is on its way and libwebsockets holds no bytes, at
    /// either end: the edge has not sent its CHALLENGE, the connector has read it and not answered.
    /// There reading changes hands. Any other conversation stays with libwebsockets.
    func firstWrite(of connection: TunnelConnection, to socket: culvert_socket) {
        connection.hasWritten = true
        let challenges = connection.role == .client ? 1 : 0
        guard let handle, connection.phase == .open,
            connection.receivedMessages == challenges, connection.messageBytes == 0,
            culvert_read_directly(handle, socket, connection.id)
        else { return }
        connection.frames = WebSocketFrameParser(
            expectsMask: connection.role == .server,
            maximumMessageBytes: self.configuration.maximumMessageBytes
        )
        connection.hasReadDirectly = true
        self.needsService = true
    }

    /// The connection is over: nobody is told any more when there is something to read.
    func stopReading(_ connection: TunnelConnection) {
        guard connection.frames != nil else { return }
        connection.frames = nil
        if let handle, let socket = connection.socket { culvert_stop_reading(handle, socket) }
    }

    func readable(_ connection: TunnelConnection) {
        for _ in 0..<Self.recordsPerEvent {
            guard let handle, let socket = connection.socket, connection.frames != nil else {
                return
            }
            var start: UnsafeMutableRawPointer?
            let count = Int(culvert_read(handle, socket, &start))
            guard count > 0 else {
                if count < 0 { self.readingEnded(connection, socket) }
                return
            }
            self.receivedBytes += count
            self.noteAlive(connection, socket)
            self.read(UnsafeMutableRawBufferPointer(start: start, count: count), connection, socket)
            guard connection.socket != nil, culvert_has_unread(socket) else { return }
        }
        if !connection.hasUnread {
            connection.hasUnread = true
            self.unread.append(connection)
        }
    }

    /// Goes on with what OpenSSL holds: no socket says that it is there.
    func readOn() {
        guard !self.unread.isEmpty else { return }
        let batch = self.unread
        self.unread = []
        for connection in batch {
            connection.hasUnread = false
            self.readable(connection)
        }
    }

    private func read(
        _ bytes: UnsafeMutableRawBufferPointer,
        _ connection: TunnelConnection,
        _ socket: culvert_socket
    ) {
        var position = 0
        while connection.phase == .open,
            let event = connection.frames?.next(UnsafeRawBufferPointer(bytes), at: &position)
        {
            switch event {
            case .data(let range, let mask, let endsMessage):
                let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[range])
                mask?.apply(to: piece)
                connection.handler?.received(
                    UnsafeRawBufferPointer(piece),
                    endsMessage: endsMessage,
                    on: connection
                )
            case .ping(let payload):
                payload.withUnsafeBytes { culvert_pong(socket, $0.baseAddress, $0.count) }
            case .pong: break
            case .close(let code, let reason):
                self.breakOff(
                    connection,
                    closing: (code ?? WebSocketCloseCode.normal, ""),
                    because: .closedByPeer(
                        code: code ?? WebSocketCloseCode.noStatusReceived,
                        reason: reason
                    )
                )
            case .violation(let violation):
                self.breakOff(
                    connection,
                    closing: (violation.code, violation.reason),
                    because: .violation(violation.reason)
                )
            }
        }
    }

    /// Tells the handler now and the peer when the turn ends.
    func breakOff(
        _ connection: TunnelConnection,
        closing frame: (code: UInt16, reason: String),
        because reason: TransportCloseReason
    ) {
        self.finish(connection, because: reason)
        connection.closeFrame = frame
        self.mark(connection)
    }

    private func readingEnded(_ connection: TunnelConnection, _ socket: culvert_socket) {
        self.finish(connection, because: .lost("the peer or the path broke it off"))
        self.drop(socket)
    }
}
