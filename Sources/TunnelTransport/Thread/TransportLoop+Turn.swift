import CLibwebsockets
import Glibc

// What happens between two turns of the event loop, outside of all libwebsockets callbacks: only
// here are messages written and connections ended.
extension TransportLoop {
    /// Messages per connection and turn; then the others have theirs.
    private static let messagesPerTurn = 16

    /// Runs queued work and timers, writes, and tells the driver.
    func endTurn() {
        self.now = monotonicNanoseconds()
        let wasRung = self.mailbox.wakeUp() || self.wasRung
        self.wasRung = false
        if wasRung {
            for job in self.mailbox.takeJobs() { job(self) }
        }
        self.expireHandshakes()
        self.serveDriver(wakes: wasRung)
    }

    /// Has the driver say what is to be sent, sends it, and lets the driver tell its other threads.
    func serveDriver(wakes: Bool) {
        if let driver {
            let isDue = driver.nextDeadline.map { $0 <= self.now } ?? false
            if wakes || isDue { driver.transportWoke(now: self.now) }
        }
        self.serveMarked()
        if let driver {
            driver.transportTurnEnded(now: self.now)
            self.serveMarked()
        }
        if self.needsService, let handle {
            self.needsService = false
            culvert_loop_service_again(handle)
        }
    }

    /// Writes to and ends what was marked; handlers called here may mark again.
    private func serveMarked() {
        guard !self.marked.isEmpty else { return }
        var round = 0
        while !self.marked.isEmpty, round < 4 {
            let batch = self.marked
            self.marked.removeAll(keepingCapacity: true)
            for connection in batch {
                connection.isMarked = false
                self.serve(connection)
            }
            round += 1
        }
        // Whoever marks itself again and again waits for the sockets' turn.
        if !self.marked.isEmpty { self.mailbox.ring() }
    }

    private func serve(_ connection: TunnelConnection) {
        switch connection.phase {
        case .open:
            guard connection.hasMessages, let socket = connection.socket else { return }
            self.sendMessages(of: connection, to: socket)
        case .closing:
            self.end(connection)
        case .closed:
            // What was broken off between turns; libwebsockets' own callbacks say so as they return.
            guard let frame = connection.closeFrame, let socket = connection.socket else { return }
            connection.closeFrame = nil
            self.sendClose(frame, on: connection, socket)
        case .connecting:
            return
        }
    }

    /// Asks for messages and writes them while the socket takes them.
    private func sendMessages(of connection: TunnelConnection, to socket: culvert_socket) {
        guard let handler = connection.handler, let start = self.message.baseAddress else { return }
        let prefix = Int(CULVERT_WRITE_PREFIX)
        let room = UnsafeMutableRawBufferPointer(rebasing: self.message[prefix...])
        let payload = (start + prefix).assumingMemoryBound(to: UInt8.self)
        if !connection.hasWritten { self.firstWrite(of: connection, to: socket) }
        var cork = Cork(socket)
        defer { cork.pull() }
        for number in 0..<Self.messagesPerTurn {
            if number == 1 { cork.push() }
            guard self.takesMore(socket, of: connection) else {
                return culvert_ask_writable(socket)
            }
            let length = handler.nextMessage(into: room, on: connection)
            guard length > 0 else {
                connection.hasMessages = false
                return
            }
            connection.uncheckedRoomBytes -= length
            guard culvert_write(socket, payload, min(length, room.count)) >= 0 else {
                self.finish(connection, because: .lost("the socket does not take data any more"))
                return self.drop(socket)
            }
            guard connection.hasMessages, connection.phase != .closed else { return }
        }
        culvert_ask_writable(socket)
    }

    /// Has the kernel put messages that leave together into as few packets as they fill (TCP_CORK): each by
    /// itself goes all the way down and wakes the other end, and on a fast path
    /// that made a download a seventh slower.
    private struct Cork {
        private let socket: culvert_socket
        private var isIn = false

        init(_ socket: culvert_socket) { self.socket = socket }

        mutating func push() {
            self.isIn = true
            SocketOptions.cork(culvert_descriptor(self.socket), true)
        }

        /// What is left goes out now.
        mutating func pull() {
            guard self.isIn else { return }
            self.isIn = false
            SocketOptions.cork(culvert_descriptor(self.socket), false)
        }
    }

