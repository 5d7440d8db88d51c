import NIOCore
import Testing
import TunnelSession
import TunnelWire

/// Random operations at both ends, random splits of the bytes, random cuts: every byte arrives once,
/// in order, and every stream ends as its sender ended it.
@Suite struct RandomOperationsTests {
    @Test(.timeLimit(.minutes(1)), arguments: 0..<60)
    func everyByteOnceAndInOrder(seed: UInt64) throws {
        try RandomRun(seed: seed).run(steps: 1_500)
    }
}

/// A generator whose sequence its seed decides (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// What one direction of a stream was given, and what came out.
private final class Direction {
    var sent: [UInt8] = []
    var received: [UInt8] = []
    var queued = 0
    /// Sizes of the heads sent, and of those that came.
    var heads: [Int] = []
    var receivedHeads: [Int] = []
    var isEnded = false
    var didEnd = false
    var trailers: Int?
    var receivedTrailers: Int?
}

private final class Exchange {
    let request = Direction()
    let response = Direction()
    var opener: SessionStream?
    var accepter: SessionStream?
    var unconsumed: [ObjectIdentifier: Int] = [:]
    var isReset = false
    var isAnswerDue = false
}

private final class RandomRun {
    let seed: UInt64
    var generator: SeededGenerator
    let pair: Pair
    var exchanges: [StreamID: Exchange] = [:]
    var counter: UInt8 = 0
    /// The versions of configurations and reports: those sent last, and those that came last.
    var configurations = (sent: 0 as UInt64, received: 0 as UInt64)
    var reports = (sent: 0 as UInt64, received: 0 as UInt64)

    init(seed: UInt64) {
        self.seed = seed
        self.generator = SeededGenerator(state: seed)
        self.pair = Pair(
            connector: Self.configuration(seed),
            edge: Self.configuration(seed / 3 + 7 * (seed & 1))
        )
    }

    /// Limits of one end; the ends' own differ for every other seed.
    private static func configuration(_ seed: UInt64) -> SessionConfiguration {
        var configuration = SessionConfiguration()
        configuration.limits = SessionLimits(
            streams: 2 << UInt32(seed % 3),
            streamWindowBytes: 4_000 << UInt32(seed % 4),
            sessionWindowBytes: seed % 3 == 0 ? 20_000 : 1 << 20
        )
        configuration.maximumStreamWindowBytes = 256 << 10
        return configuration
    }

