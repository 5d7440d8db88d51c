import Synchronization

/// Counts connections, in all and per address, and refuses those beyond a limit.
///
/// Shared by every listener of an edge; any thread.
package final class ConnectionCounter: Sendable {
    /// How many connections may be open at once; beyond it they are refused.
    package struct Limits: Sendable {
        /// Concurrent connections of all visitors, and of connectors until they have logged in.
        package var total = 65_536
        /// Concurrent connections of one IPv4 address or one IPv6 /64.
        package var perAddress = 1_024

        /// 65,536 in all and 1,024 of one address.
        package init() {}
    }

    /// Which limit a connection would pass; the raw value is the reason for the log.
    package enum Refusal: String, Error, Sendable {
        /// ``Limits/total`` is reached.
        case tooManyConnections = "too many connections"
        /// ``Limits/perAddress`` is reached, of one IPv4 address or one IPv6 /64.
        case tooManyConnectionsFromAddress = "too many connections from this address"
    }

    private struct Counts {
        var total = 0
        var perAddress: [PeerAddress.LimitGroup: Int] = [:]
    }

    private let limits: Limits
    private let counts = Mutex(Counts())

    /// Nothing is counted yet; the limits are fixed for the counter's life.
    package init(limits: Limits = Limits()) { self.limits = limits }

    /// How many permits are out.
    package var count: Int { self.counts.withLock { $0.total } }

    /// How many addresses have permits out; an address with none takes no memory.
    package var addressCount: Int { self.counts.withLock { $0.perAddress.count } }

    /// Counts a connection from `peer` until the permit is released.
    package func admit(_ peer: PeerAddress) throws(Refusal) -> ConnectionPermit {
        let group = peer.limitGroup
        let refusal: Refusal? = self.counts.withLock { counts in
            guard counts.total < self.limits.total else { return .tooManyConnections }
            guard counts.perAddress[group, default: 0] < self.limits.perAddress else {
                return .tooManyConnectionsFromAddress
            }
            counts.total += 1
            counts.perAddress[group, default: 0] += 1
            return nil
        }
        if let refusal { throw refusal }
        return ConnectionPermit(counter: self, group: group)
    }

    fileprivate func release(_ group: PeerAddress.LimitGroup) {
        self.counts.withLock { counts in
            counts.total -= 1
            let left = counts.perAddress[group, default: 1] - 1
            counts.perAddress[group] = left > 0 ? left : nil
        }
    }
}

/// One counted connection: release it when the connection has closed. Releasing again does nothing,
/// and dropping the last reference releases too. Any thread.
package final class ConnectionPermit: Sendable {
    private let counter: ConnectionCounter
    private let group: PeerAddress.LimitGroup
    private let released = Atomic(false)

    fileprivate init(counter: ConnectionCounter, group: PeerAddress.LimitGroup) {
        self.counter = counter
        self.group = group
    }

    deinit { self.release() }

    /// Takes the connection off the counts, the first time only.
    package func release() {
        guard !self.released.exchange(true, ordering: .relaxed) else { return }
        self.counter.release(self.group)
    }
}
