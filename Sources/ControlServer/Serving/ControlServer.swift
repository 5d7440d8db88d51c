internal import ControlAPI
package import CulvertControl
package import Foundation
internal import HTTPSemantics
internal import HTTPTypes
internal import Hummingbird
package import Logging
internal import NIOCore

/// Answers the control host's requests: the API of ``ControlAPI``, and the few pages that a browser sees.
///
/// Routing, middleware and bodies are Hummingbird's; sockets, HTTP's framing and its limits are the
/// front door's, as for every other host. Any thread.
package final class ControlServer: Sendable {
    /// A request's body may have so many bytes; what is longer is answered 413.
    package static var maximumRequestBytes: Int { APICoding.maximumRequestBytes }

    private let responder: any HTTPResponder<ControlContext>
    private let logger: Logger

    /// `now` is the clock, and `presence` what the edge knows of its connectors; `storeFailed` is called when
    /// the store has failed a request.
    package init(
        control: Control,
        settings: ControlSettings,
        presence: any TunnelPresence,
        now: @escaping @Sendable () -> Date = { Date() },
        storeFailed: @escaping @Sendable () -> Void = {},
        logger: Logger
    ) {
        let desk = ControlDesk(
            control: control,
            settings: settings,
            presence: presence,
            troubles: StoreTroubles(count: storeFailed, logger: logger),
            now: now,
            logger: logger
        )
        let router = Router(context: ControlContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: SafetyFieldsMiddleware())
        router.add(middleware: ProblemMiddleware(logger: logger))
        router.add(middleware: RateLimitMiddleware(now: now))
        PageRoutes(desk: desk).add(to: router)
        let api = router.group("api/v1").add(middleware: AuthenticationMiddleware(desk: desk))
        EdgeRoutes(desk: desk).add(to: api)
        LoginRoutes(desk: desk).add(to: api)
        AccountRoutes(desk: desk).add(to: api)
        InvitationRoutes(desk: desk).add(to: api)
        TunnelRoutes(desk: desk).add(to: api)
        self.responder = router.buildResponder()
        self.logger = logger
    }

    /// Answers one request. Returns when the answer is written, or nobody reads it any more.
    package func respond(to request: ControlRequest, with writer: any ControlAnswerWriter) async {
        let context = ControlContext(
            source: ControlContextSource(
                logger: self.logger,
                address: request.address,
                isSecure: request.head.scheme == "https"
            )
        )
        do {
            guard let converted = Request(request) else {
                return try await writer.refuse(request.head)
            }
            let response = try await self.responder.respond(to: converted, context: context)
            try await writer.head(ResponseHead(response))
            guard request.head.method != "HEAD" else { return try await writer.end() }
            try await response.body.write(ResponseWriter(writer))
        } catch is CancellationError {
        } catch {
            self.logger.warning("An answer of the API broke off", metadata: ["error": "\(error)"])
        }
    }
}

extension ControlAnswerWriter {
    /// For what Hummingbird's types cannot hold, such as a method that is no token.
    fileprivate func refuse(_ head: RequestHead) async throws {
        try await self.head(ResponseHead(status: 400, fields: ["Content-Length": "0"]))
        try await self.end()
    }
}

extension Request {
    /// Nil for a method or a field that has no form in Hummingbird.
    fileprivate init?(_ request: ControlRequest) {
        guard let method = HTTPRequest.Method(rawValue: request.head.method) else { return nil }
        var fields = HTTPTypes.HTTPFields()
        for field in request.head.fields.storage {
            guard let name = HTTPField.Name(field.name) else { continue }
            fields.append(HTTPField(name: name, value: field.value))
        }
        let head = HTTPRequest(
            method: method,
            scheme: request.head.scheme,
            authority: request.head.authority,
            path: request.head.path,
            headerFields: fields
        )
        self.init(head: head, body: RequestBody(buffer: request.body))
    }
}

extension ResponseHead {
    fileprivate init(_ response: Response) {
        self.init(
            status: UInt16(response.status.code),
            fields: HTTPSemantics.HTTPFields(
                response.headers.map { (name: $0.name.canonicalName, value: $0.value) }
            )
        )
    }
}

/// Hummingbird's view of a ``ControlAnswerWriter``.
private struct ResponseWriter: ResponseBodyWriter {
    private let writer: any ControlAnswerWriter

    init(_ writer: any ControlAnswerWriter) { self.writer = writer }

    mutating func write(_ buffer: ByteBuffer) async throws {
        guard buffer.readableBytes > 0 else { return }
        try await self.writer.write(buffer)
    }

    consuming func finish(_ trailingHeaders: HTTPTypes.HTTPFields?) async throws {
        try await self.writer.end()
    }
}
