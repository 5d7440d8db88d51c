import NIOCore
import TunnelWire

@testable import TunnelLink

/// A stream that no session carries: what is done to it goes to a recorder.
final class RecordedStream: TunnelStream {
    var isOpenForMore = true
    var onSend: ((StreamPart) -> Void)?
    var onFlush: (() -> Void)?
    var onConsumed: ((Int) -> Void)?
    var onReset: ((ResetCode) -> Void)?

    override init(eventLoop: any EventLoop) { super.init(eventLoop: eventLoop) }

    override var isWritable: Bool { self.isOpenForMore }

    override func send(_ part: StreamPart) { self.onSend?(part) }

    override func flush() { self.onFlush?() }

    override func consumed(_ bytes: Int) { self.onConsumed?(bytes) }

    override func reset(_ code: ResetCode) { self.onReset?(code) }
}
