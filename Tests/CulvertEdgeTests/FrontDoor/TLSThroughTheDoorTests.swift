import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Testing

@testable import CulvertEdge

/// The whole way in with real clients: front door, certificate by name, NIO channel, TLS.
@Suite(.timeLimit(.minutes(1))) struct TLSThroughTheDoorTests {
    private let directory: TemporaryDirectory
    private let edge: TLSEdge

    init() throws {
        self.directory = try TemporaryDirectory()
        self.edge = try TLSEdge(directory: self.directory)
    }

    @Test(arguments: ["localhost", "brave-otter.localhost", "a.b.localhost", "127.0.0.1"])
    func curlTrustsEveryName(host: String) throws {
        let result = try CommandLineTool.run(
            "curl",
            [
                "-sS", "--http1.1", "--noproxy", "*", "--max-time", "30",
                "--resolve", "\(host):\(self.edge.port):127.0.0.1",
                "--cacert", self.edge.authority.authorityPath, "https://\(host):\(self.edge.port)/",
            ]
        )
        let name = host == "127.0.0.1" ? "nobody" : host
        #expect(result.output == "you asked for \(name)\n")
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func opensslNegotiates(version: String) throws {
        let result = try self.openssl([version, "-alpn", "h2,http/1.1", "-verify_return_error"])
        #expect(result.output.contains("Verify return code: 0 (ok)"), "\(result.output)")
        #expect(result.output.contains("ALPN protocol: h2"))
    }

    @Test func tls11IsRefused() throws {
        let result = try self.openssl(["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"])
        #expect(result.status != 0)
        #expect(result.output.contains("protocol version"), "\(result.output)")
    }

    @Test func permitsComeBackWhenChannelsClose() throws {
        for _ in 0..<20 { _ = try self.openssl([]) }
        // The client has gone; the channel's close may still be under way.
        while self.edge.counter.count > 0 { sched_yield() }
    }

    @Test func http2ClientOnThePlainPortIsTold() throws {
        let result = try CommandLineTool.run(
            "curl",
            [
                "-sS", "--noproxy", "*", "--max-time", "30", "-o", "/dev/null",
                "-w", "%{http_code}", "http://127.0.0.1:\(self.edge.port)/",
            ]
        )
        #expect(result.output == "400")
    }

    @Test func boringSSLTrustsAnIssuedName() async throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(self.edge.authority.authorityPath)
        let context = try NIOSSLContext(configuration: configuration)
        let done = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        NIOSSLClientHandler(context: context, serverHostname: "x.localhost"),
                        HandshakeWatcher(done: done),
                    ])
                }
            }
            .connect(to: self.edge.address).get()
        try await done.futureResult.get()
        try await channel.close()
    }

    private final class HandshakeWatcher: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let done: EventLoopPromise<Void>

        init(done: EventLoopPromise<Void>) { self.done = done }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case TLSUserEvent.handshakeCompleted = event { self.done.succeed() }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            self.done.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.done.fail(ChannelError.eof)
        }
    }

    private func openssl(_ arguments: [String]) throws -> CommandLineTool {
        try CommandLineTool.run(
            "openssl",
            [
                "s_client", "-connect", "127.0.0.1:\(self.edge.port)", "-servername", "x.localhost",
                "-verify_hostname", "x.localhost", "-CAfile", self.edge.authority.authorityPath,
            ] + arguments
        )
    }
}
