/// How an origin is asked whether it is well: the `healthCheck` of an `originRequest`.
///
/// HTTP origins are asked for ``path`` with GET, over the connection their rule's options describe; TCP
/// services are connected to, and that is all.
package struct HealthCheckOptions: Hashable, Sendable {
    /// The request target; `/`.
    package var path = "/"
    /// From the begin of one check to that of the next, a tenth more or less; 10 s. A check that is not
    /// over by then delays the next, so that no two of an origin overlap.
    package var interval: Duration = .seconds(10)
    /// For a whole check, connecting included; 5 s, beyond it the check has failed.
    package var timeout: Duration = .seconds(5)
    /// After so many failures in a row an origin is unhealthy; 3. One is enough for the very first check.
    package var unhealthyThreshold = 3
    /// After so many successes in a row an unhealthy one is healthy; 2.
    package var healthyThreshold = 2
    /// Answers that are a success; 200 to 399.
    package var expectedStatus: ClosedRange<UInt16> = 200...399

    /// Everything at its default.
    package init() {}
}
