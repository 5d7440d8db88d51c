package import ControlAPI

/// Tunnels for people to read.
package enum TunnelText {
    /// A line for each tunnel; with `owners` whose it is.
    package static func list(
        _ tunnels: [TunnelDocument],
        owners: Bool,
        _ time: LocalTime
    ) -> String {
        let owner = owners ? ["OWNER"] : []
        var table = TextTable(
            ["ID", "NAME"] + owner + ["CREATED", "CONNECTORS", "HOSTNAMES"]
        )
        for tunnel in tunnels {
            let owner = owners ? [tunnel.owner] : []
            table.add(
                [tunnel.id, tunnel.name] + owner
                    + [
                        time.minute(tunnel.createdAt), "\(tunnel.connectors.count)",
                        tunnel.hostnames.joined(separator: ", "),
                    ]
            )
        }
        return table.text
    }

    /// All there is to know of a tunnel.
    package static func details(_ tunnel: TunnelDocument, _ time: LocalTime) -> String {
        var list = TextList()
        list.add("Name", tunnel.name)
        list.add("ID", tunnel.id)
        list.add("Owner", tunnel.owner)
        list.add("Created", time.minute(tunnel.createdAt))
        list.add("Hostnames", tunnel.hostnames.isEmpty ? ["none"] : Self.hostnames(tunnel))
        if let version = tunnel.configurationVersion {
            list.add("Configuration", "version \(version), kept by the edge")
        }
        let connectors =
            tunnel.connectors.isEmpty
            ? "No connector serves it now."
            : Self.connectors(tunnel.connectors, tunnel.configurationVersion, time)
        return [list.text, connectors, Self.keys(tunnel.keys, time)].joined(separator: "\n\n")
    }

    /// A line for each hostname; of one that does not lead to the tunnel, why.
    package static func routes(_ tunnel: TunnelDocument) -> String {
        Self.hostnames(tunnel) { Self.obstacles($0) }.joined(separator: "\n")
    }

    /// The hostnames, with what there is to say of them: how their requests are shared out, where that is not by
    /// the fewest under way, and what keeps visitors from the tunnel.
    private static func hostnames(_ tunnel: TunnelDocument) -> [String] {
        Self.hostnames(tunnel) { route in
            let balance = route.balance.flatMap { $0 == "least-requests" ? nil : $0 }
            return [balance].compactMap(\.self) + Self.obstacles(route)
        }
    }

    private static func hostnames(
        _ tunnel: TunnelDocument,
        remarks: (HostnameDocument) -> [String]
    ) -> [String] {
        let routes = tunnel.routes ?? []
        return tunnel.hostnames.map { hostname in
            let remarks = routes.first { $0.hostname == hostname }.map(remarks) ?? []
            return remarks.isEmpty
                ? hostname : "\(hostname) (\(remarks.joined(separator: ", ")))"
        }
    }

    private static func obstacles(_ route: HostnameDocument) -> [String] {
        (route.isDeclared == true ? ["declared in edge.yml: leads to the tunnel there"] : [])
            + (route.hasCertificate == false ? ["no certificate"] : [])
    }

    /// What visitors of a hostname will see for which the edge has no certificate, and what to do; nil when it has
    /// one.
    package static func certificateProblem(
        _ route: HostnameDocument,
        _ edge: EdgeDocument
    ) -> String? {
        guard route.hasCertificate == false else { return nil }
        let name = route.hostname
        let parent =
            name.hasPrefix("*.")
            ? String(name.dropFirst(2))
            : name.split(separator: ".").dropFirst().joined(separator: ".")
        let other = edge.domain.map { ", or take a name right below \($0)" } ?? ""
        return
            "No certificate of the edge is for \(name): browsers will show an error instead of it. Have one for "
            + "\(name == "*.\(parent)" ? name : "\(name) or *.\(parent)") added to `tls` in the edge's edge.yml (a wildcard is for one label "
            + "only)\(other)."
    }

    private static func connectors(
        _ connectors: [ConnectorDocument],
        _ version: Int?,
        _ time: LocalTime
    ) -> String {
        let isManaged = version != nil || connectors.contains { $0.configurationVersion != nil }
        let isUnhealthy = connectors.contains { $0.unhealthyHostnames?.isEmpty == false }
        var table = TextTable(
            ["CONNECTOR", "ADDRESS", "AGENT", "SINCE", "STATE", "REQUESTS", "KEY"]
                + (isManaged ? ["CONFIGURATION"] : []) + (isUnhealthy ? ["UNHEALTHY"] : [])
        )
        for connector in connectors {
            let unhealthy = connector.unhealthyHostnames ?? []
            table.add(
                [
                    connector.id, connector.address ?? "-", connector.agent,
                    time.minute(connector.connectedAt), connector.state, "\(connector.streams)",
                    connector.key,
                ] + (isManaged ? [Self.configuration(connector)] : [])
                    + (isUnhealthy
                        ? [unhealthy.isEmpty ? "-" : unhealthy.joined(separator: ", ")] : [])
            )
        }
        let lists = connectors.map { connector in
            var list = TextList()
            let problems = Self.problems(connector)
            if problems.count > 1 { list.add("Problems of \(connector.id)", problems) }
            return list.text
        }
        return ([table.text] + lists.filter { !$0.isEmpty }).joined(separator: "\n\n")
    }

    /// What runs, with what is wrong with the latest if that is one thing; more does not fit a cell.
    private static func configuration(_ connector: ConnectorDocument) -> String {
        let version = connector.configurationVersion.map { "version \($0)" } ?? "its own"
        let problems = Self.problems(connector)
        guard problems.count < 2 else { return "\(version): \(problems.count) problems, see below" }
        return problems.first.map { "\(version): \($0)" } ?? version
    }

    private static func problems(_ connector: ConnectorDocument) -> [String] {
        (connector.configurationProblem ?? "").split(separator: "\n").map(String.init)
    }

    private static func keys(_ keys: [KeyDocument], _ time: LocalTime) -> String {
        var table = TextTable(["KEY", "LABEL", "CREATED", "EXPIRES", "HOSTNAMES"])
        for key in keys {
            table.add([
                key.name, key.label, time.minute(key.createdAt),
                key.expiresAt.map(time.minute) ?? "never",
                key.hostnames?.joined(separator: ", ") ?? "all",
            ])
        }
        return table.text
    }
}
