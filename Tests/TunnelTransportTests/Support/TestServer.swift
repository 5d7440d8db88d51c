import Foundation
import Logging
import Synchronization
import Testing

@testable import TunnelTransport

/// A transport with a listener of its own on a free port of loopback.
final class TestServer: Sendable {
    /// What a server that speaks first says, as an edge does: it then reads past libwebsockets.
    static let challenge: [UInt8] = [0xC0, 0xDE]

    let transport: TunnelTransport
    let listener: CInt
    let port: UInt16
    let peers: PeerList
    private let acceptorEnded = DispatchSemaphore(value: 0)

    init(
        certificate: String = "edge",
        handshakeTimeoutSeconds: Int = 15,
        peeks: Bool = false,
        echoes: Bool = true,
        prepare: @escaping @Sendable (TestPeer) -> Void = { _ in },
        refusal: (@Sendable (UpgradeRequest) -> UpgradeRefusal?)? = nil
    ) throws {
        let box = PeerList()
        let certificates = try ServerCertificates([TestCertificates.shared.files(certificate)])
        var configuration = TransportConfiguration(
            server: ServerConfiguration(certificates: certificates) { request in
                if let refusal = refusal?(request) { return .failure(refusal) }
                let peer = TestPeer(echoes: echoes)
                prepare(peer)
                box.append(peer)
                return .success(peer)
            }
        )
        configuration.handshakeTimeoutSeconds = handshakeTimeoutSeconds
        self.peers = box
        self.transport = try TunnelTransport(configuration, logger: Logger(label: "server"))
        (self.listener, self.port) = try listenOnLoopback()
        self.transport.start()
        let thread = Thread { [listener, transport, acceptorEnded] in
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0 else { break }
                if peeks {
                    var byte: UInt8 = 0
                    _ = recv(socket, &byte, 1, CInt(MSG_PEEK))
                }
                transport.adopt(socket: socket, peer: "test")
            }
            acceptorEnded.signal()
        }
        thread.start()
    }

    func stop() {
        shutdown(self.listener, CInt(SHUT_RDWR))
        self.acceptorEnded.wait()
        close(self.listener)
        self.transport.shutdown()
    }
}

/// The server's side of the connections so far.
final class PeerList: Sendable {
    private let peers = Mutex<[TestPeer]>([])

    func append(_ peer: TestPeer) { self.peers.withLock { $0.append(peer) } }

    var all: [TestPeer] { self.peers.withLock { $0 } }
}

/// A listening socket of 127.0.0.1 and its port.
func listenOnLoopback() throws -> (CInt, UInt16) {
    let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(listener, address, length) == 0 && listen(listener, 128) == 0
                && getsockname(listener, address, &length) == 0
        }
    }
    try #require(bound)
    return (listener, UInt16(bigEndian: address.sin_port))
}

/// A TCP connection to a port of loopback.
func dial(_ port: UInt16) throws -> CInt {
    let client = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    address.sin_port = port.bigEndian
    let connected = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            Foundation.connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    try #require(connected)
    return client
}

/// A started transport without a server.
func makeClient(
    handshakeTimeoutSeconds: Int = 15
) throws -> TunnelTransport {
    var configuration = TransportConfiguration()
    configuration.handshakeTimeoutSeconds = handshakeTimeoutSeconds
    let transport = try TunnelTransport(configuration, logger: Logger(label: "client"))
    transport.start()
    return transport
}

/// The test edge, with the authority that issued its certificate unless another is named.
func target(
    _ hostname: String = "edge.test",
    authority: String? = TestCertificates.shared.authority,
    path: String = TransportConfiguration.path,
    fields: [(name: String, value: String)] = []
) throws -> ClientTarget {
    try ClientTarget(
        hostname: hostname,
        path: path,
        fields: fields,
        trust: ClientTrust(systemRoots: false, additionalFile: authority)
    )
}

func randomMessages(_ count: Int, seed: UInt64) -> [[UInt8]] {
    var state = seed
    func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
    return (0..<count).map { index in
        let length = index % 7 == 0 ? 16_000 : 1 + Int(next() % 16_000)
        let start = next()
        return (0..<length).map { UInt8(truncatingIfNeeded: start &+ UInt64($0) &* 31) }
    }
}

/// A well-behaved client sends a message and gets it back, perhaps behind a challenge.
func expectEcho(
    _ server: TestServer,
    authority: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let client = try makeClient()
    defer { client.shutdown() }
    let peer = TestPeer(sending: [[1, 2, 3]])
    client.connect(
        socket: try dial(server.port),
        to: try target(authority: authority ?? TestCertificates.shared.authority),
        handler: peer
    )
    #expect(await peer.next() == .opened, sourceLocation: sourceLocation)
    var answer = await peer.next()
    if answer == .message(TestServer.challenge) { answer = await peer.next() }
    #expect(answer == .message([1, 2, 3]), sourceLocation: sourceLocation)
}
