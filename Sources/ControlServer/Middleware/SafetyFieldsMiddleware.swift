internal import HTTPTypes
internal import Hummingbird

/// Fields that every answer of the control host carries: nothing is cached, framed, sniffed or told to
/// other sites, and pages run no script but their own.
struct SafetyFieldsMiddleware: RouterMiddleware {
    func handle(
        _ request: Request,
        context: ControlContext,
        next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[Self.referrerPolicy] = "no-referrer"
        response.headers[Self.frameOptions] = "DENY"
        if response.headers[.contentSecurityPolicy] == nil {
            response.headers[.contentSecurityPolicy] =
                "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
        }
        return response
    }

    private static let referrerPolicy = HTTPField.Name.named("Referrer-Policy")
    private static let frameOptions = HTTPField.Name.named("X-Frame-Options")
}

extension HTTPField.Name {
    /// A name that is known to be a token.
    static func named(_ name: String) -> HTTPField.Name {
        guard let made = HTTPField.Name(name) else { preconditionFailure("\(name) is no token") }
        return made
    }
}
