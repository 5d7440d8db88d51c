/// One exchange that is over, for the access log and the metrics.
package struct AccessRecord: Sendable {
    /// The `X-Request-Id` that the origin gets: the visitor's if it is fit for logs, else one made
    /// here, as it always is for a request that is not admitted.
    package var requestID: String
    /// As it was sent; empty when the request ended or broke HTTP before it.
    package var method: String
    /// The normalised host; empty when the request named none that could be read.
    package var host: String
    /// The tunnel's hostname that took it: the host, or the wildcard that covers it; nil when none did.
    package var hostname: String?
    /// The target with its query, in origin-form or `*`; of a request that is refused, as it was
    /// sent, and empty when it was not read.
    package var path: String
    /// The version the visitor spoke; HTTP/1.1 for an HTTP/1 head that cannot be read.
    package var `protocol`: VisitorProtocol
    /// `http` or `https`, of the connection; no forwarding field changes it.
    package var scheme: String
    /// The TCP peer as text, without port: behind a proxy the proxy's, even of a trusted one.
    package var visitorAddress: String
    /// The final status sent; 0 when the visitor left before any.
    package var status: Int
    /// Body bytes from the visitor and to it, without framing.
    package var requestBytes: Int
    /// Counted when they are given to the connection: what the visitor never read is among them.
    package var responseBytes: Int
    /// From the end of the request's head to the end of the exchange.
    package var durationNanoseconds: Int64
    /// The `Culvert-Error` code, also where no page could carry it; nil when nothing failed.
    package var errorCode: String?
}
