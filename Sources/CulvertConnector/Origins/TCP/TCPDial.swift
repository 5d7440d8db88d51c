import Glibc
import HTTPSemantics
import NIOCore
import NIOPosix
import TunnelWire

/// Why a carried connection was not made.
struct TCPDialFailure: Error {
    enum Kind {
        /// By `ipRules`.
        case denied
        case refused
        case unreachable
        case timedOut
    }

    var kind: Kind
    /// Words for this end's log.
    var detail: String
    /// What the tunnel's peer is told.
    var code: ResetCode { self.kind == .timedOut ? .originTimeout : .originUnreachable }
}

/// Opens the TCP connection that one exchange carries. Confined to its event loop.
///
/// `connectTimeout` is for all of it, the resolver's time included. Where rules bound it, the name is
/// resolved first, and only addresses that they allow are dialled.
final class TCPDial {
    private let eventLoop: any EventLoop
    private let destination: TCPDestination
    private let options: OriginOptions
    private let rules: [IPRule]?
    /// Nil once it was told, or no longer wants to be.
    private var completion: ((Result<TCPConnection, TCPDialFailure>) -> Void)?
    /// What is being connected: several when addresses race (RFC 8305).
    private var channels: [any Channel] = []
    private var timer: Scheduled<Void>?

    /// `rules` bound where it may go: nil for no bounds, and an empty list denies everything.
    /// `completion` is called once on the loop, unless cancelled; it may be while `start` runs.
    init(
        to destination: TCPDestination,
        options: OriginOptions,
        rules: [IPRule]?,
        on eventLoop: any EventLoop,
        completion: @escaping (Result<TCPConnection, TCPDialFailure>) -> Void
    ) {
        self.destination = destination
        self.options = options
        self.rules = rules
        self.eventLoop = eventLoop
        self.completion = completion
    }

    func start() {
        let dial = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.timer = self.eventLoop.scheduleTask(in: TimeAmount(self.options.connectTimeout)) {
            dial.value.fail(.timedOut, "no connection in time")
        }
        if let rules {
            self.resolve(within: rules)
        } else {
            self.finish(self.connect())
        }
    }

    /// Stops: nobody is told, and sockets that are being connected are closed.
    func cancel() {
        self.completion = nil
        self.timer?.cancel()
        self.closeChannels()
    }

    private func connect() -> EventLoopFuture<any Channel> {
        let (host, port) = (self.destination.host, self.destination.port)
        let bootstrap = self.bootstrap()
        if let address = try? SocketAddress(ipAddress: host, port: port) {
            return bootstrap.connect(to: address)
        } else if let addresses = SerialConnect.loopback(host, port) {
            return SerialConnect.run(bootstrap, addresses: addresses, on: self.eventLoop)
        } else if self.options.noHappyEyeballs {
            return SerialConnect.run(bootstrap, host: host, port: port, on: self.eventLoop)
        }
        return bootstrap.connect(host: host, port: port)
    }

    private func resolve(within rules: [IPRule]) {
        SerialConnect.addresses(
            host: self.destination.host,
            port: self.destination.port,
            on: self.eventLoop
        ).assumeIsolated().whenComplete { result in
            guard self.completion != nil else { return }
            switch result {
            case .failure(let error): self.fail(.unreachable, "\(error)")
            case .success(let addresses):
                let allowed = addresses.filter { address in
                    IPAddress(address).map { rules.allow($0, port: self.destination.port) } ?? false
                }
                guard !allowed.isEmpty else {
                    return self.fail(.denied, "not allowed by ipRules")
                }
                let bootstrap = self.bootstrap()
                self.finish(SerialConnect.run(bootstrap, addresses: allowed, on: self.eventLoop))
            }
        }
    }

    private func bootstrap() -> ClientBootstrap {
        let dial = NIOLoopBound(self, eventLoop: self.eventLoop)
        return ClientBootstrap(group: self.eventLoop)
            .origin(self.options)
            .tcp(self.options)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try dial.value.configure(channel) }
            }
    }

    private func configure(_ channel: any Channel) throws {
        guard self.completion != nil else { throw CancellationError() }
        self.channels.append(channel)
        try channel.pipeline.syncOperations.addHandler(TCPConnection())
    }

    private func finish(_ connecting: EventLoopFuture<any Channel>) {
        connecting.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel)
            case .failure(let error): self.failConnect(error)
            }
        }
    }

    private func connected(_ channel: any Channel) {
        guard let completion else { return channel.close(promise: nil) }
        guard
            let connection = try? channel.pipeline.syncOperations.handler(type: TCPConnection.self)
        else {
            return self.fail(.unreachable, "closed while connecting")
        }
        self.completion = nil
        self.timer?.cancel()
        self.channels.removeAll()
        completion(.success(connection))
    }

    private func failConnect(_ error: any Error) {
        let nested = (error as? NIOConnectionError).map { $0.connectionErrors.map(\.error) }
        let errors = [error] + (nested ?? [])
        let isTimeout = errors.contains { error in
            if case .connectTimeout = error as? ChannelError { true } else { false }
        }
        let isRefused = errors.contains { ($0 as? IOError)?.errnoCode == ECONNREFUSED }
        self.fail(isTimeout ? .timedOut : isRefused ? .refused : .unreachable, "\(error)")
    }

    private func fail(_ kind: TCPDialFailure.Kind, _ detail: String) {
        guard let completion else { return }
        self.completion = nil
        self.timer?.cancel()
        self.closeChannels()
        completion(
            .failure(TCPDialFailure(kind: kind, detail: "\(self.destination): \(detail)"))
        )
    }

    private func closeChannels() {
        let channels = self.channels
        self.channels.removeAll()
        for channel in channels { channel.close(promise: nil) }
    }
}

@available(*, unavailable)
extension TCPDial: Sendable {}

extension IPAddress {
    /// The address of a socket; nil for a Unix one.
    fileprivate init?(_ address: SocketAddress) {
        guard let text = address.ipAddress else { return nil }
        self.init(text)
    }
}
