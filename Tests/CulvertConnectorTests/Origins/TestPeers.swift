import Foundation
import Glibc
import NIOSSL

/// A listening socket whose queue is full, so that a connection to it never comes about.
final class FullBacklog: Sendable {
    let port: Int
    private let sockets: [CInt]

    private init(port: Int, sockets: [CInt]) {
        self.port = port
        self.sockets = sockets
    }

    static func start() async throws -> FullBacklog {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port: UInt16 = withUnsafeMutableBytes(of: &address) { raw in
            guard let generic = raw.baseAddress?.assumingMemoryBound(to: sockaddr.self) else {
                return 0
            }
            guard bind(listener, generic, length) == 0, listen(listener, 0) == 0,
                getsockname(listener, generic, &length) == 0
            else {
                return 0
            }
            return UInt16(bigEndian: raw.load(as: sockaddr_in.self).sin_port)
        }
        address.sin_port = port.bigEndian
        // More than the queue takes; they stay there.
        let fillers = (0..<4).map { _ in
            let filler = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            withUnsafeBytes(of: &address) { raw in
                if let generic = raw.baseAddress?.assumingMemoryBound(to: sockaddr.self) {
                    _ = connect(filler, generic, length)
                }
            }
            return filler
        }
        return FullBacklog(port: Int(port), sockets: [listener] + fillers)
    }

    func stop() {
        for socket in self.sockets { Glibc.close(socket) }
    }
}

/// A certificate for `localhost` and `inner.test` that signs itself, made by `openssl`.
struct TestAuthority: Sendable {
    let certificatePath: String
    let keyPath: String

    private static let made = Result { try Self.make("DNS:localhost,DNS:inner.test") }

    static func shared() throws -> TestAuthority { try Self.made.get() }

    /// One of its own, for subject alternative names as `openssl` writes them.
    static func make(_ names: String) throws -> TestAuthority {
        let folder = FileManager.default.temporaryDirectory.path + "/culvert-tls-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        let authority = TestAuthority(
            certificatePath: folder + "/certificate.pem",
            keyPath: folder + "/key.pem"
        )
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=\(names)",
            "-keyout", authority.keyPath, "-out", authority.certificatePath,
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        return authority
    }

    func serverContext() throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMFile(self.certificatePath)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(NIOSSLPrivateKey(file: self.keyPath, format: .pem))
            )
        )
    }
}