    /// Whether the socket has sent most of what it was given. Asking costs a system call; one is
    /// good for a few messages, because a socket's room shrinks by what is written only.
    private func takesMore(_ socket: culvert_socket, of connection: TunnelConnection) -> Bool {
        // After a partial write the next one would lose its frame header.
        if connection.uncheckedRoomBytes > 0 { return !culvert_has_unwritten(socket) }
        guard !culvert_choked(socket) else { return false }
        connection.uncheckedRoomBytes = connection.notSentLowWaterBytes / 4
        return true
    }

    /// Carries out `close` and `abort`.
    private func end(_ connection: TunnelConnection) {
        guard let socket = connection.socket else {
            return self.finish(connection, because: .closedHere)
        }
        guard let frame = connection.closeFrame else {
            self.finish(connection, because: .closedHere)
            return self.drop(socket)
        }
        if connection.hasMessages {
            self.sendMessages(of: connection, to: socket)
            connection.hasMessages = false
            guard connection.phase == .closing else { return }
        }
        // A close frame that has to wait behind a partial write would not be sent at all.
        guard !culvert_choked(socket) else {
            self.watch(connection)
            return culvert_ask_writable(socket)
        }
        self.finish(connection, because: .closedHere)
        self.sendClose(frame, on: connection, socket)
    }

    private func sendClose(
        _ frame: (code: UInt16, reason: String),
        on connection: TunnelConnection,
        _ socket: culvert_socket
    ) {
        connection.closeFrame = nil
        self.watch(connection)
        self.needsService = true
        // libwebsockets waits for the peer's close frame.
        if connection.hasReadDirectly { culvert_set_reading(socket, true) }
        let reason = Array(frame.reason.utf8.prefix(123))
        reason.withUnsafeBytes { bytes in
            let words = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            culvert_close(socket, frame.code, words, bytes.count)
        }
    }

    // MARK: new connections

    /// Serves an accepted socket; its owner from here on.
    func adopt(_ descriptor: CInt, peer: String, permit: (any AnyObject & Sendable)?) {
        guard let handle, !self.isStopping, self.configuration.server != nil,
            self.connections.count < self.configuration.maximumConnections
        else {
            Glibc.close(descriptor)
            return
        }
        let connection = self.register(role: .server, peer: peer)
        connection.permit = permit
        SocketOptions.apply(
            to: descriptor,
            notSentLowWaterBytes: connection.notSentLowWaterBytes
        )
        let socket = culvert_adopt(handle, descriptor, connection.id)
        self.needsService = true
        self.settle(
            connection,
            socket,
            failure: .lost("the server ended it at once, or does not speak it")
        )
    }

    /// Begins TLS and the upgrade over a connected socket; its owner from here on.
    func connect(_ descriptor: CInt, to target: ClientTarget, handler: any TunnelConnectionHandler)
    {
        let connection = self.register(
            role: .client,
            peer: target.host,
            handler: handler,
            requestFields: target.fields
        )
        guard let handle, !self.isStopping,
            self.connections.count <= self.configuration.maximumConnections
        else {
            Glibc.close(descriptor)
            self.connections[connection.id] = nil
            return self.finish(connection, because: self.isStopping ? .shutdown : .overLimit)
        }
        SocketOptions.apply(
            to: descriptor,
            notSentLowWaterBytes: connection.notSentLowWaterBytes
        )
        let socket = target.host.withCString { host in
            target.path.withCString { path in
                var raw = culvert_target(host: host, path: path, trust: target.trust.store)
                return culvert_connect(handle, descriptor, &raw, connection.id)
            }
        }
        self.needsService = true
        let failure =
            socket == nil
            ? self.connectFailure(nil, words: "the server ended it at once, or does not speak it")
            : .closedHere
        self.settle(connection, socket, failure: failure)
    }

    /// libwebsockets may have ended the connection already, with events or without any.
    private func settle(
        _ connection: TunnelConnection,
        _ socket: culvert_socket?,
        failure: TransportCloseReason
    ) {
        if let socket {
            if self.connections[connection.id] != nil { connection.socket = socket }
        } else {
            self.connections[connection.id] = nil
            connection.socket = nil
            self.finish(connection, because: failure)
        }
    }
}
