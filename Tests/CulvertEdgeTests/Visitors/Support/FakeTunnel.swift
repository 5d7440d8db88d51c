import HTTPSemantics
import NIOConcurrencyHelpers
import NIOCore
import TunnelLink
import TunnelWire

@testable import CulvertEdge

/// A router whose streams end at scripted origins, chosen by path; hosts decide about failures, and
/// visitors of `sticky.test` are given the cookie `token`.
final class FakeRouter: RequestRouter {
    enum Event: Sendable, Equatable {
        case routed(String, attempt: Int)
        case cancelled
        case stalled(piece: Int)
        case request(RequestHead)
        case body(path: String, bytes: Int)
        case ended(path: String, trailers: HTTPFields?)
        case reset(path: String, ResetCode)
        case consumed(path: String, bytes: Int)
    }

    let recorder = Recorder<Event>()
    /// Opens the streams of path `/later` that wait.
    let held = NIOLockedValueBox<[@Sendable () -> Void]>([])
    let streams = Recorder<FakeStream>()
    let lostOnce = NIOLockedValueBox<Set<String>>([])

    func route(_ request: RouteRequest, for requester: any RouteRequester) {
        let loop = request.eventLoop
        if request.head.path == "/later" {
            // Held before it is told: who hears of it may open it at once.
            let bound = NIOLoopBound(requester as any RouteRequester, eventLoop: loop)
            self.held.withLockedValue { held in
                held.append { loop.execute { self.open(bound.value, loop) } }
            }
        }
        self.recorder.record(.routed(request.head.path, attempt: request.attempt))
        switch request.host {
        case "unknown.test": return requester.routeFailed(.unknownHost)
        case "away.test": return requester.routeFailed(.noConnector(retryAfterSeconds: 7))
        case "limited.test": return requester.routeFailed(.rateLimited(retryAfterSeconds: 9))
        default: break
        }
        if request.head.path == "/never" || request.head.path == "/later" { return }
        let isSticky = request.host == "sticky.test"
        self.open(requester, loop, isSticky ? StickyVisit(request.head).found("token") : nil)
    }

    func cancelRoute(of requester: any RouteRequester) { self.recorder.record(.cancelled) }

    private func open(
        _ requester: any RouteRequester,
        _ loop: any EventLoop,
        _ visit: StickyVisit? = nil
    ) {
        let stream = ScriptedStream(eventLoop: loop)
        let fake = FakeStream(stream, router: self, loop: loop)
        stream.end = fake
        self.streams.record(fake)
        requester.routeFound(stream, visit)
    }

    func request(_ path: String) async throws -> RequestHead {
        let event = try await self.recorder.first {
            if case .request(let head) = $0 { head.path == path } else { false }
        }
        guard case .request(let head) = event else { fatalError() }
        return head
    }

    var requests: [RequestHead] {
        self.recorder.events.compactMap { if case .request(let head) = $0 { head } else { nil } }
    }
}

/// The connector's end of a stream, with an origin behind it that its path describes.
final class FakeStream: ScriptedStreamEnd, @unchecked Sendable {
    // SAFETY: all state is touched on `loop` only; tests go through `onLoop`.
    let loop: any EventLoop
    private let stream: ScriptedStream
    private unowned let router: FakeRouter
    var isWritable = true
    var head: RequestHead?
    var bodyBytes = 0
    var stalls = 0
    var body = ByteBuffer()

    init(_ stream: ScriptedStream, router: FakeRouter, loop: any EventLoop) {
        self.stream = stream
        self.router = router
        self.loop = loop
    }

    var path: String { self.head.map { String($0.path.prefix { $0 != "?" }) } ?? "" }

    func onLoop(_ action: @escaping @Sendable (FakeStream) -> Void) {
        self.loop.execute { action(self) }
    }

    func deliver(_ parts: StreamPart...) {
        for part in parts { self.stream.delegate?.received(part, on: self.stream) }
        self.stream.delegate?.receivedAll(on: self.stream)
    }

    func lose(_ code: ResetCode) { self.stream.peerReset(code) }

    func makeWritable() {
        self.isWritable = true
        self.stream.delegate?.becameWritable(self.stream)
    }

    // MARK: ScriptedStreamEnd

