internal import Foundation
internal import StatusServer
internal import TunnelLink

// What an edge tells its metrics.
extension EdgeMetrics {
    /// Counts a request that has ended.
    func count(_ record: AccessRecord) {
        self.requestEnded(
            status: record.status,
            host: record.hostname,
            bytesIn: record.requestBytes,
            bytesOut: record.responseBytes,
            nanoseconds: record.durationNanoseconds,
            error: record.errorCode
        )
    }

    /// Has the gauges read from where their values are.
    func observe(
        visitors: VisitorServer,
        directory: TunnelDirectory,
        certificates: CertificateStore
    ) {
        self.registry.gauges(
            "culvert_edge_certificate_not_after_timestamp_seconds",
            help: "When the certificates of files end, in seconds since 1970."
        ) {
            certificates.ends.sorted { $0.key < $1.key }.map { file, end in
                MetricSample(["certificate": file], end.timeIntervalSince1970)
            }
        }
        self.observe(
            visitorConnections: { visitors.connectionCount },
            tunnels: {
                directory.report.map { row in
                    let states = row.sessions.map(\.availability)
                    return Tunnel(
                        name: row.name,
                        connectedSessions: states.count { $0 == .connected },
                        interruptedSessions: states.count { $0 == .waiting },
                        streams: row.sessions.reduce(0) { $0 + $1.load.count },
                        waitingRequests: row.waiting
                    )
                }
            }
        )
    }
}
