internal import CLinux
internal import Dispatch
internal import Glibc

/// Tells when the machine's addresses or routes have changed (rtnetlink(7)): another Wi-Fi, a VPN that
/// comes up, a laptop that wakes.
enum NetworkWatch {
    /// Changes come in bursts: all within so long of the first are told as one. On a machine whose routes
    /// always change (containers that come and go), that is how often it is told.
    static let burst = DispatchTimeInterval.milliseconds(250)

    /// A value after each burst of changes, for as long as the stream is read; none where the kernel
    /// does not tell. What was not read yet is told once.
    static func changes() -> AsyncStream<Void> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let descriptor = culvert_watch_network()
            guard descriptor >= 0 else { return continuation.finish() }
            let sources = NetworkSources(descriptor) { continuation.yield() }
            continuation.onTermination = { _ in sources.cancel() }
        }
    }
}

/// What libdispatch does for a watch: reads its socket, and waits for the end of a burst.
///
/// SAFETY: the sources are made here and may be cancelled on any thread; `isDue` is the queue's.
private final class NetworkSources: @unchecked Sendable {
    private let source: any DispatchSourceRead
    private let timer: any DispatchSourceTimer
    private var isDue = false

    init(_ descriptor: CInt, onChange: @escaping @Sendable () -> Void) {
        let queue = DispatchQueue(label: "network-watch")
        let timer = DispatchSource.makeTimerSource(queue: queue)
        self.timer = timer
        self.source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        timer.setEventHandler { [weak self] in
            self?.isDue = false
            onChange()
        }
        timer.activate()
        self.source.setEventHandler { [weak self] in
            Self.drain(descriptor)
            guard let self, !self.isDue else { return }
            self.isDue = true
            timer.schedule(deadline: .now() + NetworkWatch.burst)
        }
        self.source.setCancelHandler { close(descriptor) }
        self.source.activate()
    }

    func cancel() {
        self.source.cancel()
        self.timer.cancel()
    }

    /// Throws the messages away: what they say is looked up when it matters.
    private static func drain(_ descriptor: CInt) {
        withUnsafeTemporaryAllocation(byteCount: 8_192, alignment: 8) { room in
            // ENOBUFS says that messages were lost, and that is a change, too.
            while recv(descriptor, room.baseAddress, room.count, 0) > 0 || errno == ENOBUFS {}
        }
    }
}

/// The two ends of a TCP connection, as far as the network between them matters.
struct NetworkPath: Sendable, Equatable {
    /// `sockaddr_in` or `sockaddr_in6`.
    private let remote: [UInt8]
    /// The address without its port.
    private let localAddress: [UInt8]

    /// The path of a connected socket; nil when it is none.
    init?(socket: CInt) {
        guard let remote = Self.name(of: socket, getpeername),
            let local = Self.name(of: socket, getsockname)
        else { return nil }
        self.remote = remote
        self.localAddress = Self.address(in: local)
    }

    /// Whether a connection made now would leave from another address; false when it could not leave
    /// at all. Sends nothing: it asks the kernel's routes.
    var hasMoved: Bool {
        let family = self.remote.withUnsafeBytes { culvert_name_family($0.baseAddress) }
        let probe = socket(
            family,
            CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue),
            0
        )
        guard probe >= 0 else { return false }
        defer { close(probe) }
        let isRouted = self.remote.withUnsafeBytes { bytes in
            guard let name = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress else {
                return false
            }
            return connect(probe, name, socklen_t(bytes.count)) == 0
        }
        guard isRouted, let local = Self.name(of: probe, getsockname) else { return false }
        return Self.address(in: local) != self.localAddress
    }

    private static func name(
        of socket: CInt,
        _ ask: (CInt, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>?) -> CInt
    ) -> [UInt8]? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { ask(socket, $0, &length) }
        }
        guard result == 0 else { return nil }
        let bytes = withUnsafeBytes(of: storage) { Array($0.prefix(Int(length))) }
        switch CInt(storage.ss_family) {
        case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size: return bytes
        case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size: return bytes
        default: return nil
        }
    }

    private static func address(in name: [UInt8]) -> [UInt8] {
        let isIPv4 = name.withUnsafeBytes { culvert_name_family($0.baseAddress) } == AF_INET
        let offset = Int(isIPv4 ? culvert_ipv4_offset : culvert_ipv6_offset)
        return Array(name.dropFirst(offset).prefix(isIPv4 ? 4 : 16))
    }
}
