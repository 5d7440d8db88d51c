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
    private var timer: Scheduled<Void>?
    private var answer: HTTPResponseHead?
    private var text = ByteBuffer()
    private var isSwitched = false

    init(
        target: AccessTarget,
        timeout: TimeAmount,
        encoder: HTTPRequestEncoder,
        decoder: ByteToMessageHandler<HTTPResponseDecoder>,
        remote: RemoteEnd
    ) {
        self.target = target
        self.timeout = timeout
        self.encoder = encoder
        self.decoder = decoder
        self.remote = remote
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
        // What the decoder had left when it went: the first frames.
        guard !self.isSwitched else { return context.fireChannelRead(data) }
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
        if let tls = error as? NIOSSLError, tls == .uncleanShutdown { return }
        self.fail(self.error(error), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.fail(
            .failed("\(self.target.hostname) closed the connection without an answer"),
            context
        )
        context.fireChannelInactive()
    }

    private func judge(_ context: ChannelHandlerContext) {
        guard let answer else { return }
        guard answer.status == .switchingProtocols else {
            let line = String(buffer: self.text).split(separator: "\n").first { !$0.isEmpty }
            return self.fail(
                .answered(
                    hostname: self.target.hostname,
                    status: Int(answer.status.code),
                    code: answer.headers.first(name: "Culvert-Error"),
                    text: line.map(String.init) ?? ""
                ),
                context
            )
        }
        guard answer.headers["Sec-WebSocket-Accept"] == [WebSocketHandshake.accept(for: self.key)]
        else {
            let what = "answered 101 to something other than the request"
            return self.fail(.failed("\(self.target.hostname) \(what)"), context)
        }
        self.switchProtocols(context)
    }

    private func switchProtocols(_ context: ChannelHandlerContext) {
        guard let remote else { return }
        self.isSwitched = true
        self.remote = nil
        self.timer?.cancel()
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(remote, position: .after(self))
        } catch {
            return remote.fail(.failed("\(self.target.hostname): \(error)"))
        }
        let handlers = NIOLoopBound((self, remote), eventLoop: context.eventLoop)
        pipeline.removeHandler(self.encoder).assumeIsolated().whenComplete { _ in
            // Its removal hands on what it has left, to this one and so to the next.
            let (handler, _) = handlers.value
            pipeline.removeHandler(handler.decoder).assumeIsolated().whenComplete { _ in
                let (handler, remote) = handlers.value
                pipeline.removeHandler(handler, promise: nil)
                remote.begin()
            }
        }
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
