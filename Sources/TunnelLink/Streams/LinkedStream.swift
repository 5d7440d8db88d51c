internal import HTTPSemantics
internal import NIOCore
internal import TunnelSession
internal import TunnelWire

/// A stream that a session carries: the event loop's half of it.
final class LinkedStream: TunnelStream {
    /// Credit is handed back in pieces of at least this, half a new stream's window, and the rest at
    /// the stream's end.
    private static let creditBatchBytes = 32 << 10

    let bridge: LoopBridge
    /// The session's half; see its own words on threads.
    let port: StreamPort

    private var queuedBytes = 0
    /// From the moment when as much waits as may until half of it is sent. Kept, because how much may wait depends on
    /// the other streams: whoever was told to wait is told when to go on.
    private var isFull = false
    private var receivedBytes = 0
    private var consumedBytes = 0
    private var unreportedConsumption = 0
    private var isSendingOver = false
    private var isReceivingOver = false
    private var isReset = false
    /// All that was received counts as consumed.
    private var isReturned = false
    /// Waits for `receivedAll` in the bridge's round.
    var isTouched = false

    init(bridge: LoopBridge, driver: SessionDriver) {
        self.bridge = bridge
        self.port = StreamPort(driver: driver)
        super.init(eventLoop: bridge.eventLoop)
        bridge.load.increment()
    }

    deinit {
        self.finishLoad()
        // The last reference may go on either thread, so this must not touch the loop's outbox.
        guard self.unreturnedBytes > 0, !self.isReturned else { return }
        self.bridge.release(self.port, self.unreturnedBytes)
    }

    override var isWritable: Bool { !self.isFull }

    private var bufferedBytes: Int { Self.bufferedBytes(streams: self.bridge.load.count) }

    override func send(_ part: StreamPart) {
        guard !self.isReset else { return }
        guard !self.isSendingOver else {
            assertionFailure("a piece after the end of a stream")
            return
        }
        do {
            switch part {
            case .request(let head):
                let section = try HeadCodec.encode(head, allocator: self.bridge.allocator)
                self.bridge.queue(.open(self, section))
            case .response(let head):
                let section = try HeadCodec.encode(head, allocator: self.bridge.allocator)
                self.bridge.queue(.head(self, section))
            case .data(let bytes):
                self.queuedBytes += bytes.readableBytes
                if self.queuedBytes >= self.bufferedBytes { self.isFull = true }
                self.bridge.queue(.data(self, bytes))
            case .trailers(let fields):
                let section = try HeadCodec.encode(
                    trailers: fields,
                    allocator: self.bridge.allocator
                )
                self.bridge.queue(.trailers(self, section))
                self.endSending()
            case .end:
                self.bridge.queue(.end(self))
                self.endSending()
            }
        } catch {
            self.fail(.overLimit)
        }
    }

    override func flush() { self.bridge.flush() }

    override func consumed(_ bytes: Int) {
        guard !self.isReturned, bytes > 0 else { return }
        self.consumedBytes += bytes
        self.unreportedConsumption += bytes
        if self.port.isFinished {
            self.reportConsumption(self.unreportedConsumption)
        } else if self.unreportedConsumption >= Self.creditBatchBytes {
            self.reportConsumption(self.unreportedConsumption)
            self.bridge.flush()
        }
    }

    override func reset(_ code: ResetCode) {
        guard !self.isReset else { return }
        self.isReset = true
        self.isReturned = true
        self.delegate = nil
        self.bridge.queue(.reset(self, code))
        self.reportConsumption(self.unreturnedBytes)
        self.bridge.flush()
        self.finishLoad()
    }

    // MARK: What arrives

    func receive(_ delivery: LoopBridge.Delivery) {
        guard !self.isReset else { return }
        switch delivery {
        case .head(_, let section): self.receiveHead(section)
        case .data(_, let bytes):
            self.receivedBytes += bytes.readableBytes
            self.delegate?.received(.data(bytes), on: self)
        case .trailers(_, let section):
            guard let fields = try? HeadCodec.decode(trailers: section) else {
                return self.fail(.malformedMessage)
            }
            self.isReceivingOver = true
            self.delegate?.received(.trailers(fields), on: self)
            self.finishIfComplete()
        case .ended:
            guard !self.isReceivingOver else { return }
            self.isReceivingOver = true
            self.delegate?.received(.end, on: self)
            self.finishIfComplete()
        case .sent(_, let bytes):
            self.queuedBytes -= bytes
            guard self.isFull, self.queuedBytes <= self.bufferedBytes / 2 else { return }
            self.isFull = false
            self.delegate?.becameWritable(self)
        case .reset(_, let code):
            self.isReset = true
            let delegate = self.delegate
            self.delegate = nil
            self.finishLoad()
            delegate?.wasReset(self, code: code)
        case .away: self.delegate?.sessionIsAway(self)
        case .opened: break
        }
    }

    private func receiveHead(_ section: ByteBuffer) {
        switch try? HeadCodec.decode(section) {
        case .request(let head): self.delegate?.received(.request(head), on: self)
        case .response(let head): self.delegate?.received(.response(head), on: self)
        case nil: self.fail(.malformedMessage)
        }
    }

    /// Resets the stream for both sides.
    private func fail(_ code: ResetCode) {
        let delegate = self.delegate
        self.reset(code)
        delegate?.wasReset(self, code: code)
    }

    private func endSending() {
        self.isSendingOver = true
        self.finishIfComplete()
    }

    private func finishIfComplete() {
        guard self.isSendingOver, self.isReceivingOver else { return }
        self.finishLoad()
        self.reportConsumption(self.unreportedConsumption)
    }

    private func finishLoad() {
        guard !self.port.isFinished else { return }
        self.port.isFinished = true
        self.port.driver.load.decrement()
        self.bridge.load.decrement()
    }

    private var unreturnedBytes: Int {
        self.receivedBytes - (self.consumedBytes - self.unreportedConsumption)
    }

    private func reportConsumption(_ bytes: Int) {
        guard bytes > 0 else { return }
        self.consumedBytes += bytes - self.unreportedConsumption
        self.unreportedConsumption = 0
        if self.port.isFinished {
            self.bridge.queueIdly(.consumed(self, bytes))
        } else {
            self.bridge.queue(.consumed(self, bytes))
        }
    }
}

/// What the session's thread keeps of a stream.
///
/// SAFETY: `session` belongs to the transport's turns, `isFinished` to the stream's event loop, or to
/// whoever has let go of the stream last; the rest is constant.
final class StreamPort: @unchecked Sendable {
    let driver: SessionDriver
    var session: SessionStream?
    var isFinished = false

    init(driver: SessionDriver) { self.driver = driver }
}
