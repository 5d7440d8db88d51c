internal import ControlAPI
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// Makes every failure below it an ``APIProblem``.
struct ProblemMiddleware: RouterMiddleware {
    let logger: Logger

    func handle(
        _ request: Request,
        context: ControlContext,
        next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as APIProblem {
            return problem.response()
        } catch let error as any HTTPResponseError {
            let methods = error.status == .notFound ? OpenAPI.methods(of: request.uri.path) : []
            guard methods.isEmpty else { return Self.wrongMethod(request, methods) }
            return APIProblem(error, request).response()
        } catch let error as DecodingError {
            return APIProblem(.invalid, error.words).response()
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            self.logger.error("A request to the API failed", metadata: ["error": "\(error)"])
            return APIProblem(.unavailable, "the edge has failed; its log says why").response()
        }
    }

    /// RFC 9110 §15.5.6; and what OPTIONS is for (§9.3.7).
    private static func wrongMethod(_ request: Request, _ methods: [String]) -> Response {
        let allowed = methods + (methods.contains("GET") ? ["HEAD"] : []) + ["OPTIONS"]
        var response =
            request.method == .options
            ? Response.done
            : APIProblem(
                .wrongMethod,
                "\(request.uri.path) takes \(allowed.joined(separator: ", ")), not \(request.method)"
            ).response()
        response.headers[.allow] = allowed.joined(separator: ", ")
        return response
    }
}

extension APIProblem {
    /// What Hummingbird says itself.
    fileprivate init(_ error: any HTTPResponseError, _ request: Request) {
        switch error.status {
        case .notFound:
            self.init(.unknown, "there is nothing at \(request.uri.path)")
        case .contentTooLarge:
            self.init(.tooLarge, "a body has at most \(APICoding.maximumRequestBytes) bytes")
        default:
            let words = (error as? HTTPError)?.body
            self.init(.invalid, words ?? "the request is not written as it has to be")
        }
    }

    /// As `application/problem+json`.
    func response(retryAfterSeconds: Int? = nil) -> Response {
        var fields: HTTPFields = [.contentType: "application/problem+json"]
        if let retryAfterSeconds { fields[.retryAfter] = "\(retryAfterSeconds)" }
        if self.status == 401 { fields[.wwwAuthenticate] = "Bearer" }
        let body = (try? APICoding.encoder.encode(self)) ?? Data()
        return Response(
            status: .init(code: self.status),
            headers: fields,
            body: .init(byteBuffer: ByteBuffer(bytes: body))
        )
    }
}

extension DecodingError {
    /// Which key is wrong, and how.
    fileprivate var words: String {
        switch self {
        case .keyNotFound(let key, let context):
            "\(Self.path(context.codingPath + [key])) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(Self.path(context.codingPath)) is of another kind than it has to be"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "the body is no JSON object"
                : "\(Self.path(context.codingPath)) is not written as it has to be"
        @unknown default: "the body is not what it has to be"
        }
    }

    /// In the words of the document: snake_case.
    private static func path(_ path: [any CodingKey]) -> String {
        guard !path.isEmpty else { return "the body" }
        return path.map { key in
            key.intValue.map { "\($0)" }
                ?? key.stringValue.reduce(into: "") { text, character in
                    if character.isUppercase { text += "_" }
                    text += character.lowercased()
                }
        }.joined(separator: ".")
    }
}
