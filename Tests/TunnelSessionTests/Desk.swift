import NIOCore
import TunnelSession
import TunnelWire

/// One session on a desk: frames in, events and frames out, each as a short text, so that a test is a
/// conversation that can be read.
///
/// Time stands still unless the test passes it. What the session sends is written as
/// `DATA 1 END 5` (type, stream, flags, payload bytes), numbers of integer frames as `ACK =3`.
final class Desk {
    var session: Session
    var now = Instant(nanoseconds: 1_000_000_000)
    private var decoder = FrameDecoder()
    /// Each stream that was opened, by either side.
    var streams: [UInt64: SessionStream] = [:]

    init(
        _ role: SessionRole = .edge,
        _ configuration: SessionConfiguration = SessionConfiguration(),
        peer: SessionLimits = SessionConfiguration().limits,
        quiet: Bool = true
    ) {
        self.session = Session(
            role: role,
            configuration: configuration,
            peerLimits: peer,
            now: self.now
        )
        // The first PING of a link is of no interest to most tests.
        if quiet { _ = self.send() }
    }

    // MARK: The peer

    /// Hands frames to the session; the events that come of it, or the error.
    @discardableResult
    func receive(_ frames: TestFrame...) -> [String] {
        for frame in frames {
            do {
                self.session.linkReceived(now: self.now)
                try self.session.receive(frame.decoded(), now: self.now)
            } catch {
                return self.events() + ["throws \(error.kind)"]
            }
        }
        return self.events()
    }

    func events() -> [String] {
        defer { _ = self.session.takeClosedStreams() }
        return self.session.takeEvents().map { event in
            if case .opened(let stream) = event { self.streams[stream.id.rawValue] = stream }
            return "\(event)"
        }
    }

    // MARK: The owner

    @discardableResult
    func open(_ text: String = "", owner: AnyObject? = nil) -> SessionStream? {
        let stream = self.session.open(head: .request(text), owner: owner, now: self.now)
        if let stream { self.streams[stream.id.rawValue] = stream }
        return stream
    }

    func data(_ count: Int, on stream: SessionStream) {
        self.session.send(data: ByteBuffer(repeating: 9, count: count), on: stream, now: self.now)
    }

    func answer(_ status: UInt16 = 200, on stream: SessionStream) {
        self.session.send(head: .response(status), on: stream, now: self.now)
    }

    func end(_ stream: SessionStream) { self.session.sendEnd(on: stream, now: self.now) }

    // MARK: What goes out

    var deadline: Instant? { self.session.deadline }

    var wantsToSend: Bool { self.session.wantsToSend(now: self.now) }

    /// One message, as texts.
    func message(target: Int = WireLimits.messageBytes) -> [String] {
        self.rawMessage(target: target).map(\.text)
    }

    func rawMessage(target: Int = WireLimits.messageBytes) -> [FrameDecoder.Frame] {
        var message = [UInt8](repeating: 0, count: WireLimits.messageBytes)
        let count = message.withUnsafeMutableBytes {
            self.session.nextMessage(into: $0, target: target, now: self.now)
        }
        self.decoder.feed(ByteBuffer(bytes: message[..<count]))
        var frames: [FrameDecoder.Frame] = []
        while let frame = try? self.decoder.next() { frames.append(frame) }
        return frames
    }

    /// Messages until there are none.
    func send() -> [String] {
        var all: [String] = []
        while case let texts = self.message(), !texts.isEmpty { all += texts }
        return all
    }

    func pass(_ interval: Interval) {
        self.now = self.now + interval
        self.session.timePassed(now: self.now)
    }
}

extension FrameDecoder.Frame {
    var text: String {
        var text = "\(self.header.type)"
        if self.header.stream != .session { text += " \(self.header.stream)" }
        if self.header.flags.contains(.end) { text += " END" }
        if self.header.flags.contains(.more) { text += " MORE" }
        switch self.header.type {
        case .ack, .streamCredit, .sessionCredit, .ping, .pong:
            let value = self.payload.getInteger(at: self.payload.readerIndex, as: UInt64.self) ?? 0
            return text + " =\(value)"
        case .reset:
            let code = self.payload.getInteger(at: self.payload.readerIndex, as: UInt16.self) ?? 0
            return text + " \(ResetCode(rawValue: code))"
        case .drain, .close: return text
        default: return text + " \(self.header.length)"
        }
    }
}

