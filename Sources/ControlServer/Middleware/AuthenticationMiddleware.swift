internal import ControlAPI
internal import HTTPTypes
internal import Hummingbird

/// Finds out who asks, by the session token that a request carries (RFC 6750 §2.1).
///
/// A request without one goes on as nobody's; one with a token that is not good does not.
struct AuthenticationMiddleware: RouterMiddleware {
    let desk: ControlDesk

    func handle(
        _ request: Request,
        context: ControlContext,
        next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        guard context.isSecure else {
            throw APIProblem(.forbidden, "the API is spoken to over https only")
        }
        guard let field = request.headers[.authorization] else {
            return try await next(request, context)
        }
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            let identity = await self.desk.identity(of: parts[1])
        else {
            throw APIProblem(
                .unauthenticated,
                "the session has ended, or never was one: log in again with `culvert login`"
            )
        }
        var context = context
        context.identity = identity
        return try await next(request, context)
    }
}
