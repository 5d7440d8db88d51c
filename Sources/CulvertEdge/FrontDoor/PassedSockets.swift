import ConfigurationFile
import Foundation
import Glibc

/// Listening sockets that were opened for this process, as sd_listen_fds(3) has it.
///
/// systemd keeps them while one process takes the place of another: connections wait in their queues,
/// and nobody is refused. A socket named `https`, `http` or `metrics` is for that key of `listen`; with
/// any other name, which is systemd's default, it is for the key that has its port. A key that no socket
/// is for is listened on as without this.
package struct PassedSockets: Sendable {
    /// A key of `listen`.
    enum Key: String, CaseIterable {
        case https, http, metrics
    }

    /// One of them, which listens.
    struct Socket: Sendable {
        /// Closed by whoever takes it over.
        var descriptor: CInt
        var address: HostPort
    }

    /// The first descriptor that is passed (sd_listen_fds(3)).
    private static let first: CInt = 3
    /// More than this is no edge's: nothing is taken then.
    private static let maximumCount: CInt = 64

    private var sockets: [(socket: Socket, name: String)] = []

    /// None.
    package init() {}

    /// Takes over the sockets that `LISTEN_FDS` announces, if `LISTEN_PID` is this process, and takes those
    /// variables and `LISTEN_FDNAMES` out of the environment. Programs that are run do not get the sockets.
    ///
    /// To be called once, before anything else opens or closes a descriptor.
    ///
    /// - Throws: `EdgeStartError` naming the descriptor that is no listening TCP socket.
    package init(environment: [String: String]) throws(EdgeStartError) {
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] {
            unsetenv(name)
        }
        guard environment["LISTEN_PID"].flatMap({ pid_t($0) }) == getpid() else { return }
        guard let text = environment["LISTEN_FDS"], let count = CInt(text),
            (0...Self.maximumCount).contains(count)
        else {
            throw EdgeStartError(
                message: "LISTEN_FDS is \(environment["LISTEN_FDS"] ?? "not there"): "
                    + "it has to be a number up to \(Self.maximumCount)"
            )
        }
        let names = environment["LISTEN_FDNAMES"].map {
            $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        }
        for index in 0..<count {
            let descriptor = Self.first + index
            let name = names.flatMap { $0.indices.contains(Int(index)) ? $0[Int(index)] : nil }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            guard let address = Self.listeningAddress(of: descriptor) else {
                throw EdgeStartError(
                    message:
                        "descriptor \(descriptor) (\(name ?? "no name")), passed in LISTEN_FDS, "
                        + "is not a listening TCP socket: `ListenStream=` of its unit has to be a port, "
                        + "or an address with one, and `Accept=` to be no"
                )
            }
            self.sockets.append((Socket(descriptor: descriptor, address: address), name ?? ""))
        }
    }

    /// Which socket is for which key of `listen`.
    ///
    /// - Throws: `EdgeStartError` naming a socket that no key asks for, or that comes second for one: who
    ///   connects to it would wait for good.
    func assigned(
        to listen: EdgeConfiguration.Listen
    ) throws(EdgeStartError) -> [Key: Socket] {
        let wanted: [(Key, HostPort?)] = [
            (.https, listen.https), (.http, listen.http), (.metrics, listen.metrics),
        ]
        var assigned: [Key: Socket] = [:]
        for (socket, name) in self.sockets {
            let port = socket.address.port
            let byPort = wanted.first { $0.1?.port == port }?.0
            guard let key = Key(rawValue: name) ?? byPort else {
                throw EdgeStartError(
                    message: "a socket on \(socket.address) was passed, and no key of `listen` has "
                        + "port \(port): change `ListenStream=` of its unit, or `listen`"
                )
            }
            guard wanted.contains(where: { $0.0 == key && $0.1 != nil }) else {
                throw EdgeStartError(
                    message:
                        "a socket named \(key.rawValue), on \(socket.address), was passed, and "
                        + "`listen.\(key.rawValue)` is off: remove it from its unit, or name an address"
                )
            }
            if let other = assigned[key] {
                throw EdgeStartError(
                    message:
                        "two sockets were passed for `listen.\(key.rawValue)`, on \(other.address) "
                        + "and \(socket.address): it takes one; [::]:\(port) with `BindIPv6Only=both` "
                        + "is IPv4 and IPv6"
                )
            }
            assigned[key] = socket
        }
        return assigned
    }

    /// Where a TCP socket listens; nil for whatever else the descriptor is.
    private static func listeningAddress(of descriptor: CInt) -> HostPort? {
        var isListening: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        let code = getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size)
        // Only IPv4 and IPv6 have such an address, and only their TCP sockets listen, SCTP aside.
        guard code == 0, isListening == 1,
            let local = ListeningSocket.localAddress(of: descriptor)
        else { return nil }
        return HostPort(host: local.ip, port: Int(local.port))
    }
}
