import DequeModule
import NIOCore
import TunnelWire

/// The HTTP/2 connections of one pool, shared by its exchanges, and the exchanges that wait for one.
///
/// One connection is dialled at a time, and all that wait then share it: a burst of requests to an
/// origin that is not connected yet makes one connection, not one each. Another one is dialled when those
/// there are have no room, up to `OriginLimits.http2Connections`.
///
/// An origin that turns out to speak HTTP/1.1 is dialled for each that waits, as without `http2Origin`.
/// Over TLS it is offered HTTP/2 each time; in the clear, where an offer costs a connection, not before
/// its last one is closed. Confined to its event loop.
final class HTTP2OriginPool {
    /// Its owner.
    private unowned let pool: OriginPool
    /// Those that take streams, the oldest first: later ones become idle when there is less to do.
    private var connections: [HTTP2OriginConnection] = []
    private var waiting: Deque<HTTP2OriginWait> = []
    private var dials = 0
    /// The latest connection was one of HTTP/1.1.
    private var speaksHTTP1 = false
    /// The origin has said that it wants HTTP/1.1, though it agreed to HTTP/2.
    private var requiresHTTP1 = false

    init(_ pool: OriginPool) { self.pool = pool }

    var idleCount: Int { self.connections.count { $0.isIdle } }
}

@available(*, unavailable)
extension HTTP2OriginPool: Sendable {}

// MARK: - For exchanges

extension HTTP2OriginPool {
    /// A stream of a connection that has room, or an idle connection of HTTP/1.1 if the origin speaks
    /// that; nil when there is neither.
    func take(now: NIODeadline) -> (any OriginLink)? {
        if !self.requiresHTTP1, let connection = self.connections.first(where: \.hasRoom) {
            return connection.openStream()
        }
        return self.speaksHTTP1 ? self.pool.takeIdle(now: now) : nil
    }

    /// Has `exchange` hear of a link later on this loop, or of why there is none.
    func wait(for exchange: OriginExchange) -> any OriginWait {
        let wait = HTTP2OriginWait(exchange, self)
        self.waiting.append(wait)
        self.dialMore()
        return wait
    }

    fileprivate func cancel(_ wait: HTTP2OriginWait) {
        self.waiting.removeAll { $0 === wait }
    }

    /// Speaks HTTP/1.1 from now on, for as long as the pool has a connection.
    func requireHTTP1() {
        self.requiresHTTP1 = true
        self.speaksHTTP1 = true
    }

    private func dialMore() {
        let wanted = self.speaksHTTP1 ? self.waiting.count : min(1, self.waiting.count)
        while self.dials < wanted,
            self.speaksHTTP1 || self.connections.count < OriginLimits.http2Connections
        {
            self.dials += 1
            let isTLS = self.pool.target.service.isTLS
            let offersHTTP2 = !self.requiresHTTP1 && (isTLS || !self.speaksHTTP1)
            self.pool.dial(for: self, offersHTTP2: offersHTTP2)
        }
        guard self.dials == 0 else { return }
        // At the limit, so that only the end of other streams helps.
        let limit = TimeAmount(self.pool.target.options.connectTimeout)
        for wait in self.waiting { wait.limit(limit, on: self.pool.eventLoop) }
    }

    private func serve(_ connection: HTTP2OriginConnection) {
        while !self.requiresHTTP1, connection.hasRoom, let wait = self.waiting.popFirst() {
            let isReused = connection.isUsed
            wait.end()?.received(connection.openStream(), isReused: isReused)
        }
    }
}

// MARK: - For connections

extension HTTP2OriginPool {
    /// A stream has ended, or the origin takes more.
    func hasRoom(_ connection: HTTP2OriginConnection) { self.serve(connection) }

    func becameIdle(_ connection: HTTP2OriginConnection) {
        let isKept = self.idleCount <= self.pool.idleLimit && self.pool.idleTime > .zero
        if isKept { connection.expire(after: self.pool.idleTime) } else { connection.close() }
    }

    /// It takes no more streams.
    func leaves(_ connection: HTTP2OriginConnection) {
        self.connections.removeAll { $0 === connection }
        self.dialMore()
    }

    /// It is gone, whoever closed it.
    func closed(_ connection: HTTP2OriginConnection) {
        self.connections.removeAll { $0 === connection }
        self.dialMore()
        // The last: the pool may be given up with it.
        self.pool.closedHTTP2()
    }
}

extension HTTP2OriginPool: OriginDialOwner {
    func dialled(_ connection: HTTP2OriginConnection) {
        self.dials -= 1
        guard connection.join(self) else {
            connection.close()
            self.pool.dialEnded()
            return self.fail(OriginFailure(.originUnreachable, "closed by the origin at once"))
        }
        self.speaksHTTP1 = self.requiresHTTP1
        self.connections.append(connection)
        self.serve(connection)
        self.dialMore()
        if connection.isIdle { self.becameIdle(connection) }
    }

    func dialled(_ connection: OriginConnection) {
        self.dials -= 1
        self.speaksHTTP1 = true
        if let exchange = self.waiting.popFirst()?.end() {
            exchange.received(connection, isReused: false)
        } else {
            connection.release(now: .now())
        }
        self.dialMore()
    }

    func dialFailed(_ failure: OriginFailure) {
        self.dials -= 1
        self.fail(failure)
    }

    /// Those that waited for the dial: all, unless each has its own.
    private func fail(_ failure: OriginFailure) {
        let count = self.speaksHTTP1 ? min(1, self.waiting.count) : self.waiting.count
        let failed = Array(self.waiting.prefix(count))
        self.waiting.removeFirst(count)
        for wait in failed { wait.end()?.dialFailed(failure) }
    }
}

/// One exchange's place in the queue. Confined to its event loop.
private final class HTTP2OriginWait: OriginWait {
    private var exchange: OriginExchange?
    private weak var pool: HTTP2OriginPool?
    private var timer: Scheduled<Void>?

    init(_ exchange: OriginExchange, _ pool: HTTP2OriginPool) {
        self.exchange = exchange
        self.pool = pool
    }

    func cancel() {
        _ = self.end()
        self.pool?.cancel(self)
    }

    /// - Returns: who waited, if it still does.
    func end() -> OriginExchange? {
        self.timer?.cancel()
        self.timer = nil
        defer { self.exchange = nil }
        return self.exchange
    }

    /// Gives up after `time`.
    func limit(_ time: TimeAmount, on eventLoop: any EventLoop) {
        guard self.timer == nil else { return }
        self.timer = eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            guard let self, let exchange = self.end() else { return }
            self.pool?.cancel(self)
            exchange.dialFailed(
                OriginFailure(.overLimit, "no HTTP/2 stream of the origin became free in time")
            )
        }
    }
}
