/// Whoever moves data between a transport and other threads. All calls come in a turn of the transport,
/// see ``TunnelTransport``; none may block, or shut the transport down.
package protocol TransportDriver: AnyObject {
    /// `TunnelTransport.wake` or `serveOrWake` was called, or `nextDeadline` has passed: drain the queues, fire the
    /// timers. Several wakes are one call. `now`: monotonic nanoseconds.
    func transportWoke(now: UInt64)
    /// A turn is over, all its callbacks have run: hand what gathered to other threads. Connections
    /// may be written to and closed here too.
    func transportTurnEnded(now: UInt64)
    /// When to call `transportWoke` without a wake, in monotonic nanoseconds; at most about 1 ms
    /// late on an idle machine. Asked after every turn.
    var nextDeadline: UInt64? { get }
}
