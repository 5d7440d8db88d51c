import Glibc
import Synchronization

/// A connection whose ClientHello has arrived and is still unread in the kernel's buffer.
///
/// Owns its descriptor, which is non-blocking, close-on-exec and has `TCP_NODELAY`: who takes it
/// closes it; when nobody does, it is closed with the last reference. Any thread.
package final class AcceptedSocket: Sendable {
    /// The client's end, or that of a proxy before it.
    package let peer: PeerAddress
    /// This end: the address and port that the client connected to.
    package let local: PeerAddress
    /// What its ClientHello says; the bytes themselves are still to be read from the socket.
    package let hello: ClientHello
    /// To be released when the connection has closed; counted until then.
    package let permit: ConnectionPermit
    private let descriptor: Atomic<CInt>

    init(
        descriptor: consuming OwnedDescriptor,
        peer: PeerAddress,
        local: PeerAddress,
        hello: ClientHello,
        permit: ConnectionPermit
    ) {
        self.descriptor = Atomic(descriptor.release())
        self.peer = peer
        self.local = local
        self.hello = hello
        self.permit = permit
    }

    deinit {
        let descriptor = self.descriptor.load(ordering: .relaxed)
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    /// The name the client asked for, in lower case; nil when it named none.
    package var serverName: String? { self.hello.serverName }

    /// The descriptor, which is the caller's to close from here; nil when it was taken before.
    package func take() -> CInt? {
        let descriptor = self.descriptor.exchange(-1, ordering: .relaxed)
        return descriptor >= 0 ? descriptor : nil
    }
}
