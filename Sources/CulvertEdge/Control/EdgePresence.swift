internal import ControlAPI
internal import ControlServer
internal import CulvertControl
internal import HTTPSemantics
internal import TunnelLink
internal import TunnelSession
internal import TunnelWire

/// The connectors of this edge, as its API shows them.
struct EdgePresence: TunnelPresence {
    let control: Control
    let directory: TunnelDirectory
    let endpoint: EdgeEndpoint
    let events: TunnelEvents

    func connectors(of tunnel: TunnelID) async -> [ConnectorDocument] {
        let registry = await self.control.registry
        return self.directory.services(of: .stored(tunnel)).map { service in
            let problems = service.report.configurationProblems
            return ConnectorDocument(
                id: "\(service.session.id)",
                agent: service.agent,
                address: service.address,
                connectedAt: service.since,
                state: service.session.availability.name,
                streams: service.session.load.count,
                hostnames: service.hosts.isEmpty ? nil : service.hosts.map(\.name).sorted(),
                tcpPorts: service.ports.isEmpty ? nil : service.ports.sorted(),
                key: registry.key(service.publicKey)?.label ?? "",
                configurationVersion: service.report.configurationVersion.map(Int.init(clamping:)),
                configurationProblem: problems.isEmpty ? nil : problems.joined(separator: "\n"),
                unhealthyHostnames: service.unhealthy.isEmpty
                    ? nil : service.unhealthy.map(\.description).sorted()
            )
        }
    }

    func holder(of host: NormalizedHost) -> LiveHolder? {
        switch self.directory.holder(of: host) {
        case nil: nil
        case .declared: .declared
        case .stored(let tunnel): .tunnel(tunnel)
        }
    }

    func events(of tunnel: TunnelID) -> AsyncStream<EventDocument?>? {
        self.events.watch(.stored(tunnel))
    }

    func disconnect(_ tunnel: TunnelID) async {
        let ids = Set(self.directory.services(of: .stored(tunnel)).map(\.session.id))
        self.endpoint.closeSessions(.shutdown, reason: "ended by `culvert tunnel cleanup`") {
            ids.contains($0.id)
        }
    }
}

extension SessionAvailability {
    fileprivate var name: String {
        switch self {
        case .connected: "connected"
        case .waiting: "waiting"
        case .draining: "draining"
        case .closed: "closed"
        }
    }
}
