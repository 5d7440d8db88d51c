import Foundation
import Glibc
import HTTPSemantics
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TunnelLink
import TunnelSession
import TunnelTransport
import TunnelWire

/// A connected pair of TCP sockets over loopback, both non-blocking.
func connectedPair() throws -> (CInt, CInt) {
    let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let client = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(listener, pointer, length) == 0 && listen(listener, 1) == 0
                && getsockname(listener, pointer, &length) == 0
                && connect(client, pointer, length) == 0
        }
    }
    guard isConnected else { throw POSIXError(.ECONNREFUSED) }
    return (client, accept(listener, nil, nil))
}

/// Lets everybody in.
final class OpenAuthority: SessionAuthority {
    let sessions = Mutex<[SessionDriver]>([])

    func authorize(_ login: Login, peer: String) -> Result<SessionGrant, Refusal> {
        if login.attributes.contains("refuse-me") {
            return .failure(
                Refusal(code: .unknownKey, isPermanent: true, message: "no such tunnel")
            )
        }
        return .success(SessionGrant(tunnel: "test", attributes: ["tunnel": "test"]))
    }

    func loginRefused(_ refusal: Refusal, peer: String) {}

    func sessionOpened(_ session: SessionDriver, grant: SessionGrant, login: Login) {
        self.sessions.withLock { $0.append(session) }
    }

    /// What the connectors are told; nil when nothing.
    let configuration = Mutex<ManagedConfiguration?>(nil)
    private let reports = AsyncStream.makeStream(of: ConnectorReport.self)

    func configuration(for session: SessionDriver) -> ManagedConfiguration? {
        self.configuration.withLock { $0 }
    }

    func sessionReported(_ session: SessionDriver, _ report: ConnectorReport) {
        self.reports.continuation.yield(report)
    }

    /// Waits for a report that is as wanted.
    func nextReport(where isWanted: (ConnectorReport) -> Bool) async {
        for await report in self.reports.stream where isWanted(report) { return }
    }

    func sessionChanged(_ session: SessionDriver, to availability: SessionAvailability) {}

    private let ends = AsyncStream.makeStream(of: CloseReason.self)

    func sessionClosed(_ session: SessionDriver, reason: CloseReason) {
        self.ends.continuation.yield(reason)
    }

    /// Waits for the end of a session, and says why it came.
    func nextEnd() async -> CloseReason? {
        for await reason in self.ends.stream { return reason }
        return nil
    }
}

/// A connector that runs whatever it is sent.
final class ObedientConnector: ConnectorDelegate {
    let loginAttributes: HTTPFields
    let received = Mutex<[ManagedConfiguration]>([])

    init(_ attributes: HTTPFields) { self.loginAttributes = attributes }

    var report: ConnectorReport? {
        self.received.withLock { $0.last }.map { ConnectorReport(configurationVersion: $0.version) }
    }

    func received(_ configuration: ManagedConfiguration) {
        self.received.withLock { $0.append(configuration) }
    }
}

/// Answers each request with a status and its own body.
final class EchoAcceptor: StreamAcceptor {
    private let status: UInt16

    init(status: UInt16 = 200) { self.status = status }

    func accept(_ stream: TunnelStream) { Echo(stream, self.status).start() }

    private final class Echo: TunnelStreamDelegate {
        private let stream: TunnelStream
        private let status: UInt16
        private var itself: Echo?

        init(_ stream: TunnelStream, _ status: UInt16) {
            self.stream = stream
            self.status = status
        }

        func start() {
            self.itself = self
            self.stream.delegate = self
        }

        func received(_ part: StreamPart, on stream: TunnelStream) {
            switch part {
            case .request(let head):
                stream.send(.response(ResponseHead(status: self.status, fields: head.fields)))
            case .data(let bytes):
                stream.send(part)
                stream.consumed(bytes.readableBytes)
            case .trailers, .end:
                stream.send(part)
                self.itself = nil
            case .response: break
            }
        }

        func receivedAll(on stream: TunnelStream) { stream.flush() }

        func becameWritable(_ stream: TunnelStream) {}

        func wasReset(_ stream: TunnelStream, code: ResetCode) { self.itself = nil }
    }
}

/// An edge and a connector in this process, and links over loopback between them.
final class Loopback: Sendable {
    let group: MultiThreadedEventLoopGroup
    let edge: EdgeEndpoint
    let connector: ConnectorEndpoint
    let transport: ConnectorTransport
    let authority = OpenAuthority()
    let delegate: ObedientConnector
    private let target: ClientTarget
    /// The edge's ends of the links so far, to be cut.
    private let sockets = Mutex<[CInt]>([])

