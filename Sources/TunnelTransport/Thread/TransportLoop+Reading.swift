import CLibwebsockets

// A client's reading past libwebsockets, which takes 80 instructions for every byte a client
// receives: more than nine tenths of a connector's work in an upload, see `culvert_read_directly`.
extension TransportLoop {
    /// TLS records taken from one socket before the others have their turn.
    private static let recordsPerEvent = 8

    /// Before the first message of a connection goes out.
    ///
    /// A server that has sent one message and waits for the answer, as the protocol's CHALLENGE does,
    /// has nothing on its way: libwebsockets stands at the end of a frame and holds no bytes, so here
    /// reading can change hands. Any other conversation stays with libwebsockets.
    func firstWrite(of connection: TunnelConnection, to socket: culvert_socket) {
        connection.hasWritten = true
        guard let handle, connection.role == .client, connection.phase == .open,
            connection.receivedMessages == 1, connection.messageBytes == 0,
            let readable = culvert_read_directly(handle, socket, connection.id)
        else { return }
        let limit = self.configuration.maximumMessageBytes
        connection.reading = (readable, ServerFrameReader(maximumMessageBytes: limit))
        connection.hasReadDirectly = true
        self.needsService = true
    }

    /// The connection is over: nobody is told any more when there is something to read.
    func stopReading(_ connection: TunnelConnection) {
        guard let reading = connection.reading else { return }
        connection.reading = nil
        culvert_abort(reading.socket)
        self.needsService = true
    }

    func readable(_ connection: TunnelConnection) {
        if self.mailbox.wakeUp() { self.wasRung = true }
        for _ in 0..<Self.recordsPerEvent {
            guard let handle, let socket = connection.socket, connection.reading != nil else {
                return
            }
            var start: UnsafeRawPointer?
            let count = Int(culvert_read(handle, socket, &start))
            guard count > 0 else {
                if count < 0 { self.readingEnded(connection, socket) }
                return
            }
            self.receivedBytes += count
            self.noteAlive(connection, socket)
            self.read(UnsafeRawBufferPointer(start: start, count: count), connection, socket)
        }
    }

    private func read(
        _ bytes: UnsafeRawBufferPointer,
        _ connection: TunnelConnection,
        _ socket: culvert_socket
    ) {
        var position = 0
        while connection.phase == .open,
            let event = connection.reading?.frames.next(bytes, at: &position)
        {
            switch event {
            case .data(let range, let endsMessage):
                let piece = UnsafeRawBufferPointer(rebasing: bytes[range])
                connection.handler?.received(piece, endsMessage: endsMessage, on: connection)
            case .ping(let payload):
                payload.withUnsafeBytes { culvert_pong(socket, $0.baseAddress, $0.count) }
            case .close(let code, let reason):
                self.breakOff(
                    connection,
                    closing: (code == 1005 ? 1000 : code, ""),
                    because: .closedByPeer(code: code, reason: reason)
                )
            case .violation(let code, let words):
                self.breakOff(connection, closing: (code, words), because: .violation(words))
            }
        }
    }

    /// Tells the handler now and the peer when the turn ends.
    private func breakOff(
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
