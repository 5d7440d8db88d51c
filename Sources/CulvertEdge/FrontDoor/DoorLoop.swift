import Dispatch
import Glibc
import Logging
import NIOCore

/// The front door's thread: accepts, peeks at ClientHellos, hands sockets out.
///
/// Nothing here waits for a client: every socket is non-blocking, every one has a deadline, and at
/// a limit the oldest goes. Confined to its thread, but for the mailbox.
final class DoorLoop {
    private static let listenerToken: UInt64 = 1
    private static let acceptsPerTurn = 64
    private static let exhaustionPause = TimeAmount.milliseconds(100)
    private static let drainTimeout = TimeAmount.seconds(1)
    private static let drainLimit = 256
    private static let drainBytes = 65_536

    private let mailbox: DoorMailbox
    private let configuration: FrontDoor.Configuration
    private let counter: ConnectionCounter
    private let handlers: FrontDoor.Handlers
    private let logger: Logger
    private var listener: ListeningSocket?
    private var acceptIsReady = true
    private var acceptPausedUntil: NIODeadline?
    private var isExhausted = false
    private var nextToken: UInt64 = 2
    private var greeting: PendingConnections
    private var draining = PendingConnections(limit: drainLimit, timeout: drainTimeout)
    /// Who wants to know when nobody is greeted any more.
    private var awaiters: [(deadline: NIODeadline, done: @Sendable () -> Void)] = []
    /// What was peeked; shared by all, since nothing in it outlives a call.
    private var peeked = [UInt8](repeating: 0, count: ClientHello.maximumBytes)

    init(
        mailbox: DoorMailbox,
        listener: consuming ListeningSocket,
        configuration: FrontDoor.Configuration,
        counter: ConnectionCounter,
        handlers: FrontDoor.Handlers,
        logger: Logger
    ) throws(FrontDoorError) {
        self.mailbox = mailbox
        self.configuration = configuration
        self.counter = counter
        self.handlers = handlers
        self.logger = logger
        self.greeting = PendingConnections(
            limit: configuration.maximumPendingHellos,
            timeout: configuration.helloTimeout
        )
        guard mailbox.poll.add(listener.descriptor.raw, token: Self.listenerToken) else {
            throw FrontDoorError(call: "epoll_ctl", errno: errno)
        }
        self.listener = consume listener
    }

    /// Runs until it is told to shut down; every descriptor it owns is closed when it returns.
    func run() {
        var events: [EventPoll.Event] = []
        while true {
            self.mailbox.poll.wait(timeoutMilliseconds: self.timeoutMilliseconds(), into: &events)
            for event in events { self.handle(event) }
            if self.obeyCommands() == .shutDown { return self.shutDown() }
            let now = NIODeadline.now()
            self.acceptTurn(now: now)
            self.expire(now: now)
            self.tellAwaiters(now: now)
        }
    }

    private func handle(_ event: EventPoll.Event) {
        switch event.token {
        case EventPoll.wakeToken: return
        case Self.listenerToken: self.acceptIsReady = true
        default:
            if let connection = self.greeting[event.token] {
                self.peek(connection, hungUp: event.hungUp)
            } else if let connection = self.draining[event.token] {
                self.drain(connection)
            }
        }
    }

    private func timeoutMilliseconds() -> CInt {
        if self.acceptIsReady, self.acceptPausedUntil == nil, self.listener != nil { return 0 }
        var next = self.acceptPausedUntil ?? .distantFuture
        next = min(next, self.greeting.nextDeadline() ?? .distantFuture)
        next = min(next, self.draining.nextDeadline() ?? .distantFuture)
        for awaiter in self.awaiters { next = min(next, awaiter.deadline) }
        guard next < .distantFuture else { return -1 }
        let left = (next - .now()).nanoseconds
        return CInt(clamping: max(0, left + 999_999) / 1_000_000)
    }

    private func expire(now: NIODeadline) {
        while let connection = self.greeting.popExpired(now: now) {
            self.close(connection, because: "no whole ClientHello within the header timeout")
        }
        while let connection = self.draining.popExpired(now: now) { self.close(connection) }
    }

    private func tellAwaiters(now: NIODeadline) {
        guard !self.awaiters.isEmpty else { return }
        let isOver = self.greeting.count == 0
        for awaiter in self.awaiters where isOver || awaiter.deadline <= now { awaiter.done() }
        self.awaiters.removeAll { isOver || $0.deadline <= now }
    }
}

