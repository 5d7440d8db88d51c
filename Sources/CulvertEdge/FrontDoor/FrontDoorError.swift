import Glibc

/// Why the front door could not be opened.
package struct FrontDoorError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The system call that failed.
    package let call: String
    /// Its errno.
    package let errno: CInt
    /// The address it was about; nil when it was about none.
    package let address: String?

    init(call: String, errno: CInt, address: String? = nil) {
        self.call = call
        self.errno = errno
        self.address = address
    }

    package var description: String {
        let reason = String(cString: strerror(self.errno))
        guard let address else { return "\(self.call): \(reason)" }
        return switch self.errno {
        case EADDRINUSE:
            "cannot listen on \(address): another process listens there already"
        case EACCES:
            "cannot listen on \(address): not allowed; ports below 1024 need CAP_NET_BIND_SERVICE"
        case EADDRNOTAVAIL:
            "cannot listen on \(address): this machine has no such address"
        default:
            "cannot listen on \(address): \(self.call): \(reason)"
        }
    }
}
