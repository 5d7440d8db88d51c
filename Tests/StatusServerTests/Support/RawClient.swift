import Glibc

/// A blocking TCP connection to loopback that sends whatever it likes.
final class RawClient: Sendable {
    struct Failed: Error {}

    private let descriptor: CInt

    init(port: Int) throws {
        self.descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let descriptor = self.descriptor
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0, result == 0 else { throw Failed() }
    }

    deinit { close(self.descriptor) }

    /// As much as the server takes; false once it takes no more.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(self.descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Whether the server answers or closes before `milliseconds` have passed.
    func hears(within milliseconds: CInt) -> Bool {
        var entry = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }

    func finish() { shutdown(self.descriptor, CInt(SHUT_WR)) }

    /// Up to `count` bytes; fewer at the end or a reset.
    func read(_ count: Int) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count < count {
            let wanted = min(buffer.count, count - bytes.count)
            let received = buffer.withUnsafeMutableBytes {
                recv(self.descriptor, $0.baseAddress, wanted, 0)
            }
            guard received > 0 else { break }
            bytes.append(contentsOf: buffer[..<received])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func readToEnd() -> String { self.read(.max) }
}