// MARK: - Accepting

extension DoorLoop {
    /// Accepts a bounded number, so that those already inside have their turn.
    private func acceptTurn(now: NIODeadline) {
        if let until = self.acceptPausedUntil {
            guard until <= now else { return }
            self.acceptPausedUntil = nil
        }
        for _ in 0..<Self.acceptsPerTurn {
            guard self.acceptIsReady, self.acceptPausedUntil == nil else { return }
            self.acceptOne(now: now)
        }
    }

    private func acceptOne(now: NIODeadline) {
        guard let accepted = self.listener?.accept() else {
            self.acceptIsReady = false
            return
        }
        switch consume accepted {
        case .connection(let descriptor, let peer):
            self.noteRecovery()
            self.admit(descriptor, peer: peer, now: now)
        case .none:
            // Linux takes a descriptor before it looks at the queue: there was one to take.
            self.noteRecovery()
            self.acceptIsReady = false
        case .skipped: return
        case .exhausted(let code): self.pauseAccepting(errno: code, now: now)
        }
    }

    /// The kernel keeps the waiting connections in its queue; trying again at once would spin.
    private func pauseAccepting(errno code: CInt, now: NIODeadline) {
        self.acceptPausedUntil = now + Self.exhaustionPause
        guard !self.isExhausted else { return }
        self.isExhausted = true
        self.logger.error(
            "cannot accept connections; trying again every 100 ms",
            metadata: ["reason": "\(String(cString: strerror(code)))"]
        )
    }

    private func noteRecovery() {
        guard self.isExhausted else { return }
        self.isExhausted = false
        self.logger.notice("accepting connections again")
    }

    private func admit(_ descriptor: consuming OwnedDescriptor, peer: PeerAddress, now: NIODeadline)
    {
        let permit: ConnectionPermit
        do {
            permit = try self.counter.admit(peer)
        } catch {
            self.logger.debug(
                "connection refused",
                metadata: ["peer": "\(peer)", "reason": "\(error.rawValue)"]
            )
            return
        }
        let connection = PendingConnection(
            token: self.nextToken,
            descriptor: descriptor,
            peer: peer,
            permit: permit
        )
        self.nextToken += 1
        if let evicted = self.greeting.insert(connection, now: now) {
            self.close(evicted, because: "too many connections without a ClientHello")
        }
        self.peek(connection, hungUp: false)
    }
}

// MARK: - Peeking

extension DoorLoop {
    /// Looks at what has arrived without consuming it, and decides.
    private func peek(_ connection: PendingConnection, hungUp: Bool) {
        let count = self.peeked.withUnsafeMutableBytes {
            recv(connection.raw, $0.baseAddress, $0.count, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT))
        }
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR {
                return self.await(connection, minimumBytes: 1)
            }
            self.forget(connection)
            return self.close(connection)
        }
        switch ClientHello.parse(self.peeked[..<count]) {
        case .needMore(let minimumBytes):
            // After the peer's FIN no further edge will come.
            guard !hungUp else {
                self.forget(connection)
                return self.close(connection, because: "it ended within its ClientHello")
            }
            self.await(connection, minimumBytes: minimumBytes)
        case .hello(let hello): self.handOut(connection, hello: hello)
        case .notTLS(looksLikeHTTP: true): self.answer(connection, RefusalAnswer.plainHTTP)
        case .notTLS(looksLikeHTTP: false):
            self.forget(connection)
            self.close(connection, because: "it does not speak TLS")
        case .malformed(let reason):
            self.logger.debug(
                "connection refused",
                metadata: ["peer": "\(connection.peer)", "reason": "\(reason)"]
            )
            self.answer(connection, RefusalAnswer.decodeError)
        }
    }

    /// Waits until `minimumBytes` are there: without a low-water mark a client that sends byte by
    /// byte would wake this thread, and have its bytes parsed anew, for each.
    private func await(_ connection: PendingConnection, minimumBytes: Int) {
        self.setLowWater(connection, bytes: minimumBytes)
        guard !connection.isRegistered else { return }
        connection.isRegistered = self.mailbox.poll.add(connection.raw, token: connection.token)
        if !connection.isRegistered {
            self.forget(connection)
            self.close(connection, because: "epoll is full")
        }
    }

    private func setLowWater(_ connection: PendingConnection, bytes: Int) {
        guard connection.lowWaterBytes != bytes else { return }
        connection.lowWaterBytes = bytes
        ListeningSocket.set(
            connection.raw,
            level: SOL_SOCKET,
            option: SO_RCVLOWAT,
            value: CInt(clamping: bytes)
        )
    }

    private func handOut(_ connection: PendingConnection, hello: ClientHello) {
        self.forget(connection)
        self.setLowWater(connection, bytes: 1)
        if connection.isRegistered { self.mailbox.poll.remove(connection.raw) }
        guard let local = ListeningSocket.localAddress(of: connection.raw),
            let descriptor = connection.takeDescriptor()
        else { return self.close(connection) }
        let socket = AcceptedSocket(
            descriptor: descriptor,
            peer: connection.peer,
            local: local,
            hello: hello,
            permit: connection.permit
        )
        if let name = hello.serverName, name == self.configuration.connectHost {
            self.handlers.tunnels(socket)
        } else {
            self.handlers.visitors(socket)
        }
    }
}

