import NIOCore
import TunnelWire

@testable import TunnelLink

/// What a test puts behind a stream.
protocol ScriptedStreamEnd: AnyObject {
    var isWritable: Bool { get }
    func sent(_ part: StreamPart, on stream: TunnelStream)
    func flushed(_ stream: TunnelStream)
    func consumed(_ bytes: Int, on stream: TunnelStream)
    func reset(_ stream: TunnelStream, code: ResetCode)
}

/// A stream that no session carries: its other end is a test's.
final class ScriptedStream: TunnelStream {
    var end: (any ScriptedStreamEnd)?
    private var isReset = false
    private var isEnded = false

    override init(eventLoop: any EventLoop) { super.init(eventLoop: eventLoop) }

    override var isWritable: Bool { self.end?.isWritable ?? true }

    override func send(_ part: StreamPart) {
        assert(!self.isReset && !self.isEnded, "send after end or reset")
        switch part {
        case .end, .trailers: self.isEnded = true
        default: break
        }
        self.end?.sent(part, on: self)
    }

    override func flush() { self.end?.flushed(self) }

    override func consumed(_ bytes: Int) { self.end?.consumed(bytes, on: self) }

    override func reset(_ code: ResetCode) {
        guard !self.isReset else { return }
        self.isReset = true
        self.end?.reset(self, code: code)
    }

    /// The connector resets the stream.
    func peerReset(_ code: ResetCode) {
        guard !self.isReset else { return }
        self.isReset = true
        self.delegate?.wasReset(self, code: code)
    }
}
