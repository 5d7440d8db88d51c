import CLibwebsockets
import Glibc
import Logging

/// Everything that is confined to a transport's thread: the libwebsockets context, the connections
/// and what is due when a turn ends.
final class TransportLoop {
    let configuration: TransportConfiguration
    let mailbox: TransportMailbox
    let logger: Logger
    var driver: (any TransportDriver)?

    /// Nil before the start and after the end.
    private(set) var handle: culvert_loop_ref?
    /// By the number libwebsockets carries around for us: a stale number finds nothing, where a
    /// stale pointer would find freed memory.
    var connections: [UInt: TunnelConnection] = [:]
    private var lastId: UInt = 0
    /// Connections to write to or to end when the turn's callbacks have run.
    var marked: [TunnelConnection] = []
    /// Connections of which OpenSSL holds bytes that were not read in their turn.
    var unread: [TunnelConnection] = []
    /// libuv re-arms libwebsockets' timers only from its own callbacks: wake it once more.
    var needsService = false
    /// Somebody rang while callbacks ran.
    var wasRung = false
    /// Since the thread last waited for its sockets.
    var receivedBytes = 0
    var now: UInt64 = 0
    private(set) var isStopping = false
    /// A turn that received so much is followed by another at once; any more would be worth waiting
    /// for, and so much at most is handed over together.
    private static let bulkBytes = 8 << 10
    private static let bytesPerHandOver = 128 << 10
    /// One message with room in front for its frame header.
    let message: UnsafeMutableRawBufferPointer
    private var handshakes = DeadlineQueue()
    private var armedDeadline: UInt64?
    private var certificates: ServerCertificates?

    init(configuration: TransportConfiguration, logger: Logger) {
        self.configuration = configuration
        self.mailbox = TransportMailbox()
        self.logger = logger
        self.message = .allocate(
            byteCount: Int(CULVERT_WRITE_PREFIX) + TransportConfiguration.messageRoomBytes,
            alignment: 16
        )
    }

    deinit { self.message.deallocate() }

    /// Makes the libwebsockets context; false when that fails. `self` has to outlive `finish`.
    func prepare(initialisesTLS: Bool) -> Bool {
        let server = self.configuration.server
        let handle = TransportConfiguration.subprotocol.withCString { subprotocol in
            var options = culvert_loop_options()
            options.uses_uv = self.configuration.usesUV
            options.initialises_tls = initialisesTLS
            options.accepts = server != nil
            options.maximum_connections = CUnsignedInt(self.configuration.maximumConnections)
            // Longer than our own deadline, which knows what it is for.
            options.timeout_seconds = CUnsignedInt(self.configuration.handshakeTimeoutSeconds + 2)
            options.ping_seconds = CUnsignedShort(self.configuration.pingAfterSeconds)
            options.hangup_seconds = CUnsignedShort(self.configuration.hangUpAfterSeconds)
            options.subprotocol = subprotocol
            options.owner = Unmanaged.passUnretained(self).toOpaque()
            options.on_event = onTransportEvent
            return culvert_loop_create(&options)
        }
        guard let handle else { return false }
        self.handle = handle
        self.mailbox.attach(handle)
        if let server { self.use(server.certificates) }
        return true
    }

    func use(_ certificates: ServerCertificates) {
        guard let handle else { return }
        culvert_loop_use_identities(handle, certificates.identities)
        self.certificates = certificates
    }

    /// The thread's life: turns until told to stop, then `finish`.
    func run() {
        guard let handle else { return }
        var isHealthy = true
        while isHealthy {
            self.endTurn()
            guard !self.mailbox.isStopping else { break }
            let isDue = self.armDeadline(handle)
            let mayBlock = self.mailbox.fallAsleep() && !isDue && self.unread.isEmpty
            isHealthy = self.takeTurn(handle, mayBlock: mayBlock)
        }
        if !isHealthy { self.logger.error("the tunnel's event loop failed") }
        self.finish()
    }

    /// Serves the sockets. While a socket yields bulk it goes on for some turns, so that the other
    /// threads get many pieces at once: waking one for each costs more than the piece.
    private func takeTurn(_ handle: culvert_loop_ref, mayBlock: Bool) -> Bool {
        self.receivedBytes = 0
        var isHealthy = culvert_loop_turn(handle, mayBlock)
        self.readOn()
        var goal = Self.bulkBytes
        while isHealthy, self.receivedBytes >= goal, goal < Self.bytesPerHandOver {
            goal = self.receivedBytes + Self.bulkBytes
            isHealthy = culvert_loop_turn(handle, false)
            self.readOn()
        }
        return isHealthy
    }

