import CLibwebsockets
import Glibc
import WebSocketWire

/// One WebSocket over TLS. Confined to its transport's turns, see ``TunnelTransport``.
package final class TunnelConnection {
    enum Phase {
        /// TLS or the upgrade is under way.
        case connecting
        case open
        /// `close` was called; the close frame is still to be sent.
        case closing
        /// The handler has been told; libwebsockets may still linger on the socket.
        case closed
    }

    /// Which end this is.
    package enum Role: Sendable { case client, server }

    /// `client` when `connect` made it, `server` when `adopt` did.
    package let role: Role
    /// What `adopt` or `connect` called the other end.
    package let peer: String

    let id: UInt
    let requestFields: [(name: String, value: String)]
    unowned let loop: TransportLoop
    /// Nil before libwebsockets made it and after it freed it.
    var socket: culvert_socket?
    var handler: (any TunnelConnectionHandler)?
    /// Takes the frames apart while the connection is read past libwebsockets.
    var frames: WebSocketFrameParser?
    var hasReadDirectly = false
    /// In the loop's list of connections to go on reading from.
    var hasUnread = false
    /// What libwebsockets has read for it, and whether anything was written.
    var receivedMessages = 0
    var hasWritten = false
    var phase = Phase.connecting
    /// `nextMessage` may have something.
    var hasMessages = false
    /// Already in the loop's list of connections to look at when the turn ends.
    var isMarked = false
    /// TCP_NOTSENT_LOWAT.
    private(set) var notSentLowWaterBytes: Int
    /// What may be written before the socket is asked again whether it has room.
    var uncheckedRoomBytes = 0
    /// Bytes of the message being received that have arrived.
    var messageBytes = 0
    var lastConfirmedAlive: UInt64 = 0
    var closeFrame: (code: UInt16, reason: String)?
    /// What `adopt` gave to keep.
    var permit: (any AnyObject & Sendable)?

    init(
        id: UInt,
        role: Role,
        peer: String,
        loop: TransportLoop,
        requestFields: [(name: String, value: String)] = []
    ) {
        self.id = id
        self.role = role
        self.peer = peer
        self.loop = loop
        self.requestFields = requestFields
        self.notSentLowWaterBytes = loop.configuration.notSentLowWaterBytes
    }

    /// Lets go of what `adopt` gave to keep: the peer is known from here on.
    package func releasePermit() { self.permit = nil }

    /// Asks for `nextMessage` calls. They come when the current turn's callbacks have run, so that
    /// what gathers in one turn can leave in one message. Idempotent.
    package func wantsToWrite() {
        guard self.phase == .open else { return }
        self.hasMessages = true
        self.loop.mark(self)
    }

    /// Ends the connection with a close frame once the current turn's callbacks have run. What
    /// `nextMessage` has ready goes out first (16 messages at most); nothing is received any more.
    ///
    /// - Parameters:
    ///   - code: 4000...4999; codes 1012...1014 would arrive as 1002.
    ///   - reason: for the log at the other end; cut to 123 bytes.
    package func close(code: UInt16, reason: String) {
        guard self.phase == .open || self.phase == .connecting else { return }
        guard self.phase == .open else { return self.abort() }
        self.phase = .closing
        self.closeFrame = (code, reason)
        self.loop.mark(self)
    }

    /// Drops the connection without a close frame; `closed` follows when the current turn ends.
    package func abort() {
        guard self.phase != .closed else { return }
        self.phase = .closing
        self.closeFrame = nil
        self.hasMessages = false
        self.loop.mark(self)
    }

    /// How the path is doing, from the kernel (TCP_INFO); nil when the socket is gone.
    package var statistics: SocketStatistics? {
        guard let socket else { return nil }
        return SocketStatistics(descriptor: culvert_descriptor(socket))
    }

    /// Sets what the kernel may hold unsent (TCP_NOTSENT_LOWAT) before the socket counts as full.
    package func setNotSentLowWater(_ bytes: Int) {
        guard let socket else { return }
        self.notSentLowWaterBytes = bytes
        self.uncheckedRoomBytes = 0
        SocketOptions.set(
            culvert_descriptor(socket),
            level: CInt(IPPROTO_TCP),
            name: SocketOptions.notSentLowWater,
            to: CInt(clamping: bytes)
        )
    }
}

@available(*, unavailable)
extension TunnelConnection: Sendable {}