/// A frame as a peer would send it, well-formed or not.
struct TestFrame {
    var type: FrameType
    var stream: UInt64 = 0
    var flags: FrameFlags = []
    var payload = ByteBuffer()

    func decoded() throws(WireError) -> FrameDecoder.Frame {
        let header = FrameHeader(
            type: self.type,
            flags: self.flags,
            stream: StreamID(rawValue: self.stream),
            length: self.payload.readableBytes
        )
        var bytes = ByteBuffer()
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount) {
            header.write(to: $0)
            return FrameHeader.byteCount
        }
        bytes.writeImmutableBuffer(self.payload)
        var decoder = FrameDecoder()
        decoder.feed(bytes)
        guard let frame = try decoder.next() else { throw WireError(.malformed, "half a frame") }
        return frame
    }

    static func head(
        _ stream: UInt64,
        _ flags: FrameFlags = [],
        _ section: ByteBuffer = .request()
    ) -> TestFrame {
        TestFrame(type: .head, stream: stream, flags: flags, payload: section)
    }
    static func answer(
        _ stream: UInt64,
        _ status: UInt16 = 200,
        _ flags: FrameFlags = []
    ) -> TestFrame {
        .head(stream, flags, .response(status))
    }
    static func data(_ stream: UInt64, _ count: Int, _ flags: FrameFlags = []) -> TestFrame {
        TestFrame(
            type: .data,
            stream: stream,
            flags: flags,
            payload: ByteBuffer(repeating: 1, count: count)
        )
    }
    static func trailers(_ stream: UInt64, _ count: Int = 0, _ flags: FrameFlags = []) -> TestFrame
    {
        TestFrame(
            type: .trailers,
            stream: stream,
            flags: flags,
            payload: ByteBuffer(repeating: 1, count: count)
        )
    }
    static func reset(_ stream: UInt64, _ code: ResetCode = .cancelled) -> TestFrame {
        var payload = ByteBuffer()
        payload.writeMultipleIntegers(code.rawValue, 0 as UInt16)
        return TestFrame(type: .reset, stream: stream, payload: payload)
    }
    static func configuration(_ bytes: [UInt8], more: Bool = false) -> TestFrame {
        let flags: FrameFlags = more ? .more : []
        return TestFrame(type: .configuration, flags: flags, payload: ByteBuffer(bytes: bytes))
    }
    static func report(_ bytes: [UInt8], more: Bool = false) -> TestFrame {
        let flags: FrameFlags = more ? .more : []
        return TestFrame(type: .report, flags: flags, payload: ByteBuffer(bytes: bytes))
    }
    static func close(_ code: CloseCode, _ reason: String) -> TestFrame {
        var payload = ByteBuffer()
        payload.writeMultipleIntegers(code.rawValue, UInt16(reason.utf8.count))
        payload.writeString(reason)
        return TestFrame(type: .close, payload: payload)
    }
    static func credit(_ stream: UInt64, _ limit: UInt64) -> TestFrame {
        TestFrame(type: .streamCredit, stream: stream, payload: ByteBuffer(integer: limit))
    }
    static func sessionCredit(_ limit: UInt64) -> TestFrame {
        TestFrame(type: .sessionCredit, payload: ByteBuffer(integer: limit))
    }
    static func ack(_ count: UInt64) -> TestFrame {
        TestFrame(type: .ack, payload: ByteBuffer(integer: count))
    }
    static func ping(_ value: UInt64) -> TestFrame {
        TestFrame(type: .ping, payload: ByteBuffer(integer: value))
    }
    static func pong(_ value: UInt64) -> TestFrame {
        TestFrame(type: .pong, payload: ByteBuffer(integer: value))
    }
    static let drain = TestFrame(type: .drain)
    static func other(_ raw: UInt8) -> TestFrame { TestFrame(type: FrameType(rawValue: raw)) }
}

extension SessionConfiguration {
    /// Small limits.
    static func small(
        streams: UInt32 = 4,
        stream: UInt32 = 1_000,
        session: UInt32 = 10_000
    ) -> SessionConfiguration {
        var configuration = SessionConfiguration()
        configuration.limits = SessionLimits(
            streams: streams,
            streamWindowBytes: stream,
            sessionWindowBytes: session
        )
        return configuration
    }
}
