import CLibwebsockets
import Glibc
import Logging
import Synchronization

/// Everything that is confined to a transport's turns: the libwebsockets context, the connections and
/// what is due when a turn ends.
///
/// A turn is what happens between two waits. The transport's thread has it, or while that waits,
/// another thread that sends a little and does not want to wait for two switches of threads.
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
    /// When the thread's wait ends by itself.
    private var waitsUntil = UInt64.max
    /// Whom the last wait found: `CULVERT_SERVICE` or connections to read from.
    private let ready = UnsafeMutableBufferPointer<UInt>.allocate(
        capacity: Int(CULVERT_READY_AT_ONCE)
    )
    /// A turn that received so much is followed by another at once; any more would be worth waiting
    /// for, and so much at most is handed over together.
    private static let bulkBytes = 8 << 10
    private static let bytesPerHandOver = 128 << 10
    /// One message with room in front for its frame header.
    let message: UnsafeMutableRawBufferPointer
    private var handshakes = DeadlineQueue()
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

    deinit {
        self.message.deallocate()
        self.ready.deallocate()
    }

    /// Makes the libwebsockets context; false when that fails. `self` has to outlive `finish`.
    func prepare(initialisesTLS: Bool) -> Bool {
        let server = self.configuration.server
        let handle = TransportConfiguration.subprotocol.withCString { subprotocol in
            var options = culvert_loop_options()
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

    /// The thread's life: turns until told to stop, then `finish`. `turn` is held in each.
    func run(_ turn: borrowing Mutex<Void>) {
        guard let handle else { return }
        var count: CInt = 0
        while let patience = turn.withLock({ _ in self.takeTurn(handle, count) }) {
            count = self.wait(handle, milliseconds: patience)
        }
        turn.withLock { _ in self.finish() }
    }

    private func wait(_ handle: culvert_loop_ref, milliseconds: CInt) -> CInt {
        culvert_loop_wait(handle, milliseconds, self.ready.baseAddress, CInt(self.ready.count))
    }

    /// Serves who is ready, and whoever has something to send; how long to wait then, in
    /// milliseconds, -1 without limit. Nil: the end.
    ///
    /// While a socket yields bulk it is read on, so that the other threads get many pieces at once:
    /// waking one for each costs more than the piece.
    private func takeTurn(_ handle: culvert_loop_ref, _ count: CInt) -> CInt? {
        // This thread will look at its bell before it waits again: spare others the wake-up.
        if self.mailbox.wakeUp() { self.wasRung = true }
        self.receivedBytes = 0
        self.serve(handle, count)
        var goal = Self.bulkBytes
        while self.receivedBytes >= goal, goal < Self.bytesPerHandOver {
            goal = self.receivedBytes + Self.bulkBytes
            self.serve(handle, self.wait(handle, milliseconds: 0))
        }
        self.endTurn()
        guard !self.mailbox.isStopping else { return nil }
        let isIdle =
            self.mailbox.fallAsleep() && self.unread.isEmpty && !culvert_loop_wants_service(handle)
        return isIdle ? self.patience(handle) : 0
    }

    private func serve(_ handle: culvert_loop_ref, _ count: CInt) {
        var needsService = culvert_loop_wants_service(handle)
        for id in self.ready.prefix(Int(count)) {
            if id == UInt(CULVERT_SERVICE) {
                needsService = true
            } else if let connection = self.connections[id] {
                self.readable(connection)
            }
        }
        self.readOn()
        if needsService { culvert_loop_service(handle) }
    }

    /// What a wake-up would have the thread do, done by another one while the thread waits.
    func takeLentTurn() {
        guard let handle, !self.isStopping, self.driver != nil else { return }
        self.now = monotonicNanoseconds()
        self.serveDriver(wakes: true)
        let isEarlier = self.driver?.nextDeadline.map { $0 < self.waitsUntil } ?? false
        if isEarlier || culvert_loop_wants_service(handle) { self.mailbox.ring() }
    }

    /// Ends every connection and takes the context down; afterwards nothing is called back.
    func finish() {
        guard let handle else { return }
        self.isStopping = true
        for job in self.mailbox.close() { job(self) }
        // What they said last still goes out.
        self.now = monotonicNanoseconds()
        self.serveDriver(wakes: true)
        for connection in Array(self.connections.values) {
            let speaksWebSocket = connection.phase == .open
            self.finish(connection, because: .shutdown)
            guard speaksWebSocket, let socket = connection.socket else { continue }
            culvert_close(socket, 1001, "shutdown", 8)
        }
        self.driver?.transportTurnEnded(now: self.now)
        // Two turns for close frames that the sockets take at once; nobody is waited for.
        for _ in 0..<2 { culvert_loop_service(handle) }
        for connection in Array(self.connections.values) {
            if let socket = connection.socket { culvert_abort(socket) }
        }
        culvert_loop_service_again(handle)
        for _ in 0..<16 where !self.connections.isEmpty { culvert_loop_service(handle) }
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

    /// How long the next wait may be, in milliseconds.
    private func patience(_ handle: culvert_loop_ref) -> CInt {
        let ofLibrary = culvert_loop_patience(handle)
        self.waitsUntil =
            ofLibrary < 0 ? .max : self.now &+ UInt64(ofLibrary) * Self.nanosecondsPerMillisecond
        for deadline in [self.handshakes.first, self.driver?.nextDeadline] {
            if let deadline { self.waitsUntil = min(self.waitsUntil, deadline) }
        }
        guard self.waitsUntil < .max else { return -1 }
        guard self.waitsUntil > self.now else { return 0 }
        let nanoseconds = self.waitsUntil - self.now
        return CInt(
            clamping: (nanoseconds + Self.nanosecondsPerMillisecond - 1)
                / Self.nanosecondsPerMillisecond
        )
    }

    private static let nanosecondsPerMillisecond: UInt64 = 1_000_000
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
