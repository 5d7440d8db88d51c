import Foundation
import Glibc

/// A port of loopback that was free a moment ago.
func freePort() throws -> Int {
    let descriptor = try listeningSocket(port: 0)
    defer { close(descriptor) }
    return boundPort(of: descriptor)
}

/// A listening socket on loopback.
func listeningSocket(port: Int, backlog: CInt = 128) throws -> CInt {
    let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(AF_INET, type, 0)
    guard descriptor >= 0 else { throw TestFailure("no socket") }
    var yes: CInt = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
    let result = withLoopback(port: port) { bind(descriptor, $0, $1) }
    guard result == 0, listen(descriptor, backlog) == 0 else {
        close(descriptor)
        throw TestFailure("port \(port): \(String(cString: strerror(errno)))")
    }
    return descriptor
}

/// A connected socket to loopback; nil when it is refused.
func connectedSocket(port: Int) -> CInt? {
    let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(AF_INET, type, 0)
    guard descriptor >= 0 else { return nil }
    guard withLoopback(port: port, { connect(descriptor, $0, $1) }) == 0 else {
        close(descriptor)
        return nil
    }
    return descriptor
}

func boundPort(of descriptor: CInt) -> Int {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            _ = getsockname(descriptor, $0, &size)
        }
    }
    return Int(UInt16(bigEndian: address.sin_port))
}

private func withLoopback(
    port: Int,
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
) -> CInt {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(clamping: port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

/// Whether a server has accepted a connection to its port: before that it is no process's.
func hasAccepted(port: Int, in directory: TemporaryDirectory) throws -> Bool {
    let filter = ["sport", "=", ":\(port)"]
    let shown = try Finished("ss", ["-Htnp", "state", "established"] + filter, in: directory)
    guard shown.status == 0 else { throw TestFailure(shown.errors) }
    return shown.output.contains("users:")
}

/// Closes with a reset instead of a FIN.
func abortSocket(_ descriptor: CInt) {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
        descriptor,
        SOL_SOCKET,
        SO_LINGER,
        &linger,
        socklen_t(MemoryLayout.size(ofValue: linger))
    )
    close(descriptor)
}

/// A socket that has begun to connect to loopback.
func beginConnecting(port: Int) -> CInt? {
    let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_INET, type, 0)
    guard descriptor >= 0 else { return nil }
    _ = withLoopback(port: port) { connect(descriptor, $0, $1) }
    return descriptor
}
