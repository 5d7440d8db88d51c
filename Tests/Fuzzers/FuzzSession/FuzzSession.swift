import NIOCore
import TunnelSession
import TunnelWire

// A session of either role, fed arbitrary frames between commands of its owner and the passing of
// time. It must not trap; what it buffers stays within its window; a frame makes a bounded number of
// events; after the end it says `closed` once and is silent; what it sends decodes.

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzSession(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 2 else { return 0 }
    let run = Run(Script(UnsafeBufferPointer(start: start, count: count)))
    run.play()
    return 0
}

/// The input as a source of small decisions.
private struct Script {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = Array(bytes)[...] }

    var isOver: Bool { self.bytes.isEmpty }

    mutating func byte() -> UInt8 { self.bytes.popFirst() ?? 0 }

    mutating func take(_ count: Int) -> [UInt8] {
        defer { self.bytes = self.bytes.dropFirst(count) }
        return Array(self.bytes.prefix(count))
    }

    /// Mostly small, sometimes any.
    mutating func number() -> UInt64 {
        let first = self.byte()
        guard first == 0xFF else { return UInt64(first) }
        return self.take(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

private final class Run {
    private var script: Script
    private var session: Session
    private let window: Int
    private var now = Instant(nanoseconds: 1)
    private var streams: [SessionStream] = []
    private var held: [ObjectIdentifier: Int] = [:]
    private var ended: Set<ObjectIdentifier> = []
    private var isOver = false
    private var decoder = FrameDecoder()

    init(_ script: Script) {
        var script = script
        let shape = script.byte()
        var configuration = SessionConfiguration()
        configuration.limits = SessionLimits(
            streams: UInt32(shape >> 1 & 7),
            streamWindowBytes: 1 << UInt32(shape >> 4 & 7) + 3,
            sessionWindowBytes: 1 << UInt32(shape >> 4 & 7) + 5
        )
        let peer = script.byte()
        self.window = Int(configuration.limits.sessionWindowBytes)
        self.session = Session(
            role: shape & 1 == 0 ? .edge : .connector,
            configuration: configuration,
            peerLimits: SessionLimits(
                streams: UInt32(peer & 15),
                streamWindowBytes: peer & 16 == 0 ? .max : UInt32(peer),
                sessionWindowBytes: peer & 32 == 0 ? .max : UInt32(peer & 15)
            ),
            now: self.now
        )
        self.script = script
    }

    func play() {
        while !self.script.isOver {
            self.step(self.script.byte())
            self.takeEvents()
            self.check()
        }
    }

    private func step(_ choice: UInt8) {
        switch choice % 16 {
        case 0...6: self.receive()
        case 7: self.open()
        case 8: self.send(.head)
        case 9: self.send(.data)
        case 10: self.send(choice & 16 == 0 ? .trailers : .end)
        case 11: self.consume()
        case 12: self.reset()
        case 13: self.transmit(target: choice & 16 == 0 ? 600 : WireLimits.messageBytes)
        case 14: self.pass()
        default: self.manage(self.script.byte())
        }
    }

    // MARK: The peer

    private func receive() {
        let types: [FrameType] = [
            .head, .data, .trailers, .reset, .streamCredit, .sessionCredit, .ack, .ping, .pong,
            .drain, .close, .head, .data, .data, .login, .configuration, .report,
            FrameType(rawValue: 0xA2),
        ]
        let choice = self.script.byte()
        let type = types[Int(choice) % types.count]
        let payload = self.payload(of: type)
        let header = FrameHeader(
            type: type,
            flags: FrameFlags(rawValue: choice >> 4),
            stream: self.isOfSession(type) ? .session : StreamID(rawValue: self.script.number()),
            length: payload.readableBytes
        )
        var bytes = ByteBuffer()
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount) {
            header.write(to: $0)
            return FrameHeader.byteCount
        }
        bytes.writeImmutableBuffer(payload)
        var decoder = FrameDecoder()
        decoder.feed(bytes)
        guard let frame = try? decoder.next() else { return }
        let wasOver = self.session.isClosed
        let hadLink = self.session.hasLink
        self.session.linkReceived(now: self.now)
        do throws(WireError) {
            try self.session.receive(frame, now: self.now)
        } catch {
            precondition(!wasOver && hadLink, "a session that is over throws")
            precondition(self.session.closeReason == .protocolError(error))
            precondition(!self.session.wantsToSend(now: self.now), "it speaks after an error")
        }
    }

    private func isOfSession(_ type: FrameType) -> Bool {
        switch type {
        case .sessionCredit, .ack, .ping, .pong, .drain, .close, .login, .configuration, .report:
            true
        default: false
        }
    }

    private func payload(of type: FrameType) -> ByteBuffer {
        switch type {
        case .sessionCredit, .streamCredit, .ack, .ping, .pong:
            return ByteBuffer(integer: self.script.number())
        case .drain: return ByteBuffer()
        case .report where self.script.byte() & 1 == 0:
            let version = self.script.number()
            return ConnectorReport(
                configurationVersion: version,
                unhealthyHostnames: Array(repeating: "a.test", count: Int(version % 9))
            ).payload()
        case .head where self.script.byte() & 1 == 0:
            var head = ByteBuffer(integer: 2 as UInt8)
            head.writeInteger(100 + UInt16(self.script.byte()))
            return head
        case .reset, .close:
            var payload = ByteBuffer(integer: UInt16(self.script.byte()))
            payload.writeInteger(UInt16(self.script.byte() & 1))
            payload.writeBytes(self.script.take(1))
            return payload
        default:
            let count = Int(self.script.number() % UInt64(WireLimits.payloadBytes + 1))
            return ByteBuffer(repeating: 65, count: count)
        }
    }

    // MARK: The owner

    private enum Piece { case head, data, trailers, end }

    private func pick() -> SessionStream? {
        guard !self.streams.isEmpty else { return nil }
        return self.streams[Int(self.script.byte()) % self.streams.count]
    }

    private func open() {
        let head = ByteBuffer(repeating: 1, count: Int(self.script.number() % 65_537))
        let could = self.session.canOpen
        let stream = self.session.open(head: head, now: self.now)
        precondition((stream != nil) == could)
        if let stream { self.streams.append(stream) }
    }

    private func send(_ piece: Piece) {
        guard let stream = self.pick(), !self.ended.contains(ObjectIdentifier(stream)) else {
            return
        }
        switch piece {
        case .head:
            self.session.send(head: ByteBuffer(bytes: [2, 0, 103]), on: stream, now: self.now)
        case .data:
            let bytes = ByteBuffer(repeating: 7, count: Int(self.script.number() % 40_000))
            self.session.send(data: bytes, on: stream, now: self.now)
        case .trailers:
            let bytes = ByteBuffer(repeating: 7, count: Int(self.script.number() % 65_537))
            self.session.send(trailers: bytes, on: stream, now: self.now)
            self.ended.insert(ObjectIdentifier(stream))
        case .end:
            self.session.sendEnd(on: stream, now: self.now)
            self.ended.insert(ObjectIdentifier(stream))
        }
    }

    private func consume() {
        guard let stream = self.pick() else { return }
        let bytes = Int(self.script.number() % 100_000)
        self.session.consumed(bytes, on: stream, now: self.now)
        self.held[ObjectIdentifier(stream), default: 0] -= bytes
    }

    private func reset() {
        guard let stream = self.pick() else { return }
        self.session.reset(stream, code: .cancelled)
        self.streams.removeAll { $0 === stream }
    }

    private func manage(_ choice: UInt8) {
        switch choice % 6 {
        case 0: self.session.linkWasLost(now: self.now)
        case 1, 2:
            self.session.linkWasLost(now: self.now)
            self.decoder = FrameDecoder()
            try? self.session.resume(peerProcessed: self.script.number(), now: self.now)
        case 3: self.session.startDraining()
        case 4: self.sendManagement()
        default:
            guard choice & 0xF0 == 0xF0 else { return }
            self.session.close(.shutdown, reason: String(repeating: "ö", count: Int(choice) * 2))
        }
    }

    private func sendManagement() {
        let number = self.script.number()
        if self.session.role == .edge {
            let text = String(repeating: "t", count: Int(number % 40_000))
            self.session.send(ManagedConfiguration(version: number, text: text))
        } else {
            self.session.send(ConnectorReport(configurationVersion: number))
        }
    }

    private func pass() {
        self.now = self.now + .milliseconds(self.script.number() % 100_000)
        self.session.timePassed(now: self.now)
        if let deadline = self.session.deadline {
            precondition(deadline > self.now, "a deadline that has passed would spin")
        }
    }

    private func transmit(target: Int) {
        var message = [UInt8](repeating: 0, count: WireLimits.messageBytes)
        let wanted = self.session.wantsToSend(now: self.now)
        let count = message.withUnsafeMutableBytes {
            self.session.nextMessage(into: $0, target: target, now: self.now)
        }
        precondition(wanted || count == 0, "it sends unasked")
        do {
            self.decoder.feed(ByteBuffer(bytes: message[..<count]))
            while let frame = try self.decoder.next() {
                precondition(frame.header.flags.rawValue <= 3)
            }
            precondition(self.decoder.pendingBytes == 0, "a message with half a frame")
        } catch {
            preconditionFailure("it sends what does not decode: \(error)")
        }
    }

    // MARK: Invariants

    private func takeEvents() {
        let events = self.session.takeEvents()
        precondition(self.session.takeClosedStreams().allSatisfy(\.isClosed))
        let limit = 8 + 2 * self.streams.count
        precondition(events.count <= limit, "\(events.count) events at once")
        for event in events {
            precondition(!self.isOver, "an event after closed")
            switch event {
            case .opened(let stream): self.streams.append(stream)
            case .reset(let stream, _):
                precondition(stream.isClosed)
                self.streams.removeAll { $0 === stream }
            case .closed: self.isOver = true
            case .data(_, let bytes): precondition(bytes.readableBytes > 0)
            default: break
            }
        }
        precondition(self.isOver == self.session.isClosed, "closed without saying so")
    }

    private func check() {
        guard !self.session.isClosed else {
            precondition(self.session.streamCount == 0, "streams survive the session")
            return
        }
        precondition(self.session.bufferedBytes >= 0 && self.session.bufferedBytes <= self.window)
        let kept = self.session.configuration.maximumUnacknowledgedBytes + WireLimits.messageBytes
        precondition(self.session.unacknowledgedBytes <= kept)
    }
}
