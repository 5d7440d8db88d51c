package import NIOCore
package import TunnelWire

/// One end of a stream of the tunnel, for whoever owns its other side: a visitor or an origin.
///
/// Confined to ``eventLoop``. After an end in both directions it is over silently; after
/// ``reset(_:)`` no call comes. This class is the seam between a session and its users; a session
/// makes streams that are carried (``TunnelStream/new(on:bridge:)``), the edge's own API and tests make
/// others.
package class TunnelStream {
    /// Body bytes that may wait to be sent before ``isWritable`` turns false: 256 KiB while no more than 16
    /// streams share the loop, down to 64 KiB from 64 streams on, so that it is 4 MiB of them all, or 64 KiB of each.
    ///
    /// What waits has to last until the transport's thread has said that some of it is sent, and the loop has read
    /// more: with 64 KiB a single download over a fast path was a quarter slower.
    package static func bufferedBytes(streams: Int) -> Int {
        min(max((4 << 20) / max(streams, 1), 64 << 10), 256 << 10)
    }

    /// Where every call to the stream is made, and every call to its delegate comes.
    package let eventLoop: any EventLoop
    /// May be changed at any time, also between the pieces of a batch.
    package weak var delegate: (any TunnelStreamDelegate)?

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// A stream of `session` that nothing was sent on; its `request` opens it for the peer.
    ///
    /// It counts for the session's load from now on. When the session cannot take it any more, the
    /// delegate's `wasReset` comes with `refused`.
    package static func new(on session: SessionDriver, bridge: LoopBridge) -> TunnelStream {
        session.load.increment()
        return LinkedStream(bridge: bridge, driver: session)
    }

    /// False from ``bufferedBytes(streams:)`` waiting to be sent to half of it: stop reading your socket.
    package var isWritable: Bool { true }

    /// Queues a piece; it goes out with the next ``flush()``.
    ///
    /// A piece after an end or a reset is the caller's error: asserted in debug builds, dropped in
    /// release. A head over the protocol's limits resets the stream as `overLimit` for both sides.
    package func send(_ part: StreamPart) {}

    /// Hands what was queued to the tunnel, for all streams of the loop.
    package func flush() {}

    /// The reader has got rid of `bytes` body bytes: the sender may send as many more.
    package func consumed(_ bytes: Int) {}

    /// Gives the stream up in both directions and tells the peer why. Idempotent.
    package func reset(_ code: ResetCode) {}
}
