import Dispatch
import Glibc
package import Logging
package import NIOCore
import Synchronization

/// The one listener of an edge: visitors and connectors arrive here and part by the server name in
/// their ClientHello, which stays unread for whoever gets the socket.
///
/// Has a thread of its own. A slow, silent or broken client delays nobody. Methods may be called
/// from any thread.
package final class FrontDoor: Sendable {
    /// Whom a door hands connectors to, and its limits; fixed once the door is made.
    package struct Configuration: Sendable {
        /// The normalised name connectors dial; nil sends everybody to the visitors.
        package var connectHost: String?
        /// How long a client may take for its whole ClientHello; then it is closed.
        /// Default 10 s.
        package var helloTimeout: TimeAmount
        /// Connections whose hello has not arrived; one more and the oldest of them is closed.
        package var maximumPendingHellos = 1_024
        /// Connections the kernel keeps until they are accepted (at most `net.core.somaxconn`).
        package var backlog: CInt = 4_096

        /// `connectHost` is normalised here.
        package init(connectHost: String?, helloTimeout: TimeAmount = .seconds(10)) {
            self.connectHost = connectHost.flatMap { ServerName.normalise($0) }
            self.helloTimeout = helloTimeout
        }
    }

    /// Receives a socket, on the door's thread: it must not block, nor call back into the door's
    /// ``FrontDoor/shutdown()``.
    package typealias Handler = @Sendable (AcceptedSocket) -> Void

    struct Handlers: Sendable {
        var visitors: Handler
        var tunnels: Handler
    }

    private enum State {
        case idle
        case open(DoorMailbox, DoorThread)
        case closed
    }

    private let configuration: Configuration
    private let counter: ConnectionCounter
    private let handlers: Handlers
    private let logger: Logger
    private let state = Mutex<State>(.idle)

    /// Makes a door that is still closed.
    ///
    /// - Parameters:
    ///   - configuration: The connect host and the limits.
    ///   - counter: Counts connections; share one between the listeners of an edge.
    ///   - logger: Refusals at debug, a shortage of descriptors at error.
    ///   - visitors: Gets every socket that is not for the tunnels, or without a server name.
    ///   - tunnels: Gets the sockets whose server name is the connect host.
    package init(
        configuration: Configuration,
        counter: ConnectionCounter,
        logger: Logger,
        visitors: @escaping Handler,
        tunnels: @escaping Handler
    ) {
        self.configuration = configuration
        self.counter = counter
        self.handlers = Handlers(visitors: visitors, tunnels: tunnels)
        self.logger = logger
    }

    deinit {
        if case .open(let mailbox, _) = self.state.withLock({ $0 }) { mailbox.send(.shutDown) }
    }

    /// Binds, starts the thread, and gives the bound address, with the port the kernel chose when
    /// `address` has port 0. A door opens once.
    package func start(bind address: SocketAddress) throws(FrontDoorError) -> SocketAddress {
        try self.start(ListeningSocket(bind: address, backlog: self.configuration.backlog))
    }

    /// The same on a socket that listens already and that another process holds too: from
    /// ``stopAccepting()`` on, connections wait in its queue for whoever comes next.
    package func start(passed descriptor: CInt) throws(FrontDoorError) -> SocketAddress {
        try self.start(ListeningSocket(passed: descriptor))
    }

    private func start(
        _ listener: consuming ListeningSocket
    ) throws(FrontDoorError) -> SocketAddress {
        let bound = listener.boundAddress
        let mailbox = try DoorMailbox()
        let loop = try DoorLoop(
            mailbox: mailbox,
            listener: listener,
            configuration: self.configuration,
            counter: self.counter,
            handlers: self.handlers,
            logger: self.logger
        )
        let thread = try DoorThread { loop.run() }
        let isFirst = self.state.withLock { state in
            guard case .idle = state else { return false }
            state = .open(mailbox, thread)
            return true
        }
        guard isFirst else {
            mailbox.send(.shutDown)
            thread.join()
            throw FrontDoorError(call: "start", errno: EALREADY)
        }
        return bound
    }

    /// Closes the listener; those already inside go on. What waits in the kernel's queue is taken first,
    /// unless the socket was passed. The port is free when this returns, but for one that was. Waits for
    /// the door's thread, some microseconds.
    package func stopAccepting() {
        guard case .open(let mailbox, let thread) = self.state.withLock({ $0 }) else { return }
        let done = DispatchSemaphore(value: 0)
        mailbox.send(.stopAccepting(done: done))
        if !thread.isCurrent { done.wait() }
    }

    /// Waits until every connection that is inside has been handed out or closed, at the latest until
    /// `deadline`.
    package func greetingsEnd(deadline: NIODeadline) async {
        await withCheckedContinuation { continuation in
            // Under the lock, so that the thread hears of it before it is told to end.
            self.state.withLock { state in
                guard case .open(let mailbox, _) = state else { return continuation.resume() }
                mailbox.send(.tellOfGreetings(deadline: deadline) { continuation.resume() })
            }
        }
    }

    /// Closes the listener and every socket not handed out; those handed out are not touched. Waits
    /// for the door's thread to end; doing it again does nothing.
    package func shutdown() {
        let state = self.state.withLock { state in
            defer { state = .closed }
            return state
        }
        guard case .open(let mailbox, let thread) = state else { return }
        mailbox.send(.shutDown)
        thread.join()
    }
}
