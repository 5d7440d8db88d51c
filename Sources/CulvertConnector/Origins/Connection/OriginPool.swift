import NIOCore
import NIOPosix

/// The connections of one event loop to one origin under one set of TLS names: the idle ones, the
/// latest used first.
///
/// A connection comes back only when its answer was complete, nothing is unread and the origin
/// keeps it open. Confined to its event loop.
final class OriginPool {
    let target: OriginTarget
    /// The SNI and the certificate's name; nil: none, the address is checked (or TLS not spoken).
    let serverName: String?
    let eventLoop: any EventLoop
    private weak var dispatcher: OriginDispatcher?
    let idleLimit: Int
    let idleTime: TimeAmount
    private var idle: [OriginConnection] = []
    /// Open and being dialled, in use or idle.
    private(set) var liveCount = 0
    private var isSweepArmed = false
    /// The HTTP/2 connections; nil where only HTTP/1.1 is spoken. Those of HTTP/1.1 beside them are
    /// for upgrades, and for an origin that did not agree to HTTP/2.
    private(set) var http2: HTTP2OriginPool?

    var idleCount: Int { self.idle.count + (self.http2?.idleCount ?? 0) }

    /// At most `idleLimit` idle connections are kept; the one used longest ago goes first.
    init(
        target: OriginTarget,
        serverName: String?,
        idleLimit: Int,
        dispatcher: OriginDispatcher
    ) {
        self.target = target
        self.serverName = serverName
        self.eventLoop = dispatcher.eventLoop
        self.dispatcher = dispatcher
        self.idleLimit = idleLimit
        self.idleTime = TimeAmount(target.options.keepAliveTimeout)
        if target.options.http2Origin { self.http2 = HTTP2OriginPool(self) }
    }

    /// The idle connection used last that is still good, if there is one.
    func takeIdle(now: NIODeadline) -> OriginConnection? {
        while let connection = self.idle.popLast() {
            if connection.expires > now, connection.isUsable { return connection }
            connection.close()
        }
        return nil
    }

    /// Opens a connection for `owner`, which hears of it later on this loop. It is one of HTTP/2 only if
    /// `offersHTTP2`.
    @discardableResult
    func dial(for owner: any OriginDialOwner, offersHTTP2: Bool = false) -> OriginDial {
        self.liveCount += 1
        // Its last idle connection may just have been found closed.
        self.dispatcher?.remember(self)
        let dial = OriginDial(pool: self, owner: owner, offersHTTP2: offersHTTP2)
        dial.start(tls: self.dispatcher?.tlsContexts)
        return dial
    }

    /// A dial came to nothing.
    func dialEnded() { self.forgetOne() }

    /// Takes a usable connection back.
    ///
    /// - Returns: false when it is not to be kept; the caller closes it.
    func keep(_ connection: OriginConnection, now: NIODeadline) -> Bool {
        guard self.idleLimit > 0, self.dispatcher != nil else { return false }
        var idleTime = self.idleTime
        if let seconds = connection.keepAliveSeconds {
            // A second early: a request must not cross the origin's close on its way.
            idleTime = min(idleTime, .seconds(Int64(clamping: max(0, min(seconds, 86_400) - 1))))
        }
        guard idleTime > .zero else { return false }
        connection.expires = now + idleTime
        if self.idle.count >= self.idleLimit { self.idle.removeFirst().close() }
        self.idle.append(connection)
        self.armSweep(after: idleTime)
        return true
    }

    /// A connection of HTTP/2 is gone.
    func closedHTTP2() { self.forgetOne() }

    /// A connection is gone, whoever closed it.
    func closed(_ connection: OriginConnection) {
        if let index = self.idle.firstIndex(where: { $0 === connection }) {
            self.idle.remove(at: index)
        }
        self.forgetOne()
    }

    /// Closes what is idle.
    func closeIdle() {
        let connections = self.idle
        self.idle.removeAll()
        for connection in connections { connection.close() }
    }

    private func forgetOne() {
        self.liveCount -= 1
        assert(self.liveCount >= 0)
        if self.liveCount == 0 { self.dispatcher?.emptied(self) }
    }

    /// One timer per pool, armed while something idles; a shorter time than the armed one is found
    /// when the connection is next taken.
    private func armSweep(after time: TimeAmount) {
        guard !self.isSweepArmed else { return }
        self.isSweepArmed = true
        let pool = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.eventLoop.scheduleTask(in: time) { pool.value.sweep() }
    }

    private func sweep() {
        self.isSweepArmed = false
        let now = NIODeadline.now()
        let expired = self.idle.filter { $0.expires <= now }
        self.idle.removeAll { $0.expires <= now }
        for connection in expired { connection.close() }
        guard let next = self.idle.map(\.expires).min() else { return }
        self.armSweep(after: next - now)
    }
}

@available(*, unavailable)
extension OriginPool: Sendable {}
