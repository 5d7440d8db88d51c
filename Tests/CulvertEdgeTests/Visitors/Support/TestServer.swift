import Foundation
import HTTPSemantics
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import CulvertEdge

/// A visitor server on a port of loopback, with a fake tunnel behind it.
final class TestServer: Sendable {
    let router = FakeRouter()
    let log = Recorder<AccessRecord>()
    let server: VisitorServer
    let port: Int
    private let channel: any Channel
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    init(
        tls: Bool = false,
        serverName: String? = nil,
        plain: PlainPolicy = .serve,
        _ configure: (inout VisitorConfiguration) -> Void = { _ in }
    ) async throws {
        var configuration = VisitorConfiguration()
        configure(&configuration)
        let log = self.log
        let server = VisitorServer(
            configuration: configuration,
            router: self.router,
            isAuthoritative: { _, host in host != "other.test" },
            accessLog: { log.record($0) }
        )
        self.server = server
        let context = tls ? try TestCertificate.context() : nil
        let address = try #require(IPAddress("127.0.0.1"))
        let requests = RequestCount()
        self.channel = try await ServerBootstrap(group: self.group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let visitor = VisitorInfo(
                        connection: VisitorConnection(
                            peer: address,
                            scheme: tls ? "https" : "http"
                        ),
                        serverName: serverName,
                        requests: requests
                    )
                    try server.accept(channel, visitor, tls: context, plain: plain)
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        self.port = try #require(self.channel.localAddress?.port)
    }

    func stop() async throws {
        try await self.channel.close()
        await self.server.drain(deadline: .now())
        try await self.group.shutdownGracefully()
    }

    /// Runs `body` against a server that is stopped afterwards.
    static func run(
        tls: Bool = false,
        serverName: String? = nil,
        plain: PlainPolicy = .serve,
        _ configure: (inout VisitorConfiguration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let server = try await TestServer(
            tls: tls,
            serverName: serverName,
            plain: plain,
            configure
        )
        do {
            try await body(server)
        } catch {
            try await server.stop()
            throw error
        }
        try await server.stop()
    }
}

/// A self-signed certificate for localhost, made once per test run.
enum TestCertificate {
    private static let directory: Result<URL, any Error> = Result {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("culvert-visitors-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        _ = try Tool.runSynchronously(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout", directory.appendingPathComponent("key.pem").path,
                "-out", directory.appendingPathComponent("cert.pem").path,
            ]
        )
        return directory
    }

    static func context() throws -> NIOSSLContext {
        let directory = try self.directory.get()
        let certificates = try NIOSSLCertificate.fromPEMFile(
            directory.appendingPathComponent("cert.pem").path
        )
        let key = try NIOSSLPrivateKey(
            file: directory.appendingPathComponent("key.pem").path,
            format: .pem
        )
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.applicationProtocols = ["h2", "http/1.1"]
        return try NIOSSLContext(configuration: configuration)
    }
}

/// Programs that tests use as visitors.
enum Tool {
    struct Result: Sendable {
        var status: Int32
        var output: String
    }

    static func run(_ name: String, _ arguments: [String]) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: .init { try self.runSynchronously(name, arguments) })
            }
        }
    }

    static func runSynchronously(_ name: String, _ arguments: [String]) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/\(name)")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus,
            output: String(decoding: output, as: UTF8.self)
        )
    }
}
