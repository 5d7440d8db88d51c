import HTTPSemantics
import NIOCore
import NIOPosix
import TunnelLink
import TunnelWire

@testable import CulvertConnector

/// The tunnel's end of one exchange: sends parts into it and records what comes out.
///
/// The only test file that knows how streams of the tunnel are made.
final class Probe {
    struct Seen: Sendable {
        var heads: [ResponseHead] = []
        var body: [UInt8] = []
        var pieces = 0
        var trailers: HTTPFields?
        var isEnded = false
        var reset: ResetCode?
        var consumed = 0
        var flushes = 0
        var unflushed = 0
        var record: ExchangeRecord?

        var text: String { String(decoding: self.body, as: UTF8.self) }
        var head: ResponseHead? { self.heads.last }
        var isOver: Bool { self.isEnded || self.reset != nil }
        var isRecorded: Bool { self.record != nil }
    }

    private let stream: RecordedStream
    private let dispatcher: OriginDispatcher
    private var seen = Seen()
    private var waiters: [(until: (Seen) -> Bool, promise: EventLoopPromise<Seen>)] = []
    fileprivate var limit: Int?

    init(_ dispatcher: OriginDispatcher) {
        self.dispatcher = dispatcher
        self.stream = RecordedStream(eventLoop: dispatcher.eventLoop)
        self.stream.onSend = { [unowned self] part in self.sent(part) }
        self.stream.onFlush = { [unowned self] in
            self.seen.flushes += 1
            self.seen.unflushed = 0
            self.wake()
        }
        self.stream.onConsumed = { [unowned self] bytes in
            self.seen.consumed += bytes
            self.wake()
        }
        self.stream.onReset = { [unowned self] code in
            self.seen.reset = code
            self.wake()
        }
    }

    private func sent(_ part: StreamPart) {
        precondition(!self.seen.isOver, "sent after the end: \(part)")
        self.seen.unflushed += 1
        switch part {
        case .request: preconditionFailure("an origin sends no request")
        case .response(let head): self.seen.heads.append(head)
        case .data(let bytes):
            self.seen.pieces += 1
            bytes.withUnsafeReadableBytes { self.seen.body.append(contentsOf: $0) }
        case .trailers(let fields):
            self.seen.trailers = fields
            self.seen.isEnded = true
        case .end: self.seen.isEnded = true
        }
        if let limit, self.seen.body.count >= limit { self.stream.isOpenForMore = false }
        self.wake()
    }

    func recorded(_ record: ExchangeRecord) {
        self.seen.record = record
        self.wake()
    }

    private func wake() {
        let seen = self.seen
        let ready = self.waiters.filter { $0.until(seen) }
        self.waiters.removeAll { $0.until(seen) }
        for waiter in ready { waiter.promise.succeed(seen) }
    }

    func wait(until: @escaping (Seen) -> Bool) -> EventLoopFuture<Seen> {
        let promise = self.stream.eventLoop.makePromise(of: Seen.self)
        self.waiters.append((until, promise))
        self.wake()
        return promise.futureResult
    }

    /// Delivers parts that arrived together.
    func deliver(_ parts: [StreamPart], target: OriginTarget) {
        for part in parts {
            if case .request(let head) = part, self.stream.delegate == nil {
                self.dispatcher.begin(self.stream, head: head, target: target)
            } else {
                self.stream.delegate?.received(part, on: self.stream)
            }
        }
        self.stream.delegate?.receivedAll(on: self.stream)
    }

    func resetByPeer(_ code: ResetCode) { self.stream.delegate?.wasReset(self.stream, code: code) }

    func setWritable(_ isWritable: Bool) {
        self.stream.isOpenForMore = isWritable
        if isWritable { self.stream.delegate?.becameWritable(self.stream) }
    }

    /// Not writable from the body byte on that reaches `limit`.
    func stall(at limit: Int?) { self.limit = limit }
}

/// A connector's origin side on one event loop, driven from a test's task.
final class Bench: Sendable {
    let loop: any EventLoop
    private let box: NIOLoopBoundBox<Parts?>

    private struct Parts {
        var dispatcher: OriginDispatcher
        var probes: [String: Probe] = [:]
        var records: [ExchangeRecord] = []
    }

    init(loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()) async throws {
        self.loop = loop
        let box = NIOLoopBoundBox<Parts?>.makeEmptyBox(valueType: Parts.self, eventLoop: loop)
        self.box = box
        try await loop.submit {
            let dispatcher = OriginDispatcher(
                eventLoop: loop,
                tlsContexts: OriginTLSContexts()
            ) { record in
                box.value?.records.append(record)
                // A path names its probe.
                box.value?.probes[record.path]?.recorded(record)
            }
            box.value = Parts(dispatcher: dispatcher)
        }.get()
    }

    func use<T: Sendable>(
        _ work: @escaping @Sendable (OriginDispatcher) throws -> T
    ) async throws -> T {
        try await self.loop.submit {
            guard let parts = self.box.value else { throw CancellationError() }
            return try work(parts.dispatcher)
        }.get()
    }

    /// Opens a stream whose request's path is `path`, with the parts after the head, as one batch.
    func open(
        _ path: String,
        to target: OriginTarget,
        method: String = "GET",
        host: String = "app.example.com",
        fields: HTTPFields = HTTPFields(),
        then parts: [StreamPart] = [.end],
        stallAt limit: Int? = nil
    ) async throws {
        try await self.loop.submit {
            guard let dispatcher = self.box.value?.dispatcher else { return }
            let probe = Probe(dispatcher)
            probe.stall(at: limit)
            self.box.value?.probes[path] = probe
            let head = RequestHead(
                method: method,
                scheme: "https",
                authority: host,
                path: path,
                fields: fields
            )
            probe.deliver([.request(head)] + parts, target: target)
        }.get()
    }

    func probe<T: Sendable>(
        _ path: String,
        _ work: @escaping @Sendable (Probe) -> T
    ) async throws -> T {
        try await self.loop.submit {
            guard let probe = self.box.value?.probes[path] else { throw CancellationError() }
            return work(probe)
        }.get()
    }

    func deliver(_ path: String, to target: OriginTarget, _ parts: [StreamPart]) async throws {
        try await self.probe(path) { $0.deliver(parts, target: target) }
    }

    @discardableResult
    func wait(
        _ path: String,
        until: @escaping @Sendable (Probe.Seen) -> Bool = { $0.isOver }
    ) async throws -> Probe.Seen {
        try await self.loop.flatSubmit {
            guard let probe = self.box.value?.probes[path] else {
                return self.loop.makeFailedFuture(CancellationError())
            }
            return probe.wait(until: until)
        }.get()
    }

    /// One whole exchange, to the end of both directions.
    func exchange(
        _ path: String,
        to target: OriginTarget,
        method: String = "GET",
        host: String = "app.example.com",
        fields: HTTPFields = HTTPFields(),
        then parts: [StreamPart] = [.end]
    ) async throws -> Probe.Seen {
        try await self.open(
            path,
            to: target,
            method: method,
            host: host,
            fields: fields,
            then: parts
        )
        return try await self.wait(path) { $0.isOver && $0.isRecorded }
    }
}

extension StreamPart {
    static func text(_ text: String) -> StreamPart { .data(ByteBuffer(string: text)) }
    static func zeros(_ count: Int) -> StreamPart {
        .data(ByteBuffer(repeating: 0x78, count: count))
    }
}
