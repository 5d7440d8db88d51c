package import TunnelWire

/// What became of one exchange with an origin, for a log line and for counters.
package struct ExchangeRecord: Sendable {
    /// The request's, as the edge sent it.
    package var method: String
    /// The visitor's authority, not a rewritten `Host`.
    package var host: String
    /// The hostname of the ingress rule that took it, `*` for one without.
    package var hostname: String
    /// The request target, query included.
    package var path: String
    /// The service's description.
    package var origin: String
    /// The final status, 101 included; nil when none reached the tunnel.
    package var status: UInt16?
    /// Body bytes received from the tunnel, whether or not the origin took them.
    package var requestBytes = 0
    /// Body (or, after 101, opaque) bytes given to the tunnel.
    package var responseBytes = 0
    /// From the request's head to the end of both directions.
    package var durationNanoseconds: Int64 = 0
    /// Why the stream was given up, whichever end did it; nil when it ended well.
    package var failure: OriginFailure?
}

/// Why an exchange failed: the code the tunnel's peer is told, and words for the log.
package struct OriginFailure: Error, Sendable, Equatable {
    /// What the stream was reset with, by either end.
    package var code: ResetCode
    /// Words for this end's log; the peer never sees them.
    package var detail: String

    package init(_ code: ResetCode, _ detail: String) {
        self.code = code
        self.detail = detail
    }
}

extension OriginFailure: CustomStringConvertible {
    package var description: String { "\(self.code): \(self.detail)" }
}
