import Glibc
import HTTPSemantics
import NIOCore
import NIOPosix
import TunnelWire

/// Connects to the addresses of a name one after the other: what `noHappyEyeballs` asks for, and
/// what is enough on loopback, where a refusal comes at once.
enum SerialConnect {
    /// Both loopback addresses when `host` is `localhost` (RFC 6761 §6.3), else nil: what the machine's
    /// hosts file forgets shall not keep an origin from being found.
    static func loopback(_ host: String, _ port: Int) -> [SocketAddress]? {
        guard host.equalsIgnoringASCIICase("localhost") else { return nil }
        return ["127.0.0.1", "::1"].compactMap { try? SocketAddress(ipAddress: $0, port: port) }
    }

    /// - Returns: the first connection that is made; failed with the error of the last address.
    static func run(
        _ bootstrap: ClientBootstrap,
        addresses: [SocketAddress],
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        Self.connect(bootstrap, to: addresses[...], on: eventLoop)
    }

    /// Resolves first, and keeps to the resolver's order.
    ///
    /// - Returns: the first connection that is made; failed with the error of the last address, or
    ///   of the resolver. `bootstrap`'s connect timeout applies to each address.
    static func run(
        _ bootstrap: ClientBootstrap,
        host: String,
        port: Int,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        Self.addresses(host: host, port: port, on: eventLoop).assumeIsolated().flatMap {
            addresses in
            Self.connect(bootstrap, to: addresses[...], on: eventLoop)
        }.nonisolated()
    }

    /// - Returns: what the resolver says, in its order; failed with an `OriginFailure`.
    static func addresses(
        host: String,
        port: Int,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<[SocketAddress]> {
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try Self.resolve(host, port) }
    }

    private static func connect(
        _ bootstrap: ClientBootstrap,
        to addresses: ArraySlice<SocketAddress>,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        guard let address = addresses.first else {
            return eventLoop.makeFailedFuture(SocketAddressError.unsupported)
        }
        let attempt = bootstrap.connect(to: address)
        guard addresses.count > 1 else { return attempt }
        return attempt.assumeIsolated().flatMapError { _ in
            Self.connect(bootstrap, to: addresses.dropFirst(), on: eventLoop)
        }.nonisolated()
    }

    /// Blocks on the resolver.
    private static func resolve(_ host: String, _ port: Int) throws -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0, let first = list else {
            let reason = String(cString: gai_strerror(code))
            throw OriginFailure(.originUnreachable, "\(host) cannot be resolved: \(reason)")
        }
        defer { freeaddrinfo(first) }
        var addresses: [SocketAddress] = []
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let entry = next {
            next = entry.pointee.ai_next
            guard let raw = UnsafeRawPointer(entry.pointee.ai_addr) else { continue }
            switch entry.pointee.ai_family {
            case AF_INET:
                addresses.append(SocketAddress(raw.load(as: sockaddr_in.self)))
            case AF_INET6:
                addresses.append(SocketAddress(raw.load(as: sockaddr_in6.self)))
            default: break
            }
        }
        return addresses
    }
}
