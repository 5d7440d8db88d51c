internal import ControlServer
internal import HTTPSemantics
internal import NIOCore
internal import Synchronization

/// Routes the control host to the edge's own API, and all other hosts to the tunnels.
final class ControlRouter: RequestRouter {
    private let host: String
    private let server: ControlServer
    private let tunnels: any RequestRouter
    private let budget = BodyBudget()

    init(host: NormalizedHost, server: ControlServer, tunnels: any RequestRouter) {
        self.host = host.name
        self.server = server
        self.tunnels = tunnels
    }

    func route(_ request: RouteRequest, for requester: any RouteRequester) {
        guard request.host == self.host else {
            return self.tunnels.route(request, for: requester)
        }
        requester.routeMatched(self.host)
        requester.routeFound(
            ControlExchange.open(
                to: self.server,
                from: ForwardingRules.client(of: request.head, over: request.visitor.connection),
                budget: self.budget,
                on: request.eventLoop
            ),
            nil
        )
    }

    func cancelRoute(of requester: any RouteRequester) { self.tunnels.cancelRoute(of: requester) }
}

/// How much the bodies of all requests to the API may take together: 32 MiB. Beyond it they are refused,
/// for anybody may send them.
final class BodyBudget: Sendable {
    private static let maximumBytes = 32 << 20

    private let bytes = Atomic<Int>(0)

    /// Takes room for so many bytes; false when there is none.
    func take(_ count: Int) -> Bool {
        guard self.bytes.add(count, ordering: .relaxed).newValue <= Self.maximumBytes else {
            self.giveBack(count)
            return false
        }
        return true
    }

    func giveBack(_ count: Int) { self.bytes.subtract(count, ordering: .relaxed) }
}
