import HTTPSemantics
import NIOCore
import TunnelLink
import TunnelWire

/// What one check found.
enum HealthResult: Equatable {
    case passed
    /// Why not, in words for a log.
    case failed(String)
}

/// One check under way. Confined to its event loop.
protocol HealthProbe: AnyObject {
    /// Begins; the completion it was made with is called once, unless it is cancelled.
    func start()
    /// Gives up; nobody is told.
    func cancel()
}

/// A check of an HTTP origin: an exchange like a visitor's, with the rule's own options, over a connection
/// of its own. The answer's body is thrown away as it comes, and no more than ``bodyBytes`` of it is read.
final class HTTPProbe: HealthProbe {
    /// Of an answer that does not end; its head says enough.
    private static let bodyBytes = 64 << 10

    private let target: HealthTarget
    private let eventLoop: any EventLoop
    private let tls: OriginTLSContexts
    private var completion: ((HealthResult) -> Void)?
    private var dispatcher: OriginDispatcher?
    private var stream: LocalStream?
    private var timer: Scheduled<Void>?
    private var receivedBytes = 0
    private var isTimedOut = false

    init(
        _ target: HealthTarget,
        tls: OriginTLSContexts,
        on eventLoop: any EventLoop,
        completion: @escaping (HealthResult) -> Void
    ) {
        self.target = target
        self.tls = tls
        self.eventLoop = eventLoop
        self.completion = completion
    }

    func start() {
        let dispatcher = OriginDispatcher(
            eventLoop: self.eventLoop,
            tlsContexts: self.tls,
            onRecord: { [weak self] in self?.ended($0) }
        )
        let stream = LocalStream(on: self.eventLoop, peer: self)
        self.dispatcher = dispatcher
        self.stream = stream
        let probe = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.timer = self.eventLoop.scheduleTask(in: TimeAmount(self.target.check.timeout)) {
            probe.value.isTimedOut = true
            probe.value.breakOff()
        }
        var options = self.target.options
        // None is kept: that an old connection works says little of new ones.
        options.keepAliveConnections = 0
        // Who may visit is no question for this one.
        options.access = VisitorAccess()
        let origin = OriginTarget(service: self.target.service, options: options)
        dispatcher.begin(stream, head: self.head, target: origin)
        stream.delegate?.received(.end, on: stream)
        stream.delegate?.receivedAll(on: stream)
    }

    func cancel() {
        self.completion = nil
        self.breakOff()
    }

    private var head: RequestHead {
        RequestHead(
            method: "GET",
            scheme: self.target.service.isTLS ? "https" : "http",
            authority: self.target.authority,
            path: self.target.check.path,
            fields: ["User-Agent": "culvert-health-check", "Accept": "*/*"]
        )
    }

    private func breakOff() {
        guard let stream else { return }
        stream.delegate?.wasReset(stream, code: .cancelled)
    }

    private func ended(_ record: ExchangeRecord) {
        self.timer?.cancel()
        self.timer = nil
        // Each keeps the other.
        self.stream = nil
        guard let completion else { return }
        self.completion = nil
        completion(self.result(record))
    }

    private func result(_ record: ExchangeRecord) -> HealthResult {
        if self.isTimedOut {
            return .failed("no whole answer within \(self.target.check.timeout)")
        }
        if let failure = record.failure, self.receivedBytes <= Self.bodyBytes {
            return .failed(failure.detail)
        }
        guard let status = record.status else { return .failed("no answer") }
        return self.target.check.expectedStatus.contains(status)
            ? .passed : .failed("answered \(status)")
    }
}

extension HTTPProbe: LocalStreamPeer {
    func sent(_ part: StreamPart) {
        guard case .data(let bytes) = part else { return }
        self.receivedBytes += bytes.readableBytes
        if self.receivedBytes > Self.bodyBytes { self.breakOff() }
    }

    func consumed(_ bytes: Int) {}

    /// The record that follows says why.
    func wasReset(_ code: ResetCode) {}
}

/// A check of a TCP service: it is connected to.
final class TCPProbe: HealthProbe {
    private var dial: TCPDial?

    init(
        _ target: HealthTarget,
        _ destination: TCPDestination,
        on eventLoop: any EventLoop,
        completion: @escaping (HealthResult) -> Void
    ) {
        var options = target.options
        options.connectTimeout = min(options.connectTimeout, target.check.timeout)
        self.dial = TCPDial(to: destination, options: options, rules: nil, on: eventLoop) {
            [weak self] result in
            self?.dial = nil
            switch result {
            case .success(let connection):
                connection.close()
                completion(.passed)
            case .failure(let failure): completion(.failed(failure.detail))
            }
        }
    }

    func start() { self.dial?.start() }

    func cancel() {
        self.dial?.cancel()
        self.dial = nil
    }
}