    /// Ends every connection and takes the context down; afterwards nothing is called back.
    func finish() {
        guard let handle else { return }
        self.isStopping = true
        for job in self.mailbox.close() { job(self) }
        for connection in Array(self.connections.values) {
            let speaksWebSocket = connection.phase == .open
            self.finish(connection, because: .shutdown)
            guard speaksWebSocket, let socket = connection.socket else { continue }
            culvert_close(socket, 1001, "shutdown", 8)
        }
        // Two turns for close frames that the sockets take at once; nobody is waited for.
        for _ in 0..<2 { _ = culvert_loop_turn(handle, false) }
        for connection in Array(self.connections.values) {
            if let socket = connection.socket { culvert_abort(socket) }
        }
        culvert_loop_service_again(handle)
        for _ in 0..<16 where !self.connections.isEmpty { _ = culvert_loop_turn(handle, false) }
        culvert_loop_destroy(handle)
        self.handle = nil
        self.connections = [:]
        self.marked = []
        self.unread = []
        self.driver = nil
    }

    // MARK: connections

    func register(
        role: TunnelConnection.Role,
        peer: String,
        handler: (any TunnelConnectionHandler)? = nil,
        requestFields: [(name: String, value: String)] = []
    ) -> TunnelConnection {
        self.lastId += 1
        let connection = TunnelConnection(
            id: self.lastId,
            role: role,
            peer: peer,
            loop: self,
            requestFields: requestFields
        )
        connection.handler = handler
        self.connections[connection.id] = connection
        self.watch(connection)
        return connection
    }

    /// Gives the connection one handshake timeout to open, or to be gone when it closes.
    func watch(_ connection: TunnelConnection) {
        let nanoseconds = UInt64(self.configuration.handshakeTimeoutSeconds) * 1_000_000_000
        self.handshakes.append(monotonicNanoseconds() + nanoseconds, connection.id)
    }

    /// Tells the handler that it is over, once.
    func finish(_ connection: TunnelConnection, because reason: TransportCloseReason) {
        guard connection.phase != .closed else { return }
        connection.phase = .closed
        connection.hasMessages = false
        self.stopReading(connection)
        self.logger.debug(
            "tunnel connection closed",
            metadata: ["peer": "\(connection.peer)", "reason": "\(reason)"]
        )
        let handler = connection.handler
        connection.handler = nil
        handler?.closed(connection, reason: reason)
    }

    /// Has the connection looked at when the turn's callbacks have run.
    func mark(_ connection: TunnelConnection) {
        guard !connection.isMarked else { return }
        connection.isMarked = true
        self.marked.append(connection)
    }

    // MARK: time

    /// Drops what has not opened, or not gone, in time.
    func expireHandshakes() {
        while let id = self.handshakes.popFirst(dueAt: self.now) {
            guard let connection = self.connections[id], connection.phase != .open else { continue }
            self.finish(
                connection,
                because: connection.phase == .closing ? .closedHere : .timedOut
            )
            if let socket = connection.socket { self.drop(socket) }
        }
    }

    func drop(_ socket: culvert_socket) {
        culvert_abort(socket)
        self.needsService = true
    }

    /// Sets when the next wait has to end; true when that is now.
    private func armDeadline(_ handle: culvert_loop_ref) -> Bool {
        let deadline =
            self.handshakes.first.map { min($0, self.driver?.nextDeadline ?? $0) }
            ?? self.driver?.nextDeadline
        if let deadline, deadline <= self.now { return true }
        guard deadline != self.armedDeadline else { return false }
        self.armedDeadline = deadline
        let wait = deadline.map { Int64(clamping: ($0 - self.now) / 1000) } ?? -1
        culvert_loop_set_deadline(handle, wait)
        return false
    }
}

/// Deadlines that all lie equally far ahead when they are set, so the first in is the first due.
private struct DeadlineQueue {
    private var entries: [(at: UInt64, id: UInt)] = []
    private var head = 0

    var first: UInt64? { self.head < self.entries.count ? self.entries[self.head].at : nil }

    mutating func append(_ at: UInt64, _ id: UInt) { self.entries.append((at, id)) }

    mutating func popFirst(dueAt now: UInt64) -> UInt? {
        guard let first, first <= now else { return nil }
        let id = self.entries[self.head].id
        self.head += 1
        if self.head > 64, self.head * 2 > self.entries.count {
            self.entries.removeFirst(self.head)
            self.head = 0
        }
        return id
    }
}

/// CLOCK_MONOTONIC, the clock of `TransportDriver.nextDeadline`.
package func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
