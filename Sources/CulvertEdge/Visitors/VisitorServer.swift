internal import Glibc
import HTTPSemantics
package import NIOCore
package import NIOSSL
internal import Synchronization

/// Serves visitors on connections that the front door has accepted; one for all event loops.
package final class VisitorServer: Sendable {
    /// Limits and timeouts, the same for every connection and fixed.
    package let configuration: VisitorConfiguration
    let router: any RequestRouter
    private let isAuthoritative: @Sendable (_ serverName: String, _ host: String) -> Bool
    private let accessLog: (@Sendable (AccessRecord) -> Void)?
    private let connections = OpenConnections()
    private let draining = Atomic<Bool>(false)
    /// Requests that were given to the router and are not over.
    private let requests = RequestCount()
    let clock = DateClock()

    /// - Parameters:
    ///   - configuration: Limits and timeouts, fixed for the server's life.
    ///   - router: Kept for good.
    ///   - isAuthoritative: Whether a request for `host` may come over a connection whose TLS
    ///     handshake named `serverName` (both normalised, and different); false is answered with 421.
    ///   - accessLog: Called on the visitor's event loop at the end of each exchange.
    package init(
        configuration: VisitorConfiguration,
        router: any RequestRouter,
        isAuthoritative: @escaping @Sendable (_ serverName: String, _ host: String) -> Bool,
        accessLog: (@Sendable (AccessRecord) -> Void)? = nil
    ) {
        self.configuration = configuration
        self.router = router
        self.isAuthoritative = isAuthoritative
        self.accessLog = accessLog
    }

    /// Sets up a visitor's connection: to be called in the channel's initializer, on its loop.
    ///
    /// Sets the channel options it needs (half-closure, water marks, no delay, keep-alive).
    /// - Parameters:
    ///   - channel: Accepted and not active yet.
    ///   - visitor: What the front door knows.
    ///   - tls: The context of the server name's certificate, with ALPN `h2` and `http/1.1`; nil for
    ///     a connection without TLS.
    ///   - plain: What a connection without TLS gets.
    /// - Throws: what NIO throws when the channel is closed already.
    package func accept(
        _ channel: any Channel,
        _ visitor: VisitorInfo,
        tls: NIOSSLContext?,
        plain: PlainPolicy = .serve
    ) throws {
        channel.eventLoop.preconditionInEventLoop()
        // In this order: one that a drain does not find here finds the drain.
        self.connections.add(channel)
        let isDraining = self.isDraining
        let options = channel.syncOptions
        try options?.setOption(.allowRemoteHalfClosure, value: true)
        try options?.setOption(.writeBufferWaterMark, value: .init(low: 32 * 1024, high: 64 * 1024))
        try options?.setOption(.maxMessagesPerRead, value: 2)
        try options?.setOption(.tcpOption(.tcp_nodelay), value: 1)
        try VisitorKeepAlive.set(on: channel)
        if let tls {
            try channel.pipeline.syncOperations.addHandlers(
                NIOSSLServerHandler(context: tls),
                VisitorHandshakeHandler(server: self, visitor: visitor)
            )
        } else {
            let redirectPort: Int? = if case .redirect(let port) = plain { port } else { nil }
            let handler = HTTP1VisitorHandler(
                server: self,
                visitor: visitor,
                eventLoop: channel.eventLoop,
                redirectPort: redirectPort,
                acceptedAt: .now(),
                isDraining: isDraining
            )
            try channel.pipeline.syncOperations.addHandler(handler)
        }
    }

    /// Ends the connections: after the answers in progress, which say `Connection: close`, or come before
    /// a GOAWAY; idle ones when no request comes for a second more, which one may be on its way to.
    /// Returns when all are gone, or at the deadline, when what is left is cut. Connections accepted
    /// meanwhile are served one request.
    package func drain(deadline: NIODeadline) async {
        self.draining.store(true, ordering: .sequentiallyConsistent)
        for channel in self.connections.channels {
            channel.pipeline.fireUserInboundEventTriggered(VisitorDrainEvent())
        }
        await self.connections.awaitEnd(deadline: deadline)
    }

    /// Counts a request that goes to the router.
    ///
    /// - Returns: which limit it would pass; it is not counted then.
    func beginRequest(of visitor: VisitorInfo) -> RouteFailure? {
        let limits = self.configuration.limits
        guard self.requests.begin(limit: limits.requests) else {
            return .overLimit(retryAfterSeconds: 1)
        }
        if let own = visitor.requests, !own.begin(limit: limits.requestsPerAddress) {
            self.requests.end()
            return .rateLimited(retryAfterSeconds: 1)
        }
        return nil
    }

    func endRequest(of visitor: VisitorInfo) {
        self.requests.end()
        visitor.requests?.end()
    }

    /// Connections that are open now.
    package var connectionCount: Int { self.connections.count }

    var isDraining: Bool { self.draining.load(ordering: .sequentiallyConsistent) }

    func log(_ record: @autoclosure () -> AccessRecord) {
        if let accessLog { accessLog(record()) }
    }

    func makeAdmission(_ visitor: VisitorInfo) -> RequestAdmission {
        RequestAdmission(
            visitor: visitor,
            randomness: .random(in: .min ... .max),
            passes: self.configuration.passes,
            isAuthoritative: self.isAuthoritative
        )
    }
}

/// Tells the handlers of a connection that the server is to stop.
struct VisitorDrainEvent: Sendable {}

/// The time as `Date` has it, made once a second at most. Any thread.
final class DateClock: Sendable {
    private let latest = Mutex<(second: Int, text: String)>((-1, ""))

    var text: String {
        let second = time(nil)
        return self.latest.withLock { latest in
            if latest.second != second {
                latest = (second, HTTPDate.text(unixSeconds: Int64(second)))
            }
            return latest.text
        }
    }
}
