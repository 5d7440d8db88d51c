import HTTPSemantics
import NIOCore
import TunnelLink
import TunnelWire

/// A stream of the tunnel that an exchange has taken over: whose request it is, and the record of what becomes
/// of it.
///
/// Confined to the stream's event loop.
struct ClaimedStream {
    let stream: TunnelStream
    /// The request's, without what was for this end.
    var head: RequestHead
    let target: OriginTarget
    unowned let dispatcher: OriginDispatcher
    var record: ExchangeRecord
    fileprivate(set) var isFinished = false
    private let started = NIODeadline.now()

    init(
        _ stream: TunnelStream,
        head: RequestHead,
        target: OriginTarget,
        dispatcher: OriginDispatcher
    ) {
        self.stream = stream
        self.head = head
        self.target = target
        self.dispatcher = dispatcher
        self.record = ExchangeRecord(
            method: head.method,
            host: head.authority,
            hostname: target.hostname,
            path: head.path,
            origin: target.name
        )
    }

    /// The record, complete.
    fileprivate mutating func finish() -> ExchangeRecord {
        self.isFinished = true
        self.record.durationNanoseconds = (NIODeadline.now() - self.started).nanoseconds
        return self.record
    }
}

/// Whatever answers one stream's request. The dispatcher keeps it until it ends, and it ends once: by itself,
/// given up here, or reset by the edge. Afterwards what still comes is dropped.
///
/// Confined to the stream's event loop.
protocol StreamExchange: TunnelStreamDelegate {
    var claim: ClaimedStream { get set }
    /// Takes up the request's head.
    func begin()
    /// Lets go at once of whatever answers, or was to.
    func leaveOrigin()
    /// Settles what is left between it and the stream, just before it ends.
    func settleRest()
}

extension StreamExchange {
    var stream: TunnelStream { self.claim.stream }
    var head: RequestHead { self.claim.head }
    var target: OriginTarget { self.claim.target }
    var dispatcher: OriginDispatcher { self.claim.dispatcher }
    var isFinished: Bool { self.claim.isFinished }

    func leaveOrigin() {}

    func settleRest() {}

    func wasReset(_ stream: TunnelStream, code: ResetCode) {
        guard !self.isFinished else { return }
        self.claim.record.failure = OriginFailure(code, "reset by the edge")
        self.leaveOrigin()
        self.finish()
    }

    /// Gives the stream up and says why; the origin is left at once.
    func fail(_ code: ResetCode, _ detail: String) {
        guard !self.isFinished else { return }
        self.claim.record.failure = OriginFailure(code, detail)
        self.leaveOrigin()
        self.stream.reset(code)
        self.stream.flush()
        self.finish()
    }

    /// Both directions are over, or given up: the record is told.
    func finish() {
        self.settleRest()
        let record = self.claim.finish()
        self.dispatcher.ended(self, record)
    }
}
