internal import Dispatch
internal import Glibc

/// Why no TCP connection came about; the message is for a person.
package struct DialError: Error, Sendable, Equatable, CustomStringConvertible {
    /// How far the dial came.
    package enum Step: Sendable, Equatable {
        /// The name has no address, or the resolver failed.
        case resolve
        /// No address took a connection, at the latest 10 s after the name was resolved.
        case connect
    }

    /// Where it ended.
    package var step: Step
    /// The host, its port too after it was resolved, and the system's words.
    package var description: String
}

/// Opens TCP connections: resolves the name, tries the addresses with a head start of 250 ms each
/// (RFC 8305, without its sorting: getaddrinfo has sorted), and keeps the first that answers.
enum Dialler {
    static let timeoutMilliseconds: CInt = 10_000
    private static let headStartMilliseconds: CInt = 250
    private static let maximumAddresses = 16

    /// A connected, non-blocking socket that belongs to the caller.
    ///
    /// Occupies a thread of libdispatch's, because name resolution blocks, for as long as the resolver
    /// is configured to wait; cancelling the task does not interrupt it, it ends by itself.
    static func connect(host: String, port: UInt16) async throws(DialError) -> CInt {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<CInt, DialError>, Never>) in
            DispatchQueue.global().async {
                continuation.resume(returning: Self.blockingConnect(host: host, port: port))
            }
        }
        return try result.get()
    }

    private static func blockingConnect(host: String, port: UInt16) -> Result<CInt, DialError> {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0, let first = list else {
            let words = String(cString: gai_strerror(status))
            return .failure(DialError(step: .resolve, description: "\(host): \(words)"))
        }
        defer { freeaddrinfo(first) }
        var race = ConnectRace(name: "\(host):\(port)")
        var next: UnsafeMutablePointer<addrinfo>? = first
        var remaining = Self.timeoutMilliseconds
        var tried = 0
        while let address = next, tried < Self.maximumAddresses {
            tried += 1
            next = address.pointee.ai_next
            race.begin(address.pointee)
            let isLast = next == nil || tried == Self.maximumAddresses
            let patience = isLast ? remaining : min(remaining, Self.headStartMilliseconds)
            if let winner = race.wait(milliseconds: patience) { return .success(winner) }
            remaining -= patience
        }
        return .failure(race.giveUp())
    }
}

/// Connection attempts under way at once, of which one may win.
private struct ConnectRace {
    private let name: String
    private var sockets: [CInt] = []
    private var lastError: CInt = ETIMEDOUT

    init(name: String) { self.name = name }

    mutating func begin(_ address: addrinfo) {
        let type = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.ai_family, type, 0)
        guard descriptor >= 0 else { return self.lastError = errno }
        if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0
            || errno == EINPROGRESS
        {
            self.sockets.append(descriptor)
        } else {
            self.lastError = errno
            close(descriptor)
        }
    }

    /// The first socket to connect within the time; the others are closed then.
    mutating func wait(milliseconds: CInt) -> CInt? {
        let end = DispatchTime.now() + .milliseconds(Int(milliseconds))
        while !self.sockets.isEmpty {
            let now = DispatchTime.now()
            guard now < end else { return nil }
            let left = CInt((end.uptimeNanoseconds - now.uptimeNanoseconds) / 1_000_000) + 1
            var polled = self.sockets.map { pollfd(fd: $0, events: Int16(POLLOUT), revents: 0) }
            guard poll(&polled, nfds_t(polled.count), left) > 0 else { continue }
            for entry in polled where entry.revents != 0 {
                let error = Self.error(of: entry.fd)
                self.sockets.removeAll { $0 == entry.fd }
                guard error == 0 else {
                    self.lastError = error
                    close(entry.fd)
                    continue
                }
                for loser in self.sockets { close(loser) }
                self.sockets = []
                return entry.fd
            }
        }
        return nil
    }

    mutating func giveUp() -> DialError {
        if !self.sockets.isEmpty { self.lastError = ETIMEDOUT }
        for descriptor in self.sockets { close(descriptor) }
        self.sockets = []
        let words = String(cString: strerror(self.lastError))
        return DialError(step: .connect, description: "\(self.name): \(words)")
    }

    private static func error(of descriptor: CInt) -> CInt {
        var error: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
        return error
    }
}
