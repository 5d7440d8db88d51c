import TunnelWire

/// How far an answer had come when its connection, or its HTTP/2 stream, was over.
enum AnswerEnding: Equatable {
    /// No exchange was under way, or its answer was complete.
    case nothing
    /// A body that lasts until the connection closes is complete.
    case bodyEnd
    /// The answer had not begun: not one byte of it was received.
    case noAnswer
    /// It stopped within, or before, the final head.
    case partialHead
    /// It stopped within the body.
    case truncated
    /// The origin says that it did nothing with the request: REFUSED_STREAM, or a GOAWAY that leaves the
    /// stream out. It may be sent again whatever its method (RFC 9113 §8.7).
    case unprocessed
    /// The origin did nothing either, and wants the request in HTTP/1.1 (RFC 9113 §7).
    case needsHTTP1
    /// The origin gave the exchange up by RST_STREAM; the code is what the tunnel's peer is told when
    /// no answer had begun.
    case reset(ResetCode)
}
