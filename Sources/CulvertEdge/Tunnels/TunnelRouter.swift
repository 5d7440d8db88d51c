internal import CulvertControl
internal import NIOCore
internal import Synchronization
package import TunnelLink

/// Finds a connector for each request, or lets the request wait for one.
///
/// A request waits when its tunnel exists and no session of it has a link: up to the request's deadline,
/// and up to `maximumWaiting` requests for each tunnel. One of a sticky hostname waits for its own
/// connector, for a second after that has lost its link, while others could be had. A session with
/// `maximumStreams` under way gets no more.
///
/// Of an edge that stops, a request waits only for a session that may get another link: one whose link is on
/// its way in.
package final class TunnelRouter: RequestRouter {
    private let directory: TunnelDirectory
    private let host: SessionHost
    private let maximumWaiting: Int
    private let maximumStreams: Int
    /// The requests that wait, by their requesters.
    private let waits = Mutex<[ObjectIdentifier: RouteWait]>([:])
    private let isDraining = Atomic<Bool>(false)

    /// Opens streams on the sessions in `directory`, all of which are of `host`; a request from an
    /// event loop outside that host's group fails with `overLimit`.
    package init(
        directory: TunnelDirectory,
        host: SessionHost,
        maximumWaiting: Int,
        maximumStreams: Int
    ) {
        self.directory = directory
        self.host = host
        self.maximumWaiting = maximumWaiting
        self.maximumStreams = maximumStreams
    }

    package func route(_ request: RouteRequest, for requester: any RouteRequester) {
        guard let route = self.directory.route(for: request.host) else {
            return requester.routeFailed(.unknownHost)
        }
        requester.routeMatched(route.hostname)
        let visit = route.balance == .sticky ? StickyVisit(request.head) : nil
        let cookies = visit?.cookies ?? []
        let choice = route.pool.choose(
            for: route,
            cookies: cookies,
            maximumRequests: self.maximumStreams
        )
        switch choice {
        case .use(let session, let cookie):
            guard let bridge = self.host.bridge(of: request.eventLoop) else {
                return requester.routeFailed(.overLimit(retryAfterSeconds: 1))
            }
            let stream = TunnelStream.new(on: session, bridge: bridge)
            requester.routeFound(stream, visit?.found(cookie))
        case .full: requester.routeFailed(.overLimit(retryAfterSeconds: 1))
        case .wait:
            guard self.mayWait(for: route) else {
                return requester.routeFailed(.noConnector(retryAfterSeconds: 5))
            }
            let wait = RouteWait(request, for: requester, route, cookies: cookies, router: self)
            self.waits.withLock { $0[ObjectIdentifier(requester)] = wait }
            wait.begin(limit: self.maximumWaiting)
        }
    }

    /// Any thread: no session begins any more. Requests that wait for one are answered now, and so is
    /// whoever would.
    package func drain() {
        self.isDraining.store(true, ordering: .sequentiallyConsistent)
        self.directory.wakeWaiters()
    }

    /// Whether somebody may come for whom a request of `route` waits.
    fileprivate func mayWait(for route: TunnelTable.Route) -> Bool {
        !self.isDraining.load(ordering: .sequentiallyConsistent)
            || route.pool.mayRegain(for: route)
    }

    package func cancelRoute(of requester: any RouteRequester) {
        self.waits.withLock { $0.removeValue(forKey: ObjectIdentifier(requester)) }?.cancel()
    }

    /// Looks again for a request that waited.
    fileprivate func retry(_ wait: RouteWait) {
        self.forget(wait)
        guard wait.request.deadline > .now() else { return wait.fail() }
        self.route(wait.request, for: wait.requester)
    }

    fileprivate func forget(_ wait: RouteWait) {
        self.waits.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(wait.requester)) }
    }
}

/// One request that waits for a connector.
///
/// SAFETY: confined to the request's event loop; the router's table only carries it.
private final class RouteWait: @unchecked Sendable {
    fileprivate let request: RouteRequest
    fileprivate let requester: any RouteRequester
    private let route: TunnelTable.Route
    private let cookies: [Substring]
    private let router: TunnelRouter
    private var timer: Scheduled<Void>?
    private var isOver = false
    private var id: UInt64 = 0

    fileprivate init(
        _ request: RouteRequest,
        for requester: any RouteRequester,
        _ route: TunnelTable.Route,
        cookies: [Substring],
        router: TunnelRouter
    ) {
        self.request = request
        self.requester = requester
        self.route = route
        self.cookies = cookies
        self.router = router
    }

    fileprivate func begin(limit: Int) {
        self.id = UInt64(UInt(bitPattern: ObjectIdentifier(self).hashValue))
        let bound = NIOLoopBound(self, eventLoop: self.request.eventLoop)
        let waiter = ConnectorPool.Waiter(id: self.id, eventLoop: self.request.eventLoop) {
            bound.value.retry()
        }
        guard self.route.pool.wait(waiter, limit: limit) else {
            self.router.forget(self)
            return self.requester.routeFailed(.tooManyWaiting(retryAfterSeconds: 5))
        }
        self.timer = self.request.eventLoop.assumeIsolated().scheduleTask(
            deadline: self.request.deadline
        ) {
            guard !self.isOver else { return }
            self.cancel()
            self.router.forget(self)
            self.fail()
        }
        // A session may have come between the search and now, or the last that could.
        if !self.route.pool.hasToWait(for: self.route, cookies: self.cookies)
            || !self.router.mayWait(for: self.route)
        {
            self.route.pool.wakeWaiters()
        }
    }

    private func retry() {
        guard !self.isOver else { return }
        self.cancel()
        self.router.retry(self)
    }

    fileprivate func fail() {
        self.requester.routeFailed(.noConnector(retryAfterSeconds: 5))
    }

    fileprivate func cancel() {
        self.isOver = true
        self.timer?.cancel()
        self.route.pool.stopWaiting(self.id)
    }
}
