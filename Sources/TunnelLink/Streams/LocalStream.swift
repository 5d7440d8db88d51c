package import NIOCore
package import TunnelWire

/// The other side of a ``LocalStream``. All calls come on the stream's event loop.
package protocol LocalStreamPeer: AnyObject {
    /// A piece was sent on the stream.
    func sent(_ part: StreamPart)
    /// The stream's owner has got rid of so many bytes that it was handed.
    func consumed(_ bytes: Int)
    /// The stream's owner gives it up; nothing is to be handed to it any more.
    func wasReset(_ code: ResetCode)
}

/// A stream whose other side is in this process, such as the edge's own API: what its owner sends goes to
/// the peer, and what the peer has to say it hands to the stream's delegate itself.
package final class LocalStream: TunnelStream {
    private let peer: any LocalStreamPeer

    /// Lives on `eventLoop`, and keeps `peer`.
    package init(on eventLoop: any EventLoop, peer: any LocalStreamPeer) {
        self.peer = peer
        super.init(eventLoop: eventLoop)
    }

    override package func send(_ part: StreamPart) { self.peer.sent(part) }

    override package func consumed(_ bytes: Int) { self.peer.consumed(bytes) }

    override package func reset(_ code: ResetCode) { self.peer.wasReset(code) }
}
