import Glibc
package import NIOCore

/// One end of a TCP connection. IPv4 addresses that arrive on a dual-stack listener as
/// `::ffff:a.b.c.d` are IPv4 addresses here.
package struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address as text, without brackets or zone.
    package let ip: String
    /// The TCP port, in host byte order.
    package let port: UInt16
    /// What per-address limits count: a whole IPv4 address, or the /64 an IPv6 address is in, since
    /// that is what one subscriber is given.
    package let limitGroup: LimitGroup

    /// Equal for all addresses that share one limit; an IPv4 address shares with no IPv6 one.
    package struct LimitGroup: Sendable, Hashable {
        let isIPv6: Bool
        let prefix: UInt64
    }

    package var description: String {
        self.limitGroup.isIPv6 ? "[\(self.ip)]:\(self.port)" : "\(self.ip):\(self.port)"
    }

    /// The same address as NIO has it; nil for Unix sockets.
    package init?(_ address: SocketAddress) {
        let parsed = address.withSockAddr { pointer, size in
            PeerAddress(bytes: UnsafeRawBufferPointer(start: pointer, count: size))
        }
        guard let parsed else { return nil }
        self = parsed
    }

    /// Nil for families other than IPv4 and IPv6.
    init?(_ storage: sockaddr_storage) {
        let parsed = withUnsafeBytes(of: storage) { PeerAddress(bytes: $0) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// Reads a `sockaddr_in` (port at 2, address at 4) or `sockaddr_in6` (port at 2, address at 8).
    private init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 8 else { return nil }
        let family = CInt(bytes.loadUnaligned(as: UInt16.self))
        let port = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        if family == AF_INET {
            self.init(ipv4: Array(bytes[4..<8]), port: port)
        } else if family == AF_INET6, bytes.count >= 24 {
            let address = Array(bytes[8..<24])
            let isMapped = address[..<12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
            if isMapped {
                self.init(ipv4: Array(address[12...]), port: port)
            } else {
                self.init(ipv6: address, port: port)
            }
        } else {
            return nil
        }
    }

    private init(ipv4 address: [UInt8], port: UInt16) {
        self.ip = Self.text(of: address, family: AF_INET)
        self.port = port
        self.limitGroup = LimitGroup(isIPv6: false, prefix: Self.number(address))
    }

    private init(ipv6 address: [UInt8], port: UInt16) {
        self.ip = Self.text(of: address, family: AF_INET6)
        self.port = port
        self.limitGroup = LimitGroup(isIPv6: true, prefix: Self.number(address.prefix(8)))
    }

    private static func number(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func text(of address: [UInt8], family: CInt) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            let text = address.withUnsafeBytes {
                inet_ntop(family, $0.baseAddress, buffer.baseAddress, socklen_t(buffer.count))
            }
            return text.map { String(cString: $0) } ?? "?"
        }
    }
}
