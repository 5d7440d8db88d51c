package import HTTPSemantics
package import NIOCore
package import TunnelLink

/// Where the connector hands its streams over to origins: one per event loop.
///
/// Owns the exchanges under way and the pools of connections of its loop. Confined to that loop.
package final class OriginDispatcher {
    let eventLoop: any EventLoop
    let tlsContexts: OriginTLSContexts
    private let loopCount: Int
    private let onRecord: (ExchangeRecord) -> Void
    private var pools: [PoolKey: OriginPool] = [:]
    private var exchanges: [ObjectIdentifier: AnyObject] = [:]

    private struct PoolKey: Hashable {
        var target: ObjectIdentifier
        var serverName: String?
    }

    /// - Parameters:
    ///   - eventLoop: the loop of the streams, the connections and every call.
    ///   - tlsContexts: shared by the dispatchers of all loops.
    ///   - loopCount: how many dispatchers there are; `keepAliveConnections` is divided by it.
    ///   - onRecord: called on the loop when an exchange has ended, once each.
    package init(
        eventLoop: any EventLoop,
        tlsContexts: OriginTLSContexts,
        loopCount: Int = 1,
        onRecord: @escaping (ExchangeRecord) -> Void
    ) {
        self.eventLoop = eventLoop
        self.tlsContexts = tlsContexts
        self.loopCount = max(1, loopCount)
        self.onRecord = onRecord
    }

    /// Exchanges that have begun and not ended.
    package var inFlight: Int { self.exchanges.count }

    /// Begins the exchange of a stream whose first part, `.request(head)`, has just been received:
    /// takes over as the stream's delegate, which gets every later part.
    package func begin(_ stream: TunnelStream, head: RequestHead, target: OriginTarget) {
        var claim = ClaimedStream(stream, head: head, target: target, dispatcher: self)
        let access = target.options.access
        guard !access.isOpen else { return self.admit(claim) }
        if let refusal = LocalAnswer.refusal(access.decide(head), head) {
            return self.begin(LocalExchange(claim, answer: refusal))
        }
        // It was for this end, and is none of the origin's business.
        if !access.logins.isEmpty { claim.head.fields.remove("Authorization") }
        self.admit(claim)
    }

    private func admit(_ claim: ClaimedStream) {
        if claim.head.method == "CONNECT" { return self.relay(claim) }
        switch claim.target.service {
        case .httpStatus, .helloWorld: self.answer(claim)
        case .tcp, .bastion, .socksProxy:
            guard WebSocketUpgrade.isRequested(by: claim.head),
                claim.head.fields.first("Sec-WebSocket-Version") == "13"
            else { return self.answer(claim) }
            self.begin(TCPExchange(claim))
        case .http, .https, .unix, .unixTLS: self.begin(OriginExchange(claim))
        }
    }

    /// A TCP connection to a port of the edge: for TCP services only.
    private func relay(_ claim: ClaimedStream) {
        guard case .tcp(_, let host, let port) = claim.target.service else {
            let answer = LocalAnswer.text(
                "This is no TCP service.\n",
                status: 405,
                reason: "Method Not Allowed",
                claim.head
            )
            return self.begin(LocalExchange(claim, answer: answer))
        }
        self.begin(TCPRelay(claim, to: TCPDestination(host: host, port: port)))
    }

    /// By the connector itself.
    private func answer(_ claim: ClaimedStream) {
        let answer = LocalAnswer.make(for: claim.target.service, head: claim.head)
        self.begin(LocalExchange(claim, answer: answer))
    }

    /// Keeps it until it has ended.
    private func begin(_ exchange: some StreamExchange) {
        exchange.stream.delegate = exchange
        self.exchanges[ObjectIdentifier(exchange)] = exchange
        exchange.begin()
    }

    // MARK: For exchanges and pools

    func pool(for target: OriginTarget, host: String) -> OriginPool {
        let serverName = target.service.isTLS ? target.serverName(host: host) : nil
        let key = PoolKey(target: ObjectIdentifier(target), serverName: serverName)
        if let pool = self.pools[key] { return pool }
        // Rounded up: a limit below the number of loops still keeps one on each.
        let limit = (target.options.keepAliveConnections + self.loopCount - 1) / self.loopCount
        let pool = OriginPool(
            target: target,
            serverName: serverName,
            idleLimit: limit,
            dispatcher: self
        )
        self.pools[key] = pool
        return pool
    }

    /// A pool that may have been forgotten is in use again.
    func remember(_ pool: OriginPool) {
        let key = PoolKey(target: ObjectIdentifier(pool.target), serverName: pool.serverName)
        self.pools[key] = pool
    }

    /// A pool has no connection left: it is forgotten, so that the names of past configurations and
    /// visitors do not pile up.
    func emptied(_ pool: OriginPool) {
        let key = PoolKey(target: ObjectIdentifier(pool.target), serverName: pool.serverName)
        if self.pools[key] === pool { self.pools[key] = nil }
    }

    func ended(_ exchange: AnyObject, _ record: ExchangeRecord) {
        guard self.exchanges.removeValue(forKey: ObjectIdentifier(exchange)) != nil else { return }
        self.onRecord(record)
    }

    /// How many connections idle, for tests and metrics.
    package var idleConnections: Int { self.pools.values.reduce(0) { $0 + $1.idleCount } }

    /// How many connections are open or being opened.
    package var liveConnections: Int { self.pools.values.reduce(0) { $0 + $1.liveCount } }
}

@available(*, unavailable)
extension OriginDispatcher: Sendable {}
