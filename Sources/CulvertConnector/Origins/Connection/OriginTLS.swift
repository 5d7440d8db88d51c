import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// TLS contexts for origins, one per set of settings, shared by all event loops.
///
/// Building one reads certificate files, so it happens on the blocking pool. A changed file is read
/// when the connector starts again.
package final class OriginTLSContexts: Sendable {
    struct Settings: Hashable, Sendable {
        var caPool: String?
        var noTLSVerify: Bool
        var offersHTTP2: Bool
    }

    private let cache = Mutex<[Settings: NIOSSLContext]>([:])

    /// No contexts yet: each is built when it is first asked for.
    package init() {}

    /// - Returns: the context for `options`, on `eventLoop`; failed with what is wrong with a file. It
    ///   offers HTTP/1.1 (ALPN), and HTTP/2 before it if `offersHTTP2`.
    func context(
        for options: OriginOptions,
        offersHTTP2: Bool,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<NIOSSLContext> {
        let settings = Settings(
            caPool: options.caPool,
            noTLSVerify: options.noTLSVerify,
            offersHTTP2: offersHTTP2
        )
        if let context = self.cache.withLock({ $0[settings] }) {
            return eventLoop.makeSucceededFuture(context)
        }
        return NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            let context = try Self.make(settings)
            self.cache.withLock { $0[settings] = context }
            return context
        }
    }

    private static func make(_ settings: Settings) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols =
            settings.offersHTTP2 ? ["h2", "http/1.1"] : ["http/1.1"]
        if settings.noTLSVerify { configuration.certificateVerification = .none }
        if let path = settings.caPool {
            let certificates = try NIOSSLCertificate.fromPEMFile(path)
            configuration.additionalTrustRoots = [.certificates(certificates)]
        }
        return try NIOSSLContext(configuration: configuration)
    }
}
