internal import DequeModule
internal import NIOCore
internal import TunnelWire

/// A counted frame as it waits in the ``SendLog``, without its own number: that is its place.
struct LoggedFrame {
    enum Payload {
        case none
        case integer(UInt64)
        case bytes(ByteBuffer)
    }

    var type: FrameType
    var flags: FrameFlags
    var stream: StreamID
    var payload: Payload

    /// Bytes on the wire, header included.
    var byteCount: Int { FrameHeader.byteCount + self.payloadBytes }

    var payloadBytes: Int {
        switch self.payload {
        case .none: 0
        case .integer: 8
        case .bytes(let buffer): buffer.readableBytes
        }
    }

    /// Writes header and payload to the start of `target`, which holds at least ``byteCount`` bytes.
    func write(to target: UnsafeMutableRawBufferPointer) {
        FrameHeader(type: type, flags: flags, stream: stream, length: self.payloadBytes)
            .write(to: target)
        let rest = UnsafeMutableRawBufferPointer(rebasing: target[FrameHeader.byteCount...])
        switch self.payload {
        case .none: break
        case .integer(let value): rest.storeBytes(of: value.bigEndian, as: UInt64.self)
        case .bytes(let buffer): buffer.withUnsafeReadableBytes { rest.copyMemory(from: $0) }
        }
    }
}

/// The counted frames that the peer has not acknowledged, and how far this link has sent them.
///
/// Frame numbers begin at 1 and are implicit: `acknowledged` is the number of the last frame
/// dropped. Bounded by ``isFull``: then nothing new is added until the peer acknowledges.
struct SendLog {
    /// Frames that may wait; a peer that acknowledges as the protocol asks never lets it come to this.
    static let maximumFrames = 65_536
    /// Bytes of frames other than DATA that may wait: heads, which no credit limits.
    static let maximumOtherBytes = 8 << 20

    private var frames = Deque<LoggedFrame>()
    /// Counted frames that the peer has processed.
    private(set) var acknowledged: UInt64 = 0
    /// Frames of the log that this link has sent.
    private var transmitted = 0
    /// DATA payload that waits for acknowledgement.
    private(set) var dataBytes = 0
    private var otherBytes = 0

    /// DATA bytes that may wait before nothing new is added.
    let maximumDataBytes: Int

    init(maximumDataBytes: Int) { self.maximumDataBytes = maximumDataBytes }

    var count: Int { self.frames.count }

    /// Counted frames ever added.
    var total: UInt64 { self.acknowledged + UInt64(self.frames.count) }

    var isFull: Bool {
        self.frames.count >= Self.maximumFrames || self.dataBytes > self.maximumDataBytes
            || self.otherBytes > Self.maximumOtherBytes
    }

    /// The next frame this link has not sent.
    var next: LoggedFrame? {
        self.transmitted < self.frames.count ? self.frames[self.transmitted] : nil
    }

    var hasUntransmitted: Bool { self.transmitted < self.frames.count }

    mutating func append(_ frame: LoggedFrame) {
        self.count(frame, sign: 1)
        self.frames.append(frame)
    }

    mutating func advance() { self.transmitted += 1 }

    /// Drops what the peer has processed.
    ///
    /// - Throws: `badCount` when `count` is below an earlier one or beyond what this link sent.
    mutating func acknowledge(_ count: UInt64) throws(WireError) {
        let limit = self.acknowledged + UInt64(self.transmitted)
        guard count >= self.acknowledged, count <= limit else {
            throw WireError(
                .badCount,
                "acknowledgement of frame \(count) outside \(self.acknowledged)...\(limit)"
            )
        }
        self.drop(Int(count - self.acknowledged))
    }

    /// Goes back to the first frame that the peer, by its own count, has not processed.
    ///
    /// - Throws: `badCount` when the peer claims more than was ever sent, or less than it had
    ///   acknowledged; the session cannot go on.
    mutating func rewind(toProcessed count: UInt64) throws(WireError) {
        guard count >= self.acknowledged, count <= self.total else {
            throw WireError(
                .badCount,
                "resume at frame \(count) outside \(self.acknowledged)...\(self.total)"
            )
        }
        self.transmitted = self.frames.count
        self.drop(Int(count - self.acknowledged))
        self.transmitted = 0
    }

    private mutating func count(_ frame: LoggedFrame, sign: Int) {
        if frame.type == .data {
            self.dataBytes += sign * frame.payloadBytes
        } else {
            self.otherBytes += sign * frame.byteCount
        }
    }

    private mutating func drop(_ count: Int) {
        for _ in 0..<count {
            self.count(self.frames.removeFirst(), sign: -1)
        }
        self.acknowledged += UInt64(count)
        self.transmitted -= count
    }
}
