package import NIOCore
package import TunnelWire

/// What a session tells its owner; taken with ``Session/takeEvents()``, in order.
package enum SessionEvent {
    /// The peer opened a stream; its head follows as a ``head(_:_:)``.
    case opened(SessionStream)
    /// A whole head section (see ``HeadCodec``).
    case head(SessionStream, ByteBuffer)
    /// Body bytes; never empty. Give credit back with ``Session/consumed(_:on:now:)``.
    case data(SessionStream, ByteBuffer)
    /// A whole trailer section; an ``ended(_:)`` follows.
    case trailers(SessionStream, ByteBuffer)
    /// The peer's direction is complete.
    case ended(SessionStream)
    /// The stream is over in both directions; nothing follows for it. The code is `refused` when the
    /// peer never heard of the stream.
    case reset(SessionStream, ResetCode)
    /// So many body bytes have left the stream's send queue since the last report.
    case sent(SessionStream, bytes: Int)
    /// The edge says where requests are to go; of several that wait for a link, it sends the latest.
    case configuration(ManagedConfiguration)
    /// The connector says how it stands.
    case report(ConnectorReport)
    /// The peer wants no more streams.
    case peerDraining
    /// Nothing has arrived for the liveness timeout: drop the link and call
    /// ``Session/linkWasLost(now:)``.
    case linkIsDead
    /// The session is over, and a ``reset(_:_:)`` came for each of its streams.
    case closed(CloseReason)
}

extension SessionEvent {
    /// The stream that the event is about.
    var stream: SessionStream? {
        switch self {
        case .opened(let stream), .head(let stream, _), .data(let stream, _),
            .trailers(let stream, _), .ended(let stream), .reset(let stream, _),
            .sent(let stream, _):
            stream
        case .configuration, .report, .peerDraining, .linkIsDead, .closed: nil
        }
    }
}

/// Why a session is over.
package enum CloseReason: Equatable, Sendable {
    /// This end closed it.
    case closedHere(CloseCode)
    /// The peer closed it, with its words.
    case closedByPeer(CloseCode, String)
    /// No new link came within the resume window, or the peer no longer knew the session.
    case expired
    /// The peer broke the protocol.
    case protocolError(WireError)
}

extension CloseReason: CustomStringConvertible {
    /// For a log, and the peer: a peer's own words come without control characters.
    package var description: String {
        switch self {
        case .closedHere(let code): return "closed: \(code)"
        case .closedByPeer(let code, let words):
            let printable = String(
                String.UnicodeScalarView(
                    words.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }
                )
            )
            return "closed by the peer: \(code)\(printable.isEmpty ? "" : ", \(printable)")"
        case .expired: return "no link came in time"
        case .protocolError(let error): return "the peer broke the protocol: \(error.reason)"
        }
    }
}
