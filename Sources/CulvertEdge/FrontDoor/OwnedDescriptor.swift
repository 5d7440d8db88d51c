import Glibc

/// A file descriptor with one owner, closed exactly once: when its owner lets go of it.
struct OwnedDescriptor: ~Copyable, Sendable {
    let raw: CInt

    init(_ raw: CInt) { self.raw = raw }

    deinit { _ = Glibc.close(self.raw) }

    /// Gives the descriptor away; closing it is the receiver's duty from here.
    consuming func release() -> CInt {
        let raw = self.raw
        discard self
        return raw
    }
}
