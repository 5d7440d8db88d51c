import NIOSSL
import Synchronization

/// The certificates that a peer has shown, the leaf first.
final class ShownCertificates: Sendable {
    private let contents = Mutex<[NIOSSLCertificate]>([])

    var certificates: [NIOSSLCertificate] {
        get { self.contents.withLock { $0 } }
        set { self.contents.withLock { $0 = newValue } }
    }
}