    func sent(_ part: StreamPart, on stream: TunnelStream) {
        switch part {
        case .request(let head):
            self.head = head
            self.router.recorder.record(.request(head))
            self.began()
        case .data(let data):
            self.bodyBytes += data.readableBytes
            self.body.writeImmutableBuffer(data)
            self.router.recorder.record(.body(path: self.path, bytes: data.readableBytes))
            if self.path == "/echo" || self.path == "/ws" { self.deliver(.data(data)) }
            if self.path == "/stall", self.isWritable {
                self.isWritable = false
                self.stalls += 1
                self.router.recorder.record(.stalled(piece: self.stalls))
            }
        case .trailers(let trailers):
            self.router.recorder.record(.ended(path: self.path, trailers: trailers))
            self.ended(trailers)
        case .end:
            self.router.recorder.record(.ended(path: self.path, trailers: nil))
            self.ended(nil)
        case .response: fatalError("visitors do not answer")
        }
    }

    func flushed(_ stream: TunnelStream) {}

    func consumed(_ bytes: Int, on stream: TunnelStream) {
        self.router.recorder.record(.consumed(path: self.path, bytes: bytes))
    }

    func reset(_ stream: TunnelStream, code: ResetCode) {
        self.router.recorder.record(.reset(path: self.path, code))
    }

    // MARK: Origins

    private func began() {
        switch self.path {
        case "/echo":
            self.deliver(.response(.init(status: 200, fields: ["Content-Type": "text/plain"])))
        case "/early":
            self.deliver(.response(.init(status: 200, fields: ["Content-Length": "5"])))
            self.deliver(.data(ByteBuffer(string: "early")), .end)
        case "/ws":
            self.deliver(
                .response(
                    .init(
                        status: 101,
                        reason: "Switching Protocols",
                        fields: [
                            "Connection": "Upgrade", "Upgrade": "websocket",
                            "Sec-WebSocket-Accept": "x",
                        ]
                    )
                )
            )
        case "/ws-declined":
            self.onLoop {
                $0.deliver(
                    .response(.init(status: 403, reason: "No", fields: ["Content-Length": "2"])),
                    .data(ByteBuffer(string: "no")),
                    .end
                )
            }
        case "/unasked": self.deliver(.response(.init(status: 101, fields: ["Upgrade": "x"])))
        case "/refused-once" where self.router.lostOnce.withLockedValue { $0.insert("r").inserted }:
            self.lose(.refused)
        case "/lost-once" where self.router.lostOnce.withLockedValue { $0.insert("l").inserted }:
            self.lose(.sessionLost)
        case "/always-refused": self.lose(.refused)
        case "/unreachable": self.lose(.originUnreachable)
        case "/timeout": self.lose(.originTimeout)
        case "/continue": self.deliver(.response(.init(status: 100)))
        default: break
        }
    }

    private func ended(_ trailers: HTTPFields?) {
        switch self.path {
        case "/echo": self.deliver(trailers.map { .trailers($0) } ?? .end)
        case "/ws": self.deliver(.end)
        case "/hello", "/refused-once", "/later", "/lost-once", "/stall":
            let text = "hello \(self.bodyBytes)"
            self.deliver(
                .response(
                    .init(
                        status: 200,
                        reason: "OK",
                        fields: [
                            "Content-Length": "\(text.utf8.count)", "X-One": "1", "X-One": "2",
                        ]
                    )
                ),
                .data(ByteBuffer(string: text)),
                .end
            )
        case "/continue":
            self.deliver(
                .response(.init(status: 103, fields: ["Link": "</a>"])),
                .response(.init(status: 200, fields: ["Content-Length": "0"])),
                .end
            )
        case "/head":
            self.deliver(.response(.init(status: 200, fields: ["Content-Length": "1234"])), .end)
        case "/204": self.deliver(.response(.init(status: 204)), .end)
        case "/304":
            self.deliver(.response(.init(status: 304, fields: ["Content-Length": "9"])), .end)
        case "/chunks":
            self.deliver(
                .response(.init(status: 200, fields: ["Connection": "x", "Keep-Alive": "5"])),
                .data(ByteBuffer(string: "one")),
                .data(ByteBuffer(string: "two")),
                .trailers(["X-Sum": "6"])
            )
        case "/big":
            let piece = ByteBuffer(repeating: 0x61, count: 1 << 16)
            self.deliver(.response(.init(status: 200, fields: ["Content-Length": "\(1 << 20)"])))
            for _ in 0..<16 { self.deliver(.data(piece)) }
            self.deliver(.end)
        case "/broken":
            self.deliver(.response(.init(status: 200)), .data(ByteBuffer(string: "half")))
            self.lose(.truncated)
        case "/short":
            self.deliver(
                .response(.init(status: 200, fields: ["Content-Length": "100"])),
                .data(ByteBuffer(string: "half")),
                .end
            )
        case "/split": self.deliver(.response(.init(status: 200, fields: ["X": "a\r\nY: b"])), .end)
        default: break
        }
    }
}
