import ConfigurationFile
import CulvertConnector
import Foundation
import NIOCore
import TunnelWire

/// systemd, or whoever else set `NOTIFY_SOCKET`: told how this process stands, as sd_notify(3) has it.
///
/// Without that variable it does nothing. Any thread.
struct ServiceManager: Sendable {
    /// The socket's name in the kernel's form; nil when nobody is to be told.
    private let address: [UInt8]?

    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, and takes them out of the environment:
    /// they are for this process alone. To be made before anything else runs that reads it.
    ///
    /// From now on until the process ends, the watchdog hears of it twice in its period, for as long as
    /// every loop of `group` turns: the word goes around all of them, and a loop that hangs holds it up.
    init(group: any EventLoopGroup) {
        let environment = ProcessInfo.processInfo.environment
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { unsetenv(name) }
        self.address = environment["NOTIFY_SOCKET"].flatMap { Self.kernelName($0) }
        let isForOther = environment["WATCHDOG_PID"].map { Int32($0) != getpid() } ?? false
        guard let address, !isForOther,
            let period = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), period > 1
        else { return }
        let loops = Array(group.makeIterator())
        loops.first?.scheduleRepeatedTask(
            initialDelay: .zero,
            delay: .microseconds(period / 2)
        ) { _ in
            Self.goAround(loops[...]) { Self.send("WATCHDOG=1", to: address, waits: false) }
        }
    }

    /// The service is up: what waits for it may start.
    func ready(_ status: String) { self.tell("READY=1\nSTATUS=\(Self.line(status))") }

    /// What `systemctl status` shows, in a sentence.
    func show(_ status: String) { self.tell("STATUS=\(Self.line(status))", waits: false) }

    /// It stops, and may take `grace` for that, and a few seconds, before it is killed.
    func stopping(grace: Duration) {
        let extent = (grace + .seconds(5)).components.seconds.multipliedReportingOverflow(
            by: 1_000_000
        )
        let microseconds = extent.overflow ? Int64.max : extent.partialValue
        self.tell("STOPPING=1\nEXTEND_TIMEOUT_USEC=\(microseconds)\nSTATUS=Finishing requests")
    }

    private func tell(_ text: String, waits: Bool = true) {
        if let address { Self.send(text, to: address, waits: waits) }
    }

    /// Runs `body` on the last of the loops after each of the others has had its turn.
    private static func goAround(
        _ loops: ArraySlice<any EventLoop>,
        _ body: @escaping @Sendable () -> Void
    ) {
        guard let loop = loops.first else { return body() }
        loop.execute { Self.goAround(loops.dropFirst(), body) }
    }

    /// A path, or a name of the abstract namespace after `@`, as bytes of `sun_path`; nil for anything
    /// else and for what is too long.
    private static func kernelName(_ text: String) -> [UInt8]? {
        var name = Array(text.utf8)
        let limit = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
        guard name.count > 1, name.count < limit, [0x2F, 0x40].contains(name[0]) else { return nil }
        if name[0] == 0x40 { name[0] = 0 }
        return name
    }

    /// A status is one line of the message.
    private static func line(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    /// Sends one message. What cannot be sent is dropped: there is nobody else to tell.
    ///
    /// A new socket each time, since systemd makes its own anew when it is updated. On an event loop
    /// it must not wait for a reader.
    private static func send(_ text: String, to name: [UInt8], waits: Bool) {
        let type = CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        let size = socklen_t(offset + name.count)
        let flags = CInt(MSG_NOSIGNAL) | (waits ? 0 : CInt(MSG_DONTWAIT))
        let message = Array(text.utf8)
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, message, message.count, flags, $0, size)
            }
        }
    }
}

extension ServiceManager {
    /// How a connector stands towards the edge at `address`.
    func show(_ state: ConnectorState, edge address: HostPort) {
        switch state {
        case .connecting(nil): self.show("Dialling \(address)")
        case .connecting(let failure?): self.show("Dialling \(address); the last try: \(failure)")
        case .connected: self.show("Connected to edge \(address)")
        case .refused(let refusal): self.show("Refused by edge \(address): \(refusal.message)")
        }
    }
}