// MARK: - Refusing and closing

extension DoorLoop {
    /// Writes a refusal, closes this half, and throws away what the peer sends until it closes too.
    private func answer(_ connection: PendingConnection, _ bytes: [UInt8]) {
        self.forget(connection)
        let flags = CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT)
        // A new connection's send buffer holds this; if it does not, the peer is not reading.
        _ = bytes.withUnsafeBytes { send(connection.raw, $0.baseAddress, $0.count, flags) }
        _ = Glibc.shutdown(connection.raw, CInt(SHUT_WR))
        self.setLowWater(connection, bytes: 1)
        connection.phase = .draining(bytesLeft: Self.drainBytes)
        if let evicted = self.draining.insert(connection, now: .now()) { self.close(evicted) }
        if !connection.isRegistered {
            connection.isRegistered = self.mailbox.poll.add(connection.raw, token: connection.token)
        }
        self.drain(connection)
    }

    private func drain(_ connection: PendingConnection) {
        while case .draining(let bytesLeft) = connection.phase, bytesLeft > 0 {
            let count = self.peeked.withUnsafeMutableBytes {
                recv(connection.raw, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT))
            }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else { break }
            connection.phase = .draining(bytesLeft: bytesLeft - count)
        }
        _ = self.draining.remove(connection.token)
        self.close(connection)
    }

    private func forget(_ connection: PendingConnection) {
        _ = self.greeting.remove(connection.token)
    }

    /// Closes a connection that is in no table any more; epoll forgets a closed descriptor.
    private func close(_ connection: PendingConnection, because reason: String? = nil) {
        _ = connection.takeDescriptor()
        connection.permit.release()
        if let reason {
            self.logger.debug(
                "connection closed before TLS",
                metadata: ["peer": "\(connection.peer)", "reason": "\(reason)"]
            )
        }
    }
}

// MARK: - Commands

extension DoorLoop {
    private enum Next { case carryOn, shutDown }

    private func obeyCommands() -> Next {
        var next = Next.carryOn
        for command in self.mailbox.takeCommands() {
            switch command {
            case .stopAccepting(let done):
                self.stopAccepting()
                done.signal()
            case .tellOfGreetings(let deadline, let done):
                self.awaiters.append((deadline, done))
            case .shutDown: next = .shutDown
            }
        }
        return next
    }

    /// Takes what the kernel has already accepted, which closing would reset, then closes. What is in the
    /// queue of a socket that others hold waits for them.
    private func stopAccepting() {
        guard self.listener?.isPassed == false else { return self.closeListener() }
        let now = NIODeadline.now()
        self.acceptIsReady = true
        self.acceptPausedUntil = nil
        while self.listener != nil, self.acceptIsReady, self.acceptPausedUntil == nil {
            self.acceptOne(now: now)
        }
        self.closeListener()
    }

    private func closeListener() {
        // epoll forgets a descriptor by itself only when nobody else holds its socket.
        if let raw = self.listener?.descriptor.raw { self.mailbox.poll.remove(raw) }
        self.listener = nil
        self.acceptPausedUntil = nil
    }

    private func shutDown() {
        self.closeListener()
        self.greeting.removeAll()
        self.draining.removeAll()
        self.tellAwaiters(now: .now())
    }
}
