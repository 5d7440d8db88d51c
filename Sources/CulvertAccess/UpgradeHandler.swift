import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import WebSocketWire

/// Asks for the WebSocket and judges the answer; then gives its place to the `RemoteEnd`, or says why
/// not. Confined to its channel's event loop.
final class UpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// Of the body of an answer that is no 101; the rest is not looked at.
    private static let maxTextBytes = 4096

    private let target: AccessTarget
    private let timeout: TimeAmount
    private let encoder: HTTPRequestEncoder
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    private let key = WebSocketHandshake.key(randomBits: .random(in: .min ... .max))
    private var remote: RemoteEnd?
    private let logger: Logger
    private var timer: Scheduled<Void>?
    private var answer: HTTPResponseHead?
    private var text = ByteBuffer()
    /// Between the 101 and the last handler of HTTP's removal.
    private var isSwitching = false
    /// What came behind the 101 meanwhile, in order.
    private var rest: [NIOAny] = []
    private var hasEnded = false

    init(
        target: AccessTarget,
        timeout: TimeAmount,
        encoder: HTTPRequestEncoder,
        decoder: ByteToMessageHandler<HTTPResponseDecoder>,
        remote: RemoteEnd,
        logger: Logger
    ) {
        self.target = target
        self.timeout = timeout
        self.encoder = encoder
        self.decoder = decoder
        self.remote = remote
        self.logger = logger
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.timer = context.eventLoop.scheduleTask(in: self.timeout) {
            let (handler, context) = bound.value
            handler.fail(.timedOut("\(handler.target.hostname) did not answer"), context)
        }
        let part = HTTPClientRequestPart.head(self.request)
        context.write(self.wrapOutboundOut(part), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    private var request: HTTPRequestHead {
        var headers = HTTPHeaders([
            ("Host", self.target.authority), ("Connection", "Upgrade"), ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", self.key), ("Sec-WebSocket-Version", "13"),
            ("User-Agent", "culvert-access"), ("Accept", "text/plain"),
        ])
        // cloudflared's name: an edge passes it on.
        if let destination = self.target.destination {
            headers.add(name: "Cf-Access-Jump-Destination", value: destination)
        }
        for field in self.target.fields {
            headers.replaceOrAdd(name: field.name, value: field.value)
        }
        return HTTPRequestHead(
            version: .http1_1,
            method: .GET,
            uri: self.target.path,
            headers: headers
        )
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Frames; an answer to one would still be encoded as HTTP.
        guard !self.isSwitching else { return self.rest.append(data) }
        switch self.unwrapInboundIn(data) {
        case .head(let head): self.answer = head
        case .body(var bytes):
            let room = Self.maxTextBytes - self.text.readableBytes
            let piece = bytes.readSlice(length: min(room, bytes.readableBytes))
            if let piece { self.text.writeImmutableBuffer(piece) }
        case .end: self.judge(context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !self.isSwitching, let tls = error as? NIOSSLError, tls == .uncleanShutdown { return }
        self.fail(self.error(error), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        guard !self.isSwitching else { return self.hasEnded = true }
        self.fail(
            .failed("\(self.target.hostname) closed the connection without an answer"),
            context
        )
        context.fireChannelInactive()
    }

    private func judge(_ context: ChannelHandlerContext) {
        guard let answer else { return }
        guard answer.status == .switchingProtocols else {
            return self.fail(.answered(self.refusal(answer)), context)
        }
        guard answer.headers["Sec-WebSocket-Accept"] == [WebSocketHandshake.accept(for: self.key)]
        else {
            let what = "answered 101 to something other than the request"
            return self.fail(.failed("\(self.target.hostname) \(what)"), context)
        }
        // A connector's bastion repeats where it has gone.
        if let destination = self.target.destination,
            !answer.headers.contains(name: "Culvert-Jump-Destination")
        {
            let what = "leads to one service, not to a bastion; --destination \(destination)"
            self.logger.warning("\(self.target.hostname) \(what) does not count")
        }
        self.switchProtocols(context)
    }

    private func refusal(_ head: HTTPResponseHead) -> AccessAnswer {
        var answer = AccessAnswer(
            hostname: self.target.hostname,
            status: Int(head.status.code)
        )
        let line = String(buffer: self.text).split(separator: "\n").first { !$0.isEmpty }
        answer.code = head.headers.first(name: "Culvert-Error")
        answer.text = line.map(String.init) ?? ""
        answer.asksForPassword = head.headers["WWW-Authenticate"].contains {
            $0.lowercased().hasPrefix("basic")
        }
        answer.hadCredentials = self.request.headers.contains(name: "Authorization")
        answer.destination = self.target.destination
        return answer
    }

    private func switchProtocols(_ context: ChannelHandlerContext) {
        self.isSwitching = true
        self.timer?.cancel()
        let pipeline = context.pipeline.syncOperations
        pipeline.removeHandler(self.encoder).assumeIsolated().whenComplete { _ in
            // Its removal, a turn of the loop later, hands on what it has left, to this one.
            pipeline.removeHandler(self.decoder).assumeIsolated().whenComplete { _ in
                self.handOver(context)
            }
        }
    }

    /// Nothing of HTTP is left: the `RemoteEnd` takes this place, and what came in the meantime.
    private func handOver(_ context: ChannelHandlerContext) {
        guard let remote else { return }
        self.remote = nil
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(remote, position: .after(self))
        } catch {
            context.close(promise: nil)
            return remote.fail(.failed("\(self.target.hostname): \(error)"))
        }
        remote.begin()
        let rest = self.rest
        self.rest.removeAll()
        for data in rest { context.fireChannelRead(data) }
        if !rest.isEmpty { context.fireChannelReadComplete() }
        if self.hasEnded { context.fireChannelInactive() }
        pipeline.removeHandler(self, promise: nil)
    }

    private func fail(_ error: AccessError, _ context: ChannelHandlerContext) {
        guard let remote else { return }
        self.remote = nil
        self.timer?.cancel()
        context.close(promise: nil)
        remote.fail(error)
    }

    private func error(_ error: any Error) -> AccessError {
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return .untrusted(
                hostname: self.target.hostname,
                reason: "signed by nobody that this machine trusts, or out of date"
            )
        }
        if error is NIOSSLExtraError {
            return .untrusted(hostname: self.target.hostname, reason: "it is for another name")
        }
        return .failed("\(self.target.hostname): \(text)")
    }
}

@available(*, unavailable)
extension UpgradeHandler: Sendable {}
