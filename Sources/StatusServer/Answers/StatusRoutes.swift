/// What each path of a status listener answers, by role.
package enum StatusRoutes {
    /// Called for each request, off the event loops.
    package typealias Routes = [String: @Sendable () -> StatusAnswer]

    /// `/metrics`, `/healthz` (200 while the process can answer at all) and `/readyz`.
    ///
    /// - Parameters:
    ///   - registry: What `/metrics` shows.
    ///   - notReady: Why visitors should not be sent here, in words for a person, with status 503; nil,
    ///     with status 200, when they should. Any thread.
    /// - Returns: The routes of an edge.
    package static func edge(
        _ registry: MetricsRegistry,
        notReady: @escaping @Sendable () -> String?
    ) -> Routes {
        [
            "/metrics": { .metrics(registry.render()) },
            "/healthz": { .text("ok") },
            "/readyz": {
                guard let reason = notReady() else { return .text("ready") }
                return .text("not ready: \(reason)", status: 503)
            },
        ]
    }

    /// `/metrics`, and `/ready` as cloudflared has it.
    ///
    /// - Parameters:
    ///   - registry: What `/metrics` shows.
    ///   - readiness: How the connector stands towards its edge. Any thread.
    /// - Returns: The routes of a connector.
    package static func connector(
        _ registry: MetricsRegistry,
        readiness: @escaping @Sendable () -> ConnectorReadiness
    ) -> Routes {
        [
            "/metrics": { .metrics(registry.render()) },
            "/ready": { readiness().answer },
        ]
    }
}

/// Whether a connector can carry requests, in the words of cloudflared's `/ready`.
package struct ConnectorReadiness: Sendable, Equatable {
    /// Links to an edge that are up and logged in.
    package var readyConnections: Int
    /// Of this process; cloudflared has a UUID here.
    package var connectorID: String
    /// Of how many tunnels ``readyConnections`` are; nil, and not in the answer, for a single one.
    package var tunnels: Int?

    package init(readyConnections: Int, connectorID: String, tunnels: Int? = nil) {
        self.readyConnections = readyConnections
        self.connectorID = connectorID
        self.tunnels = tunnels
    }

    /// 200 with a live session, of each tunnel if there are several, else 503; the status stands in the body
    /// too, as cloudflared has it.
    var answer: StatusAnswer {
        let status = self.readyConnections >= (self.tunnels ?? 1) ? 200 : 503
        let ofHowMany = self.tunnels.map { ",\"tunnels\":\($0)" } ?? ""
        return StatusAnswer(
            status: status,
            contentType: "application/json",
            body: "{\"status\":\(status),\"readyConnections\":\(self.readyConnections),"
                + "\"connectorId\":\"\(Self.escape(self.connectorID))\"\(ofHowMany)}\n"
        )
    }

    /// The characters that a JSON string cannot hold as they are (RFC 8259 §7).
    private static func escape(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
