import Foundation
import Glibc
import Synchronization

/// A TCP relay between connector and edge that breaks connections as it is told.
final class CutRelay: Sendable {
    enum Mode: Sendable {
        /// Bytes pass.
        case pass
        /// What arrives is swallowed, and nobody is told: a dead path. Connections that saw this stay dead.
        case blackHole
        /// The port is closed.
        case refuse
    }

    private struct State {
        var mode = Mode.pass
        /// The port that connections are relayed to.
        var target: Int
        /// Raised to cut every connection there is.
        var generation = 0
        /// Bytes to pass before the next cut; nil for none.
        var budget: Int?
        var connections = 0
        var cuts = 0
        var passed = 0
        var isOver = false
        var random = SystemRandomNumberGenerator()
    }

    let port: Int
    private let state: Mutex<State>

    /// Starts to relay to a port of loopback.
    init(to target: Int) throws {
        self.state = Mutex(State(target: target))
        let listener = try listeningSocket(port: 0)
        self.port = boundPort(of: listener)
        self.accept(on: listener)
        ProcessScope.current?.atEnd { self.state.withLock { $0.isOver = true } }
    }

    /// Connections that were cut, and the bytes that passed.
    var counts: (cuts: Int, passed: Int) { self.state.withLock { ($0.cuts, $0.passed) } }

    /// Connections that there are now.
    var connections: Int { self.state.withLock { $0.connections } }

    /// Ends every connection there is, now.
    func cut() { self.state.withLock { $0.generation += 1 } }

    /// Relays new connections to another port; those there are go on.
    func redirect(to target: Int) { self.state.withLock { $0.target = target } }

    func become(_ mode: Mode) throws {
        let before = self.state.withLock { state in
            defer { state.mode = mode }
            if mode == .refuse { state.generation += 1 }
            return state.mode
        }
        if before == .refuse, mode != .refuse {
            self.accept(on: try listeningSocket(port: self.port))
        }
    }

    /// Cuts every 1 to 5 seconds, each time after a random number of bytes more, until the test ends.
    func cutAtRandom() {
        Thread.detachNewThread {
            while !self.state.withLock({ $0.isOver }) {
                usleep(UInt32.random(in: 1_000_000...5_000_000))
                self.state.withLock { $0.budget = Int.random(in: 0...40_000) }
            }
        }
    }

    private func accept(on listener: CInt) {
        Thread.detachNewThread {
            while true {
                guard self.state.withLock({ !$0.isOver && $0.mode != .refuse }) else { break }
                var polled = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
                guard poll(&polled, 1, 10) > 0 else { continue }
                let client = Glibc.accept(listener, nil, nil)
                guard client >= 0 else { continue }
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                Thread.detachNewThread { self.relay(client) }
            }
            close(listener)
        }
    }

    /// Carries one connection until an end closes it or it is cut.
    private func relay(_ client: CInt) {
        let (generation, mode) = self.state.withLock { ($0.generation, $0.mode) }
        // One that was accepted as the port was closed is refused like the others.
        guard mode != .refuse,
            let server = mode == .blackHole
                ? client : connectedSocket(port: self.state.withLock { $0.target })
        else { return abortSocket(client) }
        self.state.withLock { $0.connections += 1 }
        defer { self.state.withLock { $0.connections -= 1 } }
        var pair = RelayedPair(client: client, server: server, isDead: mode == .blackHole)
        while true {
            let now = self.state.withLock { ($0.mode, $0.generation, $0.isOver) }
            if now.2 || now.1 != generation {
                self.state.withLock { $0.cuts += 1 }
                return pair.abort()
            }
            if now.0 == .blackHole { pair.isDead = true }
            guard pair.turn({ self.allowance(of: $0) }) else { return pair.close() }
            if self.state.withLock({ $0.budget == 0 }) {
                self.state.withLock { state in
                    state.budget = nil
                    state.generation += 1
                }
            }
        }
    }

    /// How many of `count` bytes may pass now.
    private func allowance(of count: Int) -> Int {
        self.state.withLock { state in
            let allowed = min(count, state.budget ?? count)
            state.budget = state.budget.map { $0 - allowed }
            state.passed += allowed
            return allowed
        }
    }
}

/// Two sockets, and the bytes between them.
private struct RelayedPair {
    private let client: CInt
    private let server: CInt
    var isDead: Bool
    /// From the client and from the server: read, and not written to the other yet.
    private var waiting: [[UInt8]] = [[], []]
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    init(client: CInt, server: CInt, isDead: Bool) {
        (self.client, self.server, self.isDead) = (client, server, isDead)
        var yes: CInt = 1
        for descriptor in [client, server] {
            setsockopt(
                descriptor,
                CInt(IPPROTO_TCP),
                TCP_NODELAY,
                &yes,
                socklen_t(MemoryLayout<CInt>.size)
            )
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        }
    }

    func close() {
        Glibc.close(self.client)
        if self.server != self.client { Glibc.close(self.server) }
    }

    func abort() {
        abortSocket(self.client)
        if self.server != self.client { abortSocket(self.server) }
    }

    /// Waits a moment for bytes and moves them; false when it is over.
    mutating func turn(_ allowance: (Int) -> Int) -> Bool {
        let ends = [self.client, self.server]
        var polled = [pollfd]()
        for (index, end) in ends.enumerated() {
            var events: CInt = 0
            // Index 0 is what came from the client; it is read only when the last is written.
            if self.isDead || self.waiting[index].isEmpty {
                events |= POLLIN
            }
            if !self.waiting[1 - index].isEmpty { events |= POLLOUT }
            polled.append(pollfd(fd: end, events: Int16(events), revents: 0))
        }
        guard poll(&polled, 2, 10) > 0 else { return true }
        if self.isDead { return self.swallow(polled) }
        for index in 0...1 {
            if polled[index].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0,
                self.waiting[index].isEmpty
            {
                let count = recv(ends[index], &self.buffer, self.buffer.count, 0)
                if count < 0, errno != EAGAIN { return false }
                if count == 0 { return false }
                if count > 0 {
                    self.waiting[index] = Array(self.buffer[..<allowance(count)])
                    // What is not allowed any more is lost with the connection.
                }
            }
            guard !self.waiting[index].isEmpty else { continue }
            let sent = send(
                ends[1 - index],
                self.waiting[index],
                self.waiting[index].count,
                CInt(MSG_NOSIGNAL)
            )
            if sent < 0, errno != EAGAIN { return false }
            if sent > 0 { self.waiting[index].removeFirst(sent) }
        }
        return true
    }

    /// Reads and forgets; the ends hear nothing of each other, not even of an end.
    private mutating func swallow(_ polled: [pollfd]) -> Bool {
        var isAnyOpen = false
        for entry in polled {
            guard entry.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 else {
                isAnyOpen = true
                continue
            }
            let count = recv(entry.fd, &self.buffer, self.buffer.count, 0)
            if count > 0 || (count < 0 && errno == EAGAIN) { isAnyOpen = true }
        }
        // An end that closed is polled over and over; it does not have to be quick.
        usleep(1_000)
        return isAnyOpen
    }
}
