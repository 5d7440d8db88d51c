import Dispatch
import Glibc
import Logging
import NIOCore
import Synchronization

@testable import CulvertEdge

/// An open front door on loopback that collects what it hands out.
final class DoorFixture: Sendable {
    /// Sockets handed out, and a way to wait for the next.
    final class Basket: Sendable {
        private let sockets = Mutex<[AcceptedSocket]>([])
        private let arrived = DispatchSemaphore(value: 0)

        func put(_ socket: AcceptedSocket) {
            self.sockets.withLock { $0.append(socket) }
            self.arrived.signal()
        }

        /// The oldest one not taken yet; nil when none comes within 30 s.
        func next() -> AcceptedSocket? {
            guard self.arrived.wait(timeout: .now() + 30) == .success else { return nil }
            return self.sockets.withLock { $0.removeFirst() }
        }

        var isEmpty: Bool { self.sockets.withLock { $0.isEmpty } }
    }

    let visitors = Basket()
    let tunnels = Basket()
    let counter: ConnectionCounter
    let door: FrontDoor
    let address: SocketAddress

    init(
        bind host: String = "127.0.0.1",
        limits: ConnectionCounter.Limits = .init(),
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        configure: (inout FrontDoor.Configuration) -> Void = { _ in }
    ) throws {
        var configuration = FrontDoor.Configuration(connectHost: "Connect.Example.com.")
        configure(&configuration)
        self.counter = ConnectionCounter(limits: limits)
        let (visitors, tunnels) = (self.visitors, self.tunnels)
        self.door = FrontDoor(
            configuration: configuration,
            counter: self.counter,
            logger: logger,
            visitors: { visitors.put($0) },
            tunnels: { tunnels.put($0) }
        )
        self.address = try self.door.start(bind: SocketAddress(ipAddress: host, port: 0))
    }

    deinit { self.door.shutdown() }

    func connect() throws -> TestClient { try TestClient(self.address) }

    /// A client that has sent a hello for `name`.
    func connect(naming name: String?) throws -> TestClient {
        let client = try self.connect()
        client.send(HelloBytes.named(name).records())
        return client
    }
}

extension AcceptedSocket {
    /// All that is waiting to be read, as a receiver of the socket finds it.
    func peekAll() -> [UInt8] {
        guard let raw = self.take() else { return [] }
        let owned = OwnedDescriptor(raw)
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(owned.raw, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        return Array(bytes.prefix(max(0, count)))
    }
}
