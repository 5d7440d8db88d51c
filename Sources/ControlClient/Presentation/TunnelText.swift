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
        list.add("Hostnames", tunnel.hostnames.isEmpty ? ["none"] : tunnel.hostnames)
        if let version = tunnel.configurationVersion {
            list.add("Configuration", "version \(version), kept by the edge")
        }
        let connectors =
            tunnel.connectors.isEmpty
            ? "No connector serves it now."
            : Self.connectors(tunnel.connectors, tunnel.configurationVersion, time)
        return [list.text, connectors, Self.keys(tunnel.keys, time)].joined(separator: "\n\n")
    }

    private static func connectors(
        _ connectors: [ConnectorDocument],
        _ version: Int?,
        _ time: LocalTime
    ) -> String {
        let isManaged = version != nil || connectors.contains { $0.configurationVersion != nil }
        let configuration = isManaged ? ["CONFIGURATION"] : []
        var table = TextTable(
            ["CONNECTOR", "ADDRESS", "AGENT", "SINCE", "STATE", "REQUESTS", "KEY"] + configuration
        )
        for connector in connectors {
            table.add([
                connector.id, connector.address ?? "-", connector.agent,
                time.minute(connector.connectedAt), connector.state, "\(connector.streams)",
                connector.key, Self.configuration(connector),
            ])
        }
        return table.text
    }

    private static func configuration(_ connector: ConnectorDocument) -> String {
        let version = connector.configurationVersion.map { "version \($0)" } ?? "its own"
        return connector.configurationProblem.map { "\(version): \($0)" } ?? version
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
