internal import ControlAPI
internal import Foundation
internal import HTTPSemantics
internal import HTTPTypes
internal import Hummingbird
internal import Synchronization

/// Limits how often one address asks: 20 requests a second for long, 100 at once; what lets somebody in
/// (codes, polls) 1 a second, 20 at once. Beyond it 429.
///
/// An IPv6 address counts with its /64, which is what one customer has.
final class RateLimitMiddleware: RouterMiddleware, Sendable {
    private struct Limiters: Sendable {
        var requests = RateLimiter(.init(perSecond: 20, burst: 100))
        var logins = RateLimiter(.init(perSecond: 1, burst: 20))
    }

    private let limiters = Mutex(Limiters())
    private let now: @Sendable () -> Date

    init(now: @escaping @Sendable () -> Date) { self.now = now }

    func handle(
        _ request: Request,
        context: ControlContext,
        next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        let key = Self.key(of: context.address)
        let now = UInt64(max(0, self.now().timeIntervalSince1970 * 1e9))
        let isLogin = Self.letsIn(request)
        let wait = self.limiters.withLock { limiters in
            limiters.requests.take(key, now: now)
                ?? (isLogin ? limiters.logins.take(key, now: now) : nil)
        }
        if let wait {
            let seconds = max(1, Int(wait.rounded(.up)))
            let problem = APIProblem(.rateLimited, "too many requests: wait \(seconds) s")
            return problem.response(retryAfterSeconds: seconds)
        }
        return try await next(request, context)
    }

    private static func letsIn(_ request: Request) -> Bool {
        guard request.method == .post else { return false }
        let path = request.uri.path
        return path.hasSuffix("/login") || path.contains("/device") || path.hasSuffix("/enrol")
    }

    private static func key(of address: String) -> String {
        guard case .v6(let value) = IPAddress(address)?.unmapped else { return address }
        return String(value >> 64, radix: 16)
    }
}
