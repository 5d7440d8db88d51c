import NIOCore

/// One timer of a connection, armed lazily: moving the deadline back costs a store, not a timer.
///
/// Confined to its event loop.
final class DeadlineTimer {
    private let eventLoop: any EventLoop
    private let fired: () -> Void
    private var deadline: NIODeadline?
    private var armedFor: NIODeadline?
    private var callback: NIOScheduledCallback?

    /// - Parameters:
    ///   - eventLoop: The one everything is called on.
    ///   - fired: Called once when a deadline has passed; it may set the next one.
    init(eventLoop: any EventLoop, fired: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.fired = fired
    }

    /// Replaces the deadline; nil for none.
    func set(_ deadline: NIODeadline?) {
        self.deadline = deadline
        guard let deadline else { return }
        if let armedFor, armedFor <= deadline { return }
        self.arm(deadline)
    }

    /// Forgets deadline and timer: the connection is gone.
    func cancel() {
        self.deadline = nil
        self.armedFor = nil
        self.callback?.cancel()
        self.callback = nil
    }

    private func arm(_ deadline: NIODeadline) {
        self.callback?.cancel()
        self.armedFor = deadline
        let handler = Handler(timer: NIOLoopBound(self, eventLoop: self.eventLoop))
        self.callback = try? self.eventLoop.scheduleCallback(at: deadline, handler: handler)
    }

    fileprivate func expire() {
        self.armedFor = nil
        self.callback = nil
        guard let deadline else { return }
        if NIODeadline.now() < deadline {
            self.arm(deadline)
        } else {
            self.deadline = nil
            self.fired()
        }
    }

    private struct Handler: NIOScheduledCallbackHandler, Sendable {
        let timer: NIOLoopBound<DeadlineTimer>

        func handleScheduledCallback(eventLoop: some EventLoop) { self.timer.value.expire() }
    }
}

@available(*, unavailable)
extension DeadlineTimer: Sendable {}
