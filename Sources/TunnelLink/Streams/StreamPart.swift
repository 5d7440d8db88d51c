package import HTTPSemantics
package import NIOCore
package import TunnelWire

/// One piece of a message on a stream.
package enum StreamPart: Sendable {
    /// Opens an HTTP exchange; only the opener sends it, first and once.
    case request(RequestHead)
    /// An interim (1xx), final, or 101 head; only the accepting end sends it.
    case response(ResponseHead)
    /// A piece of the body, or of the opaque bytes after a 101 answer. Never empty.
    case data(ByteBuffer)
    /// Trailer fields; ends this direction.
    case trailers(HTTPFields)
    /// Ends this direction without trailers.
    case end
}

/// What happens to a stream. All calls come on the stream's event loop.
package protocol TunnelStreamDelegate: AnyObject {
    /// A piece arrived, in order. Give its credit back with ``TunnelStream/consumed(_:)`` when it has
    /// left the delegate's own buffers.
    func received(_ part: StreamPart, on stream: TunnelStream)
    /// The pieces that arrived together have all been handed over: flush now.
    func receivedAll(on stream: TunnelStream)
    /// ``TunnelStream/isWritable`` has become true again.
    func becameWritable(_ stream: TunnelStream)
    /// The session has been without a link for a while, and others could take what is not begun:
    /// who can repeat its request elsewhere may do so, the stream still waits. Ignored by default.
    func sessionIsAway(_ stream: TunnelStream)
    /// The stream is over in both directions, abruptly; nothing follows. What the delegate still holds of
    /// it counts against the session until it is consumed, or the stream is let go.
    func wasReset(_ stream: TunnelStream, code: ResetCode)
}

extension TunnelStreamDelegate {
    /// Does nothing: the stream waits until its session has a link again, or is over.
    package func sessionIsAway(_ stream: TunnelStream) {}
}
