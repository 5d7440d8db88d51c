import CLibwebsockets
import Glibc

/// What a TCP connection is like now.
package struct SocketStatistics: Sendable, Equatable {
    /// The smoothed round-trip time (`tcpi_rtt`).
    package let roundTripMicroseconds: Int
    /// The shortest round trip of late, as the kernel keeps it (`tcpi_min_rtt`).
    package let minimumRoundTripMicroseconds: Int
    /// The kernel's estimate of what the path delivers; 0 before anything was sent.
    package let deliveryBytesPerSecond: Int
    /// Written to the socket, not yet sent.
    package let unsentBytes: Int
    /// Sent, not yet acknowledged.
    package let unacknowledgedSegments: Int
    /// Sent again since the connection began.
    package let retransmittedSegments: Int

    init?(descriptor: CInt) {
        var raw = culvert_tcp_statistics()
        guard culvert_read_tcp_statistics(descriptor, &raw) else { return nil }
        self.roundTripMicroseconds = Int(raw.round_trip_microseconds)
        self.minimumRoundTripMicroseconds = Int(raw.round_trip_minimum_microseconds)
        self.deliveryBytesPerSecond = Int(clamping: raw.delivery_bytes_per_second)
        self.unsentBytes = Int(raw.unsent_bytes)
        self.unacknowledgedSegments = Int(raw.unacknowledged_segments)
        self.retransmittedSegments = Int(raw.retransmitted_segments)
    }
}

/// What every tunnel socket is set to: libwebsockets sets nothing on sockets it did not open.
enum SocketOptions {
    /// TCP_NOTSENT_LOWAT (linux/tcp.h).
    static let notSentLowWater: CInt = 25
    /// Unacknowledged data for this long ends the connection (TCP_USER_TIMEOUT).
    private static let userTimeoutMilliseconds: CInt = 30_000

    /// Applies the options; one that the socket does not know (a unix socket, say) is skipped.
    static func apply(to descriptor: CInt, notSentLowWaterBytes: Int) {
        let flags = fcntl(descriptor, F_GETFL)
        if flags >= 0 { _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let tcp = CInt(IPPROTO_TCP)
        Self.set(descriptor, level: tcp, name: TCP_NODELAY, to: 1)
        Self.set(
            descriptor,
            level: tcp,
            name: Self.notSentLowWater,
            to: CInt(clamping: notSentLowWaterBytes)
        )
        Self.set(descriptor, level: SOL_SOCKET, name: SO_KEEPALIVE, to: 1)
        Self.set(descriptor, level: tcp, name: TCP_KEEPIDLE, to: 15)
        Self.set(descriptor, level: tcp, name: TCP_KEEPINTVL, to: 5)
        Self.set(descriptor, level: tcp, name: TCP_KEEPCNT, to: 3)
        Self.set(descriptor, level: tcp, name: TCP_USER_TIMEOUT, to: Self.userTimeoutMilliseconds)
    }

    /// Holds back packets that are not full, or lets them go (TCP_CORK).
    static func cork(_ descriptor: CInt, _ holds: Bool) {
        Self.set(descriptor, level: CInt(IPPROTO_TCP), name: TCP_CORK, to: holds ? 1 : 0)
    }

    static func set(_ descriptor: CInt, level: CInt, name: CInt, to value: CInt) {
        var value = value
        _ = setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<CInt>.size))
    }
}