    init(_ certificate: TestCertificate, attributes: HTTPFields = [:], threads: Int = 1) throws {
        let logger = Logger(label: "test")
        self.delegate = ObedientConnector(attributes)
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        self.edge = try EdgeEndpoint(
            connectHost: "connect.test",
            certificates: ServerCertificates([
                .init(certificate: certificate.certificate, key: certificate.key)
            ]),
            maximumConnections: 50,
            configuration: SessionConfiguration(),
            group: self.group,
            authority: self.authority,
            logger: logger
        )
        self.transport = try ConnectorTransport(group: self.group, logger: logger)
        self.connector = Self.connector(over: self.transport, self.delegate, status: 200)
        self.target = try ClientTarget(
            hostname: "connect.test",
            trust: ClientTrust(systemRoots: false, additionalFile: certificate.certificate)
        )
        self.edge.start()
        self.transport.start()
    }

    private static func connector(
        over transport: ConnectorTransport,
        _ delegate: ObedientConnector,
        status: UInt16
    ) -> ConnectorEndpoint {
        ConnectorEndpoint(
            identity: TunnelIdentity(),
            delegate: delegate,
            configuration: SessionConfiguration(),
            transport: transport,
            acceptor: EchoAcceptor(status: status),
            logger: Logger(label: "test")
        )
    }

    /// Another connector over the same transport, that answers with `status`.
    func addConnector(status: UInt16) -> ConnectorEndpoint {
        Self.connector(over: self.transport, self.delegate, status: status)
    }

    /// Makes a link of a connector, the first when none is named; its events.
    func link(of connector: ConnectorEndpoint? = nil) throws -> AsyncStream<LinkEvent> {
        let (client, server) = try connectedPair()
        self.sockets.withLock { $0.append(dup(server)) }
        self.edge.adopt(socket: server, peer: "loopback")
        let (events, continuation) = AsyncStream.makeStream(of: LinkEvent.self)
        (connector ?? self.connector).connect(socket: client, target: self.target) { event in
            continuation.yield(event)
            if case .closed = event { continuation.finish() }
        }
        return events
    }

    /// Has the edge adopt a connection on which nobody ever says anything.
    ///
    /// - Returns: its other end, to be closed.
    func silentConnection() throws -> CInt {
        let (client, server) = try connectedPair()
        self.edge.adopt(socket: server, peer: "silent")
        return client
    }

    /// Cuts the newest link without a word of TLS or WebSocket.
    func cut() {
        guard let socket = self.sockets.withLock({ $0.popLast() }) else { return }
        shutdown(socket, CInt(SHUT_RDWR))
        close(socket)
    }

    func stop() async throws {
        self.transport.shutdown()
        self.edge.shutdown()
        for socket in self.sockets.withLock({ $0 }) { close(socket) }
        try await self.group.shutdownGracefully()
    }
}

/// One request through the tunnel: sends a body, gathers the answer.
final class Client: TunnelStreamDelegate {
    struct Answer: Sendable {
        var head: ResponseHead?
        var body = ByteBuffer()
        var trailers: HTTPFields?
        var reset: ResetCode?
    }

    private var rest: ByteBuffer
    private var answer = Answer()
    private let promise: EventLoopPromise<Answer>
    private let onHead: @Sendable () -> Void
    private var stream: TunnelStream?

    private init(
        body: ByteBuffer,
        promise: EventLoopPromise<Answer>,
        onHead: @escaping @Sendable () -> Void
    ) {
        self.rest = body
        self.promise = promise
        self.onHead = onHead
    }

    /// One without a body stays open until it is reset: it does not end its half.
    static func request(
        _ head: RequestHead,
        body: ByteBuffer,
        on session: SessionDriver,
        bridge: LoopBridge,
        onHead: @escaping @Sendable () -> Void = {}
    ) async throws -> Answer {
        let promise = bridge.eventLoop.makePromise(of: Answer.self)
        bridge.eventLoop.execute {
            let client = Client(body: body, promise: promise, onHead: onHead)
            let stream = TunnelStream.new(on: session, bridge: bridge)
            stream.delegate = client
            client.stream = stream
            stream.send(.request(head))
            client.sendMore()
            promise.futureResult.assumeIsolated().whenComplete { _ in client.stream = nil }
        }
        return try await promise.futureResult.get()
    }

    private func sendMore() {
        guard let stream else { return }
        while stream.isWritable, self.rest.readableBytes > 0 {
            let count = min(self.rest.readableBytes, 10_000)
            self.rest.readSlice(length: count).map { stream.send(.data($0)) }
            if self.rest.readableBytes == 0 { stream.send(.trailers(["X-Sum": "7"])) }
        }
        stream.flush()
    }

    func received(_ part: StreamPart, on stream: TunnelStream) {
        switch part {
        case .response(let head):
            self.answer.head = head
            self.onHead()
        case .data(let bytes):
            self.answer.body.writeImmutableBuffer(bytes)
            stream.consumed(bytes.readableBytes)
        case .trailers(let fields):
            self.answer.trailers = fields
            self.promise.succeed(self.answer)
        case .end: self.promise.succeed(self.answer)
        case .request: break
        }
    }

    func receivedAll(on stream: TunnelStream) {}

    func becameWritable(_ stream: TunnelStream) { self.sendMore() }

    func wasReset(_ stream: TunnelStream, code: ResetCode) {
        self.answer.reset = code
        self.promise.succeed(self.answer)
    }
}
