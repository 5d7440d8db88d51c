package import HTTPSemantics
package import NIOCore
package import TunnelLink

/// The way from a request to a tunnel stream. All calls are made on the visitor's event loop.
package protocol RequestRouter: AnyObject, Sendable {
    /// Finds a connector for `request` and opens a stream to it, without sending anything on it.
    ///
    /// Answers exactly once through `requester`, possibly before this returns, unless
    /// `cancelRoute` comes first. `requester` is kept no longer than until then.
    func route(_ request: RouteRequest, for requester: any RouteRequester)

    /// The request of `requester` is given up; it gets no answer any more. Harmless when it has
    /// got one.
    func cancelRoute(of requester: any RouteRequester)
}

/// Who waits for a stream. All calls come on `RouteRequest.eventLoop`.
package protocol RouteRequester: AnyObject {
    /// A tunnel has the host, by this hostname: the host itself or the wildcard that covers it. Comes
    /// before the answer, if at all.
    func routeMatched(_ hostname: String)
    /// A stream that nothing has been sent on; it belongs to the requester from now on. Of a sticky
    /// hostname `visit` has the head to be sent instead, and marks the answer.
    func routeFound(_ stream: TunnelStream, _ visit: StickyVisit?)
    /// There is no stream for this attempt, and none will come.
    func routeFailed(_ failure: RouteFailure)
}

/// What a router needs to know.
package struct RouteRequest {
    /// The head as it will be sent: normalised, without hop-by-hop fields.
    package let head: RequestHead
    /// The normalised host without its port: the key of the route table.
    package let host: String
    /// Whose request it is.
    package let visitor: VisitorInfo
    /// 1 for the first try; more when an earlier stream was refused or lost.
    package let attempt: Int
    /// When waiting for a connector must end; the same for all attempts.
    package let deadline: NIODeadline
    /// The visitor's: the requester is answered on it, and the stream lives on it.
    package let eventLoop: any EventLoop
}

/// Why there is no stream.
package enum RouteFailure: Error, Equatable, Sendable {
    /// No tunnel has the hostname: 404.
    case unknownHost
    /// No connector is connected, or none came back in time: 503.
    case noConnector(retryAfterSeconds: Int)
    /// Too many requests wait for a connector: 503.
    case tooManyWaiting(retryAfterSeconds: Int)
    /// A limit on streams in all, or of the session: 503.
    case overLimit(retryAfterSeconds: Int)
    /// The visitor's address asks too much: 429.
    case rateLimited(retryAfterSeconds: Int)
}
