internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import TunnelWire

/// The public TCP ports that connectors have: each is listened on from the first login that asks for it to
/// the end of the last session that has it.
///
///     LOGIN tcp-port ──▶ open ──▶ a listener ──▶ TCPVisitor, one for each connection
///     a session ends ──▶ close
///
/// Any thread; opening a port takes three system calls and waits for nothing.
final class TCPPorts: Sendable {
    /// Ports that one tunnel may have; beyond it a login is refused.
    static let maximumPorts = 8
    private static let backlog: CInt = 1_024

    /// A port that is listened on.
    private struct OpenPort {
        let owner: ServedTunnel.Identity
        /// Sessions that have it.
        var sessions = 1
        let listener: EventLoopFuture<any Channel>
    }

    private struct Contents {
        var ports: [Int: OpenPort] = [:]
        var isStopped = false
    }

    /// Sets up the connection of a visitor to a port; in the channel's initializer, on its loop.
    typealias Acceptor = @Sendable (_ channel: any Channel, _ port: Int) throws -> Void

    private let range: TCPPortRange
    /// Where visitors are told to connect to.
    private let publicHost: String
    private let group: any EventLoopGroup
    private let logger: Logger
    private let acceptor = Mutex<Acceptor?>(nil)
    private let contents = Mutex(Contents())

    /// `publicHost` is the edge's name; an edge that listens on loopback tells that address instead.
    init(_ range: TCPPortRange, publicHost: String, group: any EventLoopGroup, logger: Logger) {
        self.range = range
        let isLoopback = range.host.hasPrefix("127.") || range.host == "::1"
        let address = range.host.contains(":") ? "[\(range.host)]" : range.host
        self.publicHost = isLoopback ? address : publicHost
        self.group = group
        self.logger = logger
    }

    /// Who takes the connections; must be called once, before connectors are let in.
    func serve(_ acceptor: @escaping Acceptor) { self.acceptor.withLock { $0 = acceptor } }

    /// The key of a port among the hostnames of the directory; no hostname looks like it.
    static func key(_ port: Int) -> String { "tcp:\(port)" }

    /// Where visitors reach a port, for a person.
    func url(of port: Int) -> String { "tcp://\(self.publicHost):\(port)" }

    /// Opens the ports that a login asks for, 0 for any that is free; all or none.
    ///
    /// Those that the same tunnel has already it shares. Each is to be closed again by ``close(_:)``.
    func open(_ asked: [Int], for owner: ServedTunnel.Identity) -> Result<[Int], Refusal> {
        guard asked.count <= Self.maximumPorts else { return .failure(.tooManyPorts) }
        var opened: [Int] = []
        for port in asked {
            switch self.open(port, for: owner) {
            case .success(let number): opened.append(number)
            case .failure(let refusal):
                self.close(opened)
                return .failure(refusal)
            }
        }
        return .success(opened)
    }

    private func open(_ asked: Int, for owner: ServedTunnel.Identity) -> Result<Int, Refusal> {
        let isAnyAllowed = self.range.ports == 0...0
        guard asked == 0 || isAnyAllowed || self.range.ports.contains(asked) else {
            return .failure(
                .port(
                    "port \(asked) is not one of \(self.range.ports.lowerBound) to "
                        + "\(self.range.ports.upperBound)"
                )
            )
        }
        return self.contents.withLock { contents in
            guard !contents.isStopped else { return .failure(.port("this edge is stopping")) }
            if asked != 0, var open = contents.ports[asked] {
                guard open.owner == owner else {
                    return .failure(.port("port \(asked) belongs to another tunnel"))
                }
                open.sessions += 1
                contents.ports[asked] = open
                return .success(asked)
            }
            guard contents.ports.values.count(where: { $0.owner == owner }) < Self.maximumPorts
            else { return .failure(.tooManyPorts) }
            guard let socket = self.bind(asked, except: contents.ports) else {
                let what = asked == 0 ? "no port is free" : "port \(asked) is not free"
                return .failure(.port(what, isPermanent: false))
            }
            let port = socket.boundAddress.port ?? 0
            contents.ports[port] = OpenPort(
                owner: owner,
                listener: self.listen(socket.descriptor.release(), port: port)
            )
            return .success(port)
        }
    }

    /// A socket at the port asked for, or at the first that is free from a random one on.
    private func bind(_ asked: Int, except open: [Int: OpenPort]) -> ListeningSocket? {
        guard asked == 0, self.range.ports != 0...0 else {
            return self.socket(port: asked)
        }
        let count = self.range.ports.count
        let start = Int.random(in: 0..<count)
        for offset in 0..<count {
            let port = self.range.ports.lowerBound + (start + offset) % count
            guard open[port] == nil else { continue }
            if let socket = self.socket(port: port) { return socket }
        }
        return nil
    }

    private func socket(port: Int) -> ListeningSocket? {
        let host = self.range.host.isEmpty ? "0.0.0.0" : self.range.host
        guard let address = try? SocketAddress(ipAddress: host, port: port) else { return nil }
        return try? ListeningSocket(bind: address, backlog: Self.backlog)
    }

    private func listen(_ descriptor: CInt, port: Int) -> EventLoopFuture<any Channel> {
        let acceptor = self.acceptor.withLock { $0 }
        let listener = ServerBootstrap(group: self.group)
            // Without a free descriptor a connection in the queue would be tried again and again.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let acceptor else { throw ChannelError.ioOnClosedChannel }
                    try acceptor(channel, port)
                }
            }
            .withBoundSocket(descriptor)
        listener.whenFailure { [logger] error in
            logger.error("A TCP port cannot be served: \(error)", metadata: ["port": "\(port)"])
        }
        return listener
    }

    /// A session that has had the ports is over; what no other has is no longer listened on.
    func close(_ ports: [Int]) {
        let unused = self.contents.withLock { contents in
            ports.compactMap { port -> EventLoopFuture<any Channel>? in
                guard var open = contents.ports[port] else { return nil }
                open.sessions -= 1
                contents.ports[port] = open.sessions > 0 ? open : nil
                return open.sessions > 0 ? nil : open.listener
            }
        }
        for listener in unused { listener.whenSuccess { $0.close(promise: nil) } }
    }

    /// Listens no more, for good; connections that are there go on.
    func stopAccepting() async {
        let open = self.contents.withLock { contents in
            contents.isStopped = true
            defer { contents.ports = [:] }
            return contents.ports.values.map(\.listener)
        }
        for listener in open { try? await listener.get().close() }
    }
}

extension Refusal {
    fileprivate static func port(_ words: String, isPermanent: Bool = true) -> Refusal {
        Refusal(
            code: .hostnameRefused,
            isPermanent: isPermanent,
            retryAfterMilliseconds: isPermanent ? 0 : 10_000,
            message: words
        )
    }

    fileprivate static let tooManyPorts = Refusal.port(
        "a tunnel has at most \(TCPPorts.maximumPorts) ports"
    )

    /// For a login that asks for a port of an edge that has none to give.
    static let noPorts = Refusal.port(
        "this edge gives no TCP ports (`tcp-ports` in its configuration)"
    )
}
