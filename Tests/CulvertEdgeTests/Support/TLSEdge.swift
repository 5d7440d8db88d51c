import Logging
import NIOCore
import NIOPosix
import NIOSSL

@testable import CulvertEdge

/// A front door whose visitors get TLS and one fixed answer that says which name they asked for.
final class TLSEdge: Sendable {
    let authority: DevelopmentAuthority
    let store: CertificateStore
    let counter = ConnectionCounter()
    let address: SocketAddress
    private let door: FrontDoor

    init(directory: TemporaryDirectory, files: [CertificateFiles]? = nil) throws {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        self.authority = try DevelopmentAuthority(directory: directory.file("dev"))
        let store = try CertificateStore(
            files ?? [self.authority.edgeFiles],
            issued: self.authority.issuedCertificates(logger: logger)
        )
        self.store = store
        let visitors = VisitorSockets(group: MultiThreadedEventLoopGroup.singleton) {
            channel,
            connection in
            channel.eventLoop.makeCompletedFuture {
                let context = store.certificate(for: connection.hello.serverName).context
                try channel.pipeline.syncOperations.addHandlers([
                    NIOSSLServerHandler(context: context),
                    FixedAnswer(name: connection.hello.serverName ?? "nobody"),
                ])
            }
        }
        self.door = FrontDoor(
            configuration: FrontDoor.Configuration(connectHost: "connect.localhost"),
            counter: self.counter,
            logger: logger,
            visitors: { visitors.adopt($0) },
            tunnels: { _ in }
        )
        self.address = try self.door.start(bind: SocketAddress(ipAddress: "127.0.0.1", port: 0))
    }

    deinit { self.door.shutdown() }

    var port: Int { self.address.port ?? 0 }

    private final class FixedAnswer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let name: String

        init(name: String) { self.name = name }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let body = "you asked for \(self.name)\n"
            let head = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n"
            let answer = ByteBuffer(string: head + "Connection: close\r\n\r\n" + body)
            context.writeAndFlush(NIOAny(answer), promise: nil)
            context.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
