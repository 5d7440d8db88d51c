import CLinux
import Glibc
import NIOCore

/// A bound, listening, non-blocking TCP socket.
struct ListeningSocket: ~Copyable, Sendable {
    enum Accepted: ~Copyable {
        case connection(OwnedDescriptor, PeerAddress)
        /// The queue is empty: the next edge says when it is not.
        case none
        /// This one is lost, others may follow at once.
        case skipped
        /// The process or the machine is short of what a connection needs: errno.
        case exhausted(CInt)
    }

    let descriptor: OwnedDescriptor
    let boundAddress: SocketAddress
    /// Whether another process holds it too, so that connections can wait in its queue when it is closed here.
    let isPassed: Bool

    /// Binds with `SO_REUSEADDR`; `[::]` takes IPv4 too; port 0 takes a free one. What is accepted
    /// inherits `TCP_NODELAY`.
    init(bind address: SocketAddress, backlog: CInt) throws(FrontDoorError) {
        let name = "\(address.ipAddress ?? "?"):\(address.port ?? 0)"
        let family: CInt = address.protocol == .inet6 ? AF_INET6 : AF_INET
        let raw = socket(family, culvert_stream_flags, 0)
        guard raw >= 0 else { throw FrontDoorError(call: "socket", errno: errno, address: name) }
        let descriptor = OwnedDescriptor(raw)
        Self.set(raw, level: SOL_SOCKET, option: SO_REUSEADDR, value: 1)
        Self.set(raw, level: CInt(IPPROTO_TCP), option: TCP_NODELAY, value: 1)
        if family == AF_INET6 {
            Self.set(raw, level: CInt(IPPROTO_IPV6), option: IPV6_V6ONLY, value: 0)
        }
        let bound = address.withSockAddr { Glibc.bind(raw, $0, socklen_t($1)) }
        guard bound == 0 else { throw FrontDoorError(call: "bind", errno: errno, address: name) }
        guard Glibc.listen(raw, backlog) == 0 else {
            throw FrontDoorError(call: "listen", errno: errno, address: name)
        }
        guard let local = Self.localAddress(of: raw),
            let here = try? SocketAddress(ipAddress: local.ip, port: Int(local.port))
        else { throw FrontDoorError(call: "getsockname", errno: errno, address: name) }
        self.descriptor = descriptor
        self.boundAddress = here
        self.isPassed = false
    }

    /// Takes over a socket that listens already, which is this one's to close.
    init(passed raw: CInt) throws(FrontDoorError) {
        let descriptor = OwnedDescriptor(raw)
        let flags = fcntl(raw, F_GETFL)
        guard flags >= 0, fcntl(raw, F_SETFL, flags | O_NONBLOCK) == 0 else {
            throw FrontDoorError(call: "fcntl", errno: errno)
        }
        Self.set(raw, level: CInt(IPPROTO_TCP), option: TCP_NODELAY, value: 1)
        guard let local = Self.localAddress(of: raw),
            let here = try? SocketAddress(ipAddress: local.ip, port: Int(local.port))
        else { throw FrontDoorError(call: "getsockname", errno: errno) }
        self.descriptor = descriptor
        self.boundAddress = here
        self.isPassed = true
    }

    /// Takes one connection; never blocks.
    func accept() -> Accepted {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let raw = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                accept4(self.descriptor.raw, $0, &length, culvert_accept_flags)
            }
        }
        guard raw >= 0 else {
            return switch errno {
            case EAGAIN: .none
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: .exhausted(errno)
            case EBADF, EINVAL, ENOTSOCK, EFAULT: .none
            // Linux reports errors of the new connection here (accept(2)): they are not ours.
            default: .skipped
            }
        }
        let owned = OwnedDescriptor(raw)
        guard let peer = PeerAddress(storage) else { return .skipped }
        return .connection(owned, peer)
    }

    /// The near end of a connected or bound socket.
    static func localAddress(of descriptor: CInt) -> PeerAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length)
            }
        }
        return result == 0 ? PeerAddress(storage) : nil
    }

    /// Sets an integer option; a refusal leaves the kernel's default, which works less well.
    static func set(_ descriptor: CInt, level: CInt, option: CInt, value: CInt) {
        var value = value
        _ = setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
    }
}
