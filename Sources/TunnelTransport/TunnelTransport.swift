import Glibc
package import Logging
import Synchronization

/// One libwebsockets context and the thread that serves it; serves accepted sockets and connects,
/// both at once if wanted. Several transports can live in one process.
///
/// Its methods may be called on any thread; every callback comes in a turn, of which there is one at
/// a time: on its own thread, or within ``serveOrWake()``.
///
/// libwebsockets' memory and six file descriptors of each stay allocated after the shutdown:
/// libwebsockets 4.1 closes a descriptor twice when it takes a libuv loop down.
// SAFETY: `loop` is used with `turn` held, but for `mailbox` and `logger`, which are Sendable; before
// `start`, and when it was never called, `lifecycle` serialises its use.
package final class TunnelTransport: @unchecked Sendable {
    private enum Lifecycle {
        case prepared
        case running(pthread_t)
        case ended
    }

    private let loop: TransportLoop
    private let turn: Turn
    private let lifecycle = Mutex(Lifecycle.prepared)

    /// False once libwebsockets has set OpenSSL up for this process: doing it again while
    /// connections live breaks their handshakes. The lock also serialises making contexts.
    private static let isFirst = Mutex(true)

    /// Makes the context; nothing is served before `start`.
    ///
    /// - Throws: `startFailed` when libwebsockets refuses, for instance without its libuv plugin.
    package init(
        _ configuration: TransportConfiguration,
        logger: Logger
    ) throws(TransportError) {
        TransportLog.install
        let loop = TransportLoop(configuration: configuration, logger: logger)
        let isPrepared = Self.isFirst.withLock { isFirst in
            guard loop.prepare(initialisesTLS: isFirst) else { return false }
            isFirst = false
            return true
        }
        guard isPrepared else {
            throw TransportError(
                .startFailed,
                "libwebsockets does not start; is libwebsockets-evlib-uv installed?"
            )
        }
        self.loop = loop
        self.turn = Turn(loop)
    }

    deinit {
        switch self.lifecycle.withLock({ $0 }) {
        case .prepared: self.loop.finish()
        case .running(let thread):
            // Not joined: this may be the thread itself. It keeps what it needs and ends soon.
            self.loop.mailbox.stop()
            pthread_detach(thread)
        case .ended: break
        }
    }

    /// Starts the thread; once.
    ///
    /// - Parameter driver: kept until the shutdown is over.
    package func start(driver: sending (any TransportDriver)? = nil) {
        nonisolated(unsafe) let driver = driver
        self.lifecycle.withLock { lifecycle in
            guard case .prepared = lifecycle else { return }
            self.loop.driver = driver
            var thread = pthread_t()
            let context = Unmanaged.passRetained(self.turn)
            let result = pthread_create(
                &thread,
                nil,
                { context in
                    guard let context else { return nil }
                    Unmanaged<Turn>.fromOpaque(context).takeRetainedValue().run()
                    return nil
                },
                context.toOpaque()
            )
            guard result == 0 else {
                context.release()
                self.loop.logger.error("no thread for the tunnel", metadata: ["errno": "\(result)"])
                return
            }
            lifecycle = .running(thread)
        }
    }

    /// Ends every connection with close code 1001 (handlers get `.shutdown`) and waits for the
    /// thread; afterwards nothing is called back. On the transport's own thread it only asks for
    /// the end. Idempotent.
    package func shutdown() {
        self.loop.mailbox.stop()
        let thread: pthread_t? = self.lifecycle.withLock { lifecycle in
            switch lifecycle {
            case .prepared:
                self.loop.finish()
                lifecycle = .ended
                return nil
            case .running(let thread):
                guard pthread_equal(thread, pthread_self()) == 0 else { return nil }
                lifecycle = .ended
                return thread
            case .ended:
                return nil
            }
        }
        if let thread { pthread_join(thread, nil) }
    }

    /// Queues work for the transport's thread.
    ///
    /// - Returns: false after the shutdown; the work is not done then.
    @discardableResult
    package func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        self.loop.mailbox.post { _ in work() }
    }

    /// Has the driver called on the transport's thread. Cheap: one atomic exchange, and a system
    /// call only when the thread may be asleep. Does nothing after the shutdown.
    package func wake() { self.loop.mailbox.ring() }

    /// As ``wake()``, but when the thread waits for its sockets, what it would do is done here and
    /// now, on the calling thread: for a little that is to be sent without delay, it saves two
    /// switches of threads. The driver is called before this returns, then.
    package func serveOrWake() {
        guard self.loop.mailbox.isAsleep, self.turn.lend() else { return self.wake() }
    }

    /// Serves an accepted TCP socket whose ClientHello has not been consumed (peeking is fine).
    ///
    /// - Parameters:
    ///   - socket: belongs to the transport from here on; closed on every failure, and when
    ///     `maximumConnections` are reached.
    ///   - peer: for the log and `UpgradeRequest.peer`.
    ///   - permit: kept until the connection is gone, or `TunnelConnection.releasePermit`.
    package func adopt(socket: CInt, peer: String, permit: (any AnyObject & Sendable)? = nil) {
        let accepted = self.loop.mailbox.post {
            $0.adopt(socket, peer: peer, permit: permit)
        }
        if !accepted { close(socket) }
    }

    /// Begins TLS and the upgrade over a connected TCP socket; the outcome arrives at `handler`.
    ///
    /// - Parameters:
    ///   - socket: belongs to the transport from here on.
    ///   - target: the name to verify and what to ask for.
    ///   - handler: its `closed` comes exactly once.
    /// - Returns: false after the shutdown: the socket is closed and `handler` is never called.
    @discardableResult
    package func connect(
        socket: CInt,
        to target: ClientTarget,
        handler: sending any TunnelConnectionHandler
    ) -> Bool {
        nonisolated(unsafe) let handler = handler
        let accepted = self.loop.mailbox.post { $0.connect(socket, to: target, handler: handler) }
        if !accepted { close(socket) }
        return accepted
    }

    /// Shows these certificates to clients that connect from now on; live connections keep theirs.
    package func replaceCertificates(_ certificates: ServerCertificates) {
        _ = self.loop.mailbox.post { $0.use(certificates) }
    }
}

/// Who may use a transport's loop, one at a time.
// SAFETY: `loop` is used with the lock held only.
private final class Turn: @unchecked Sendable {
    private let loop: TransportLoop
    private let lock = Mutex<Void>(())

    init(_ loop: TransportLoop) { self.loop = loop }

    /// The thread's life.
    func run() { self.loop.run(self.lock) }

    /// A turn for the calling thread; false when another has it.
    func lend() -> Bool {
        self.lock.withLockIfAvailable { _ in self.loop.takeLentTurn() } != nil
    }
}
