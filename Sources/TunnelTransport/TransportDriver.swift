/// Whoever moves data between the transport's thread and others. All calls come on the
/// transport's thread; none may block.
package protocol TransportDriver: AnyObject {
    /// `TunnelTransport.wake` was called, or `nextDeadline` has passed: drain the queues, fire the
    /// timers. Several wakes are one call. `now`: monotonic nanoseconds.
    func transportWoke(now: UInt64)
    /// A turn is over, all its callbacks have run: hand what gathered to other threads. Connections
    /// may be written to and closed here too.
    func transportTurnEnded(now: UInt64)
    /// When to call `transportWoke` without a wake, in monotonic nanoseconds; at most about 1 ms
    /// late on an idle machine. Asked after every turn.
    var nextDeadline: UInt64? { get }
}
