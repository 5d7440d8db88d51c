import Foundation
import Glibc
import Synchronization

/// The socket that a service manager listens on, and what a service has told it.
final class NotifySocket: Sendable {
    /// For `NOTIFY_SOCKET`: a path, or a name of the abstract namespace after `@`.
    let name: String

    private let messages = Mutex<[String]>([])
    private let isOver = Atomic<Bool>(false)

    /// Starts to listen; a thread of its own takes what comes until the test ends.
    init(_ name: String) throws {
        self.name = name
        let type = CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        var bytes = Array(name.utf8)
        if name.hasPrefix("@") { bytes[0] = 0 }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let size = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        guard descriptor >= 0, result == 0 else { throw TestFailure("cannot listen at \(name)") }
        Thread.detachNewThread { self.receive(descriptor) }
        ProcessScope.current?.atEnd { self.isOver.store(true, ordering: .relaxed) }
    }

    /// The lines of all messages so far, in order.
    var lines: [String] {
        self.messages.withLock { $0.flatMap { $0.split(separator: "\n").map(String.init) } }
    }

    /// Waits until a line begins so, `count` times.
    @discardableResult
    func line(_ start: String, times count: Int = 1, within seconds: Double = 20) throws -> String {
        try waitFor(
            "\(count) times \(start)",
            seconds: seconds,
            explain: { self.lines.joined(separator: "\n") }
        ) {
            let found = self.lines.filter { $0.hasPrefix(start) }
            return found.count < count ? nil : found[count - 1]
        }
    }

    private func receive(_ descriptor: CInt) {
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !self.isOver.load(ordering: .relaxed) {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, 10) > 0 else { continue }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { continue }
            let text = String(decoding: buffer[..<count], as: UTF8.self)
            self.messages.withLock { $0.append(text) }
        }
    }
}