    func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self.generator) }

    func run(steps: Int) throws {
        for _ in 0..<steps { try self.step() }
        if !self.pair.connector.session.hasLink { try self.pair.reconnect() }
        for exchange in self.exchanges.values { self.finish(exchange) }
        for _ in 0..<400 {
            self.pair.settle()
            self.handleEvents()
            self.consumeEverything()
            self.pair.pass(.milliseconds(30))
        }
        self.check()
    }

    private func step() throws {
        switch self.random(0...20) {
        case 0, 1: self.open()
        case 2...7: self.sendSomething()
        case 8: self.endSomething()
        case 9...14: self.move()
        case 15: self.consumeSomething()
        case 16: self.pair.pass(.milliseconds(UInt64(self.random(1...80))))
        case 17: if self.random(0...3) == 0 { self.resetSomething() }
        case 18: if self.random(0...2) == 0 { self.pair.cut() }
        case 19: self.manage()
        default:
            guard self.pair.connector.session.hasLink else { return try self.pair.reconnect() }
            guard self.random(0...2) == 0 else { return }
            let loses = Bool.random(using: &self.generator)
            try self.pair.move(delivering: self.random(0...20_000), losesWelcome: loses)
        }
        self.handleEvents()
        self.checkBounds()
    }

    private func open() {
        let end = Bool.random(using: &self.generator) ? self.pair.connector : self.pair.edge
        let head = ByteBuffer.request(String(repeating: "x", count: self.random(0...40_000)))
        guard let stream = end.session.open(head: head, now: self.pair.now) else { return }
        #expect(self.exchanges[stream.id] == nil, "stream id used twice, seed \(self.seed)")
        let exchange = Exchange()
        exchange.opener = stream
        exchange.request.heads = [head.readableBytes]
        self.exchanges[stream.id] = exchange
    }

    /// A random exchange, one of its ends, and the direction that end sends.
    private func pick() -> (Pair.End, SessionStream, Direction, Exchange)? {
        guard let id = self.exchanges.keys.sorted().randomElement(using: &self.generator),
            let exchange = self.exchanges[id], !exchange.isReset
        else { return nil }
        let byOpener = Bool.random(using: &self.generator)
        let opener = id.rawValue & 1 == 1 ? self.pair.connector : self.pair.edge
        guard let stream = byOpener ? exchange.opener : exchange.accepter else { return nil }
        return (
            byOpener ? opener : self.pair.other(opener), stream,
            byOpener ? exchange.request : exchange.response, exchange
        )
    }

    private func sendSomething() {
        guard let (end, stream, direction, _) = self.pick(), !direction.isEnded,
            direction.queued < 64 << 10
        else { return }
        let bytes = (0..<self.random(1...9_000)).map { _ in
            self.counter = self.counter &* 5 &+ 1
            return self.counter
        }
        direction.sent += bytes
        direction.queued += bytes.count
        end.session.send(data: ByteBuffer(bytes: bytes), on: stream, now: self.pair.now)
    }

    private func endSomething() {
        guard let (end, stream, direction, _) = self.pick(), !direction.isEnded else { return }
        self.end(end, stream, direction)
    }

    private func end(_ end: Pair.End, _ stream: SessionStream, _ direction: Direction) {
        direction.isEnded = true
        if self.random(0...2) == 0 {
            let count = self.random(0...20_000)
            direction.trailers = count
            end.session.send(
                trailers: ByteBuffer(repeating: 7, count: count),
                on: stream,
                now: self.pair.now
            )
        } else {
            end.session.sendEnd(on: stream, now: self.pair.now)
        }
    }

    private func resetSomething() {
        guard let (end, stream, _, exchange) = self.pick() else { return }
        exchange.isReset = true
        // An accepter that has ended its answer still gets it across whole.
        exchange.isAnswerDue = stream === exchange.accepter && exchange.response.isEnded
        end.session.reset(stream, code: .cancelled)
        exchange.unconsumed[ObjectIdentifier(stream)] = nil
    }

    /// Each text's length, and whether a hostname is unhealthy, follow from the version.
    private func manage() {
        if Bool.random(using: &self.generator) {
            self.configurations.sent += 1
            self.pair.edge.session.send(Self.configuration(version: self.configurations.sent))
        } else {
            self.reports.sent += 1
            self.pair.connector.session.send(Self.report(version: self.reports.sent))
        }
    }

    private static func configuration(version: UInt64) -> ManagedConfiguration {
        let count = Int(version &* 7_919) % 60_000
        return ManagedConfiguration(version: version, text: String(repeating: "t", count: count))
    }

    private static func report(version: UInt64) -> ConnectorReport {
        ConnectorReport(
            configurationVersion: version,
            unhealthyHostnames: (0..<Int(version % 400)).map { "host-\($0).example.com" }
        )
    }

    private func move() {
        let end = Bool.random(using: &self.generator) ? self.pair.connector : self.pair.edge
        if self.random(0...1) == 0 {
            self.pair.transmit(end, target: self.random(600...16_000))
        } else {
            self.pair.deliver(from: end, limit: self.random(1...20_000))
        }
    }

    private func finish(_ exchange: Exchange) {
        guard !exchange.isReset, let opener = exchange.opener else { return }
        let end = opener.id.rawValue & 1 == 1 ? self.pair.connector : self.pair.edge
        if !exchange.request.isEnded { self.end(end, opener, exchange.request) }
        guard let accepter = exchange.accepter, !exchange.response.isEnded else { return }
        self.end(self.pair.other(end), accepter, exchange.response)
    }

    // MARK: Events

    private func handleEvents() {
        for end in [self.pair.connector, self.pair.edge] {
            for event in end.take() { self.handle(event, at: end) }
        }
    }

    private func handle(_ event: SessionEvent, at end: Pair.End) {
        switch event {
        case .opened(let stream):
            let exchange = self.exchanges[stream.id]
            #expect(exchange != nil && exchange?.accepter == nil)
            exchange?.accepter = stream
            if exchange?.isReset == false {
                for status in [103, 200] as [UInt16] where status == 200 || self.random(0...3) == 0
                {
                    let text = String(repeating: "y", count: self.random(0...30_000))
                    let head = ByteBuffer.response(status, text)
                    exchange?.response.heads.append(head.readableBytes)
                    end.session.send(head: head, on: stream, now: self.pair.now)
                }
            }
        case .data(let stream, let bytes):
            self.direction(to: stream)?.received += Array(buffer: bytes)
            let key = ObjectIdentifier(stream)
            self.exchanges[stream.id]?.unconsumed[key, default: 0] += bytes.readableBytes
        case .trailers(let stream, let section):
            self.direction(to: stream)?.receivedTrailers = section.readableBytes
        case .ended(let stream):
            #expect(self.direction(to: stream)?.didEnd == false)
            self.direction(to: stream)?.didEnd = true
        case .reset(let stream, let code):
            let exchange = self.exchanges[stream.id]
            if code == .refused { exchange?.isReset = true }
            #expect(exchange?.isReset == true, "unasked reset \(code), seed \(self.seed)")
        case .sent(let stream, let bytes):
            let exchange = self.exchanges[stream.id]
            let isOpener = exchange?.opener === stream
            (isOpener ? exchange?.request : exchange?.response)?.queued -= bytes
        case .head(let stream, let section):
            self.direction(to: stream)?.receivedHeads.append(section.readableBytes)
        case .configuration(let configuration):
            #expect(configuration.version > self.configurations.received, "seed \(self.seed)")
            #expect(configuration == Self.configuration(version: configuration.version))
            self.configurations.received = configuration.version
        case .report(let report):
            let version = report.configurationVersion ?? 0
            #expect(version > self.reports.received, "seed \(self.seed)")
            #expect(report == Self.report(version: version))
            self.reports.received = version
        case .peerDraining: break
        case .linkIsDead, .closed: Issue.record("\(event), seed \(self.seed)")
        }
    }

    private func direction(to stream: SessionStream) -> Direction? {
        let exchange = self.exchanges[stream.id]
        return exchange?.opener === stream ? exchange?.response : exchange?.request
    }

    private func consumeSomething() {
        guard let (end, stream, _, exchange) = self.pick() else { return }
        let key = ObjectIdentifier(stream)
        let held = exchange.unconsumed[key] ?? 0
        let part = self.random(0...held)
        exchange.unconsumed[key] = held - part
        end.session.consumed(part, on: stream, now: self.pair.now)
    }

    private func consumeEverything() {
        for exchange in self.exchanges.values {
            for stream in [exchange.opener, exchange.accepter].compactMap({ $0 }) {
                let isOpener = stream === exchange.opener
                let opener = stream.id.rawValue & 1 == 1 ? self.pair.connector : self.pair.edge
                let end = isOpener ? opener : self.pair.other(opener)
                let held = exchange.unconsumed.removeValue(forKey: ObjectIdentifier(stream)) ?? 0
                end.session.consumed(held, on: stream, now: self.pair.now)
            }
            self.finish(exchange)
        }
    }

    // MARK: Invariants

    private func checkBounds() {
        for end in [self.pair.connector, self.pair.edge] {
            let limits = end.session.configuration.limits
            let peerLimits = self.pair.other(end).session.configuration.limits
            #expect(end.session.bufferedBytes <= limits.sessionWindowBytes, "seed \(self.seed)")
            let logged = Int(peerLimits.sessionWindowBytes) + WireLimits.messageBytes
            #expect(end.session.unacknowledgedBytes <= logged, "seed \(self.seed)")
            #expect(end.session.streamCount <= limits.streams + peerLimits.streams)
            #expect(end.failure == nil, "\(String(describing: end.failure)), seed \(self.seed)")
        }
    }

    private func check() {
        #expect(self.configurations.received == self.configurations.sent, "seed \(self.seed)")
        #expect(self.reports.received == self.reports.sent, "seed \(self.seed)")
        for (id, exchange) in self.exchanges.sorted(by: { $0.key < $1.key }) {
            for direction in [exchange.request, exchange.response] {
                let isPrefix = direction.sent.starts(with: direction.received)
                #expect(isPrefix, "stream \(id) out of order, seed \(self.seed)")
                #expect(direction.heads.starts(with: direction.receivedHeads), "seed \(self.seed)")
                let isDue = exchange.isAnswerDue && direction === exchange.response
                guard !exchange.isReset || isDue else { continue }
                #expect(direction.heads == direction.receivedHeads, "seed \(self.seed)")
                let isWhole = direction.received.count == direction.sent.count
                #expect(isWhole, "stream \(id) lost bytes, seed \(self.seed)")
                #expect(direction.didEnd, "stream \(id) has no end, seed \(self.seed)")
                #expect(direction.trailers == direction.receivedTrailers)
            }
        }
        for end in [self.pair.connector, self.pair.edge] {
            #expect(end.session.streamCount == 0, "streams left, seed \(self.seed)")
            #expect(end.session.bufferedBytes == 0, "bytes left, seed \(self.seed)")
            #expect(end.session.unacknowledgedBytes == 0, "log left, seed \(self.seed)")
        }
    }
}
