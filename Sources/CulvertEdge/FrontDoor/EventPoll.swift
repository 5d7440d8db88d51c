import CLinux
import Glibc

/// An epoll instance of edge-triggered descriptors, each known by a token that is never reused, so
/// that an event of a descriptor just closed finds nobody. One thread, but for ``wake()``.
struct EventPoll: ~Copyable, Sendable {
    struct Event {
        var token: UInt64
        /// The peer closed its half or the connection broke; there may be bytes before that.
        var hungUp: Bool
    }

    static let wakeToken: UInt64 = 0

    private let epoll: OwnedDescriptor
    private let waker: OwnedDescriptor

    init() throws(FrontDoorError) {
        let epoll = epoll_create1(culvert_epoll_flags)
        guard epoll >= 0 else { throw FrontDoorError(call: "epoll_create1", errno: errno) }
        let owned = OwnedDescriptor(epoll)
        let waker = eventfd(0, culvert_eventfd_flags)
        guard waker >= 0 else { throw FrontDoorError(call: "eventfd", errno: errno) }
        let ownedWaker = OwnedDescriptor(waker)
        guard Self.add(waker, token: Self.wakeToken, to: epoll) else {
            throw FrontDoorError(call: "epoll_ctl", errno: errno)
        }
        self.epoll = owned
        self.waker = ownedWaker
    }

    /// Whether the kernel took it; it does not when memory or watches run out.
    func add(_ descriptor: CInt, token: UInt64) -> Bool {
        Self.add(descriptor, token: token, to: self.epoll.raw)
    }

    private static func add(_ descriptor: CInt, token: UInt64, to epoll: CInt) -> Bool {
        var event = epoll_event()
        event.events = culvert_edge_events
        event.data.u64 = token
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    func remove(_ descriptor: CInt) {
        var event = epoll_event()
        _ = epoll_ctl(self.epoll.raw, EPOLL_CTL_DEL, descriptor, &event)
    }

    /// Makes ``wait(timeoutMilliseconds:into:)`` return. Any thread.
    func wake() {
        var one: UInt64 = 1
        _ = Glibc.write(self.waker.raw, &one, MemoryLayout<UInt64>.size)
    }

    /// Waits for events, replacing those in `events`; a negative timeout waits for ever.
    func wait(timeoutMilliseconds: CInt, into events: inout [Event]) {
        events.removeAll(keepingCapacity: true)
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 256) { buffer in
            let count = epoll_wait(self.epoll.raw, buffer.baseAddress, 256, timeoutMilliseconds)
            for index in 0..<max(0, Int(count)) {
                let event = buffer[index]
                let hungUp = event.events & culvert_hangup_events != 0
                events.append(Event(token: event.data.u64, hungUp: hungUp))
            }
        }
        if events.contains(where: { $0.token == Self.wakeToken }) {
            var count: UInt64 = 0
            _ = Glibc.read(self.waker.raw, &count, MemoryLayout<UInt64>.size)
        }
    }
}
