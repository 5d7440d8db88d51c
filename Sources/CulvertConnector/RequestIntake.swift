internal import HTTPSemantics
internal import NIOCore
internal import Synchronization
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
    private let routes: Mutex<OriginRoutes>
    let tls = OriginTLSContexts()
    private let onRecord: @Sendable (ExchangeRecord) -> Void

    init(
        group: any EventLoopGroup,
        rules: IngressRules,
        onRecord: @escaping @Sendable (ExchangeRecord) -> Void
    ) {
        self.routes = Mutex(OriginRoutes(rules))
        self.onRecord = onRecord
        self.loops = group.makeIterator().map {
            NIOLoopBoundBox.makeEmptyBox(valueType: LoopIntake.self, eventLoop: $0)
        }
    }

    /// Has requests that come from now on go where `rules` say; those under way go on.
    func replace(_ rules: IngressRules) {
        let routes = self.routes.withLock { routes in
            routes = OriginRoutes(rules, after: routes)
            return routes
        }
        for box in self.loops { box.eventLoop.execute { box.value?.routes = routes } }
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
        let made = LoopIntake(routes: self.routes.withLock { $0 }, dispatcher: dispatcher)
        box.value = made
        return made
    }
}

/// The rules, and the origin of each.
private struct OriginRoutes: Sendable {
    let rules: IngressRules
    /// Beside the rules, in their order.
    private let targets: [OriginTarget]

    /// A rule's origin that `former` has already stays the same, and keeps its connections.
    init(_ rules: IngressRules, after former: OriginRoutes? = nil) {
        self.rules = rules
        var known = former?.targets ?? []
        self.targets = rules.rules.map { rule in
            let hostname = rule.hostname?.description ?? "*"
            let place = known.firstIndex {
                $0.service == rule.service && $0.options == rule.originRequest
                    && $0.hostname == hostname
            }
            return place.map { known.remove(at: $0) }
                ?? OriginTarget(
                    service: rule.service,
                    options: rule.originRequest,
                    hostname: hostname
                )
        }
    }

    func target(of head: RequestHead) -> OriginTarget {
        let host = try? NormalizedAuthority(head.authority).host
        return self.targets[self.rules.match(host: host, path: head.path).index]
    }
}

/// The intake of one event loop: the delegate of streams whose request has not come yet.
private final class LoopIntake: TunnelStreamDelegate {
    var routes: OriginRoutes
    private let dispatcher: OriginDispatcher

    init(routes: OriginRoutes, dispatcher: OriginDispatcher) {
        self.routes = routes
        self.dispatcher = dispatcher
    }

    func received(_ part: StreamPart, on stream: TunnelStream) {
        guard case .request(let head) = part else { return stream.reset(.streamProtocolError) }
        self.dispatcher.begin(stream, head: head, target: self.routes.target(of: head))
    }

    func receivedAll(on stream: TunnelStream) {}

    func becameWritable(_ stream: TunnelStream) {}

    func wasReset(_ stream: TunnelStream, code: ResetCode) {}
}
