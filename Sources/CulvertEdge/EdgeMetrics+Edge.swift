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
    func observe(visitors: VisitorServer, directory: TunnelDirectory) {
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
