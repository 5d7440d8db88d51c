import Foundation
import Glibc
import NIOCore

/// A blocking TCP client on loopback, closed with its last reference. Reads give up after 30 s.
final class TestClient {
    let raw: CInt

    init(_ address: SocketAddress) throws {
        let family: CInt = address.protocol == .inet6 ? AF_INET6 : AF_INET
        self.raw = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var timeout = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(
            self.raw,
            SOL_SOCKET,
            SO_RCVTIMEO,
            &timeout,
            socklen_t(MemoryLayout<timeval>.size)
        )
        var one: CInt = 1
        setsockopt(self.raw, CInt(6), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        let result = address.withSockAddr { connect(self.raw, $0, socklen_t($1)) }
        guard result == 0 else { throw Failure(call: "connect", errno: errno) }
    }

    deinit { close(self.raw) }

    struct Failure: Error {
        var call: String
        var errno: CInt
    }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(self.raw, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    func finishSending() { _ = shutdown(self.raw, CInt(SHUT_WR)) }

    /// All until the peer closes; nil when it reset the connection or said nothing for 30 s.
    func readToEnd() -> [UInt8]? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = recv(self.raw, &chunk, chunk.count, 0)
            guard count >= 0 else { return nil }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// Waits until the peer closed or reset the connection; false after 30 s.
    func waitForClose() -> Bool {
        var byte: UInt8 = 0
        while true {
            let count = recv(self.raw, &byte, 1, 0)
            if count == 0 { return true }
            if count < 0 { return errno != EAGAIN }
        }
    }
}

/// How many descriptors of a kind this process has open, by what `/proc` calls them.
func openDescriptors(named prefix: String) -> Int {
    let files = FileManager.default
    let names = (try? files.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.count { name in
        let target = try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
        return target?.hasPrefix(prefix) == true
    }
}

/// The greatest number of a descriptor that this process has open.
func highestDescriptor() -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.compactMap(Int.init).max() ?? 0
}
