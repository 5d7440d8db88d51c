/// One exchange that is over, for the access log and the metrics.
package struct AccessRecord: Sendable {
    package var requestID: String
    package var method: String
    /// The normalised host; empty when the request named none that could be read.
    package var host: String
    /// The tunnel's hostname that took it: the host, or the wildcard that covers it; nil when none did.
    package var hostname: String?
    package var path: String
    package var `protocol`: VisitorProtocol
    package var scheme: String
    package var visitorAddress: String
    /// The final status sent; 0 when the visitor left before any.
    package var status: Int
    /// Body bytes from the visitor and to it, without framing.
    package var requestBytes: Int
    package var responseBytes: Int
    /// From the end of the request's head to the end of the exchange.
    package var durationNanoseconds: Int64
    /// The `Culvert-Error` code, also where no page could carry it; nil when nothing failed.
    package var errorCode: String?
}
