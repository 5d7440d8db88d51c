package import NIOCore

/// What a client of the status listener may cost.
package struct StatusLimits: Sendable {
    /// Connections at once; one more is closed as soon as it is accepted. Default 64.
    package var connections = 64
    /// From accepting a connection to the end of its first request's head; then it is closed.
    /// Progress does not extend it. Default 10 s.
    package var headTimeout = TimeAmount.seconds(10)
    /// From an answer to the end of the next request's head; then the connection is closed.
    /// Default 60 s.
    package var idleTimeout = TimeAmount.seconds(60)
    /// For an answer, made and taken by the client; then the connection is closed. Default 30 s.
    package var answerTimeout = TimeAmount.seconds(30)
    /// How long what a client still sends is thrown away after a last answer, so that a reset does
    /// not destroy the answer on its way (RFC 9112 §9.6). Default 2 s.
    package var lingerTimeout = TimeAmount.seconds(2)
    /// Of the request target and the field lines together; beyond it the answer is 431.
    /// Default 8 KiB.
    package var headBytes = 8 * 1024
    /// Field lines of a request; beyond it the answer is 431. Default 64.
    package var fields = 64

    /// Every limit at its default.
    package init() {}
}
