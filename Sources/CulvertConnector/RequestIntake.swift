internal import HTTPSemantics
internal import NIOCore
internal import TunnelLink
internal import TunnelWire

/// Takes the edge's streams, and gives each request to the origin that the ingress rules name.
///
/// The connector believes nothing of the edge beyond these rules: what they do not name cannot be
/// reached.
///
/// Any thread makes it; each loop's part is made on that loop when its first stream comes.
final class RequestIntake: StreamAcceptor {
    private let loops: [NIOLoopBoundBox<LoopIntake?>]
    private let rules: IngressRules
    /// Beside the rules, in their order.
    private let targets: [OriginTarget]
    private let tls = OriginTLSContexts()
    private let onRecord: @Sendable (ExchangeRecord) -> Void

    init(
        group: any EventLoopGroup,
        rules: IngressRules,
        onRecord: @escaping @Sendable (ExchangeRecord) -> Void
    ) {
        self.rules = rules
        self.onRecord = onRecord
        self.targets = rules.rules.map {
            OriginTarget(
                service: $0.service,
                options: $0.originRequest,
                hostname: $0.hostname?.description ?? "*"
            )
        }
        self.loops = group.makeIterator().map {
            NIOLoopBoundBox.makeEmptyBox(valueType: LoopIntake.self, eventLoop: $0)
        }
    }

    func accept(_ stream: TunnelStream) {
        guard let box = self.loops.first(where: { $0.eventLoop === stream.eventLoop }) else {
            return stream.reset(.internalError)
        }
        stream.delegate = self.intake(in: box)
    }

    private func intake(in box: NIOLoopBoundBox<LoopIntake?>) -> LoopIntake {
        if let intake = box.value { return intake }
        let dispatcher = OriginDispatcher(
            eventLoop: box.eventLoop,
            tlsContexts: self.tls,
            loopCount: self.loops.count,
            onRecord: self.onRecord
        )
        let made = LoopIntake(rules: self.rules, targets: self.targets, dispatcher: dispatcher)
        box.value = made
        return made
    }
}

/// The intake of one event loop: the delegate of streams whose request has not come yet.
private final class LoopIntake: TunnelStreamDelegate {
    private let rules: IngressRules
    /// Beside the rules, in their order.
    private let targets: [OriginTarget]
    private let dispatcher: OriginDispatcher

    init(rules: IngressRules, targets: [OriginTarget], dispatcher: OriginDispatcher) {
        self.rules = rules
        self.targets = targets
        self.dispatcher = dispatcher
    }

    func received(_ part: StreamPart, on stream: TunnelStream) {
        guard case .request(let head) = part else { return stream.reset(.streamProtocolError) }
        let host = try? NormalizedAuthority(head.authority).host
        let match = self.rules.match(host: host, path: head.path)
        self.dispatcher.begin(stream, head: head, target: self.targets[match.index])
    }

    func receivedAll(on stream: TunnelStream) {}

    func becameWritable(_ stream: TunnelStream) {}

    func wasReset(_ stream: TunnelStream, code: ResetCode) {}
}
