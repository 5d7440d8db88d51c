import HTTP2Wire
import HTTPSemantics
import NIOCore
import TunnelLink
import TunnelWire

/// An exchange that the connector answers itself: `http_status:N`, `hello_world`, a request for a TCP
/// service that is no WebSocket, and a visitor who is not let in.
///
/// The answer goes out at once; the request's body is discarded with credit. Confined to the
/// stream's event loop.
final class LocalExchange: StreamExchange {
    var claim: ClaimedStream
    private let answer: LocalAnswer

    init(_ claim: ClaimedStream, answer: LocalAnswer) {
        self.claim = claim
        self.answer = answer
    }

    func begin() {
        self.claim.record.status = self.answer.insteadOf ?? self.answer.head.status
        self.stream.send(.response(self.answer.head))
        if let body = self.answer.body {
            self.claim.record.responseBytes = body.readableBytes
            self.stream.send(.data(body))
        }
        self.stream.send(.end)
        self.stream.flush()
    }

    func received(_ part: StreamPart, on stream: TunnelStream) {
        guard !self.isFinished else { return }
        switch part {
        case .data(let bytes):
            self.claim.record.requestBytes += bytes.readableBytes
            stream.consumed(bytes.readableBytes)
        case .end, .trailers: self.finish()
        case .request, .response:
            self.fail(.streamProtocolError, "a head where a body was expected")
        }
    }

    func receivedAll(on stream: TunnelStream) {}

    func becameWritable(_ stream: TunnelStream) {}
}

@available(*, unavailable)
extension LocalExchange: Sendable {}

/// What the connector answers by itself.
struct LocalAnswer {
    var head: ResponseHead
    /// Nil where there is none, and for a HEAD.
    var body: ByteBuffer?
    /// The status that the log has instead of the head's: of a call of gRPC, whose failures are 200 in HTTP.
    var insteadOf: UInt16?

    static func make(for service: OriginService, head request: RequestHead) -> LocalAnswer {
        switch service {
        case .helloWorld where Self.isHealthCheck(request.path):
            .text("ok\n", request)
        case .helloWorld:
            .text(Self.page, type: "text/html; charset=utf-8", request)
        case .httpStatus(let status):
            .empty(status)
        case .tcp, .bastion, .socksProxy:
            .upgradeRequired(request)
        case .http, .https, .unix, .unixTLS:
            .empty(500)
        }
    }

    /// A text, for a person.
    static func text(
        _ text: String,
        type: String = "text/plain; charset=utf-8",
        status: UInt16 = 200,
        reason: String = "OK",
        _ request: RequestHead
    ) -> LocalAnswer {
        let head = ResponseHead(
            status: status,
            reason: reason,
            fields: [
                "Content-Type": type,
                "Content-Length": String(text.utf8.count),
                "Cache-Control": "no-store",
            ]
        )
        let hasNoBody = request.method == "HEAD"
        return LocalAnswer(head: head, body: hasNoBody ? nil : ByteBuffer(string: text))
    }

    /// A failure in a sentence, in the form of what was asked: text, or gRPC's.
    static func refusal(
        _ sentence: String,
        status: UInt16,
        reason: String,
        _ request: RequestHead
    ) -> LocalAnswer {
        guard let type = GRPCAnswer.contentType(of: request.fields) else {
            return .text("\(sentence)\n", status: status, reason: reason, request)
        }
        let head = GRPCAnswer.head(insteadOf: status, message: sentence, contentType: type)
        return LocalAnswer(head: head, insteadOf: status)
    }

    private static func isHealthCheck(_ path: String) -> Bool {
        path == "/health" || path.hasPrefix("/health?")
    }

    private static func empty(_ status: UInt16) -> LocalAnswer {
        // A 1xx is no answer (RFC 9110 §15.2).
        let status = (200...999).contains(status) ? status : 500
        let hasNoBody = status == 204 || status == 304
        let fields: HTTPFields = hasNoBody ? HTTPFields() : ["Content-Length": "0"]
        return LocalAnswer(head: ResponseHead(status: status, fields: fields))
    }

    private static let page = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Hello from Culvert</title>
        <style>
        body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 18vh auto 0;
               padding: 0 1.5rem; color: #123; background: #f4f8fb }
        h1 { font-weight: 600 } code { background: #dfeaf2; padding: .1em .3em; border-radius: 4px }
        </style>
        <h1>Hello, the tunnel works.</h1>
        <p>Your connector answered this itself: the request came in at the edge, crossed the tunnel,
        and the page went back the same way.</p>
        <p>Next, put <code>service: http://localhost:3000</code> in place of
        <code>hello_world</code>, and your own site is here.</p>
        </html>

        """
}
