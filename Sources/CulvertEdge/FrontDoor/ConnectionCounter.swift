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
        var perAddress: [PeerAddress.LimitGroup: Address] = [:]
    }

    private struct Address {
        var connections = 0
        let requests = RequestCount()
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
        let requests = try self.counts.withLock { counts throws(Refusal) in
            guard counts.total < self.limits.total else { throw .tooManyConnections }
            var address = counts.perAddress[group] ?? Address()
            guard address.connections < self.limits.perAddress else {
                throw .tooManyConnectionsFromAddress
            }
            counts.total += 1
            address.connections += 1
            counts.perAddress[group] = address
            return address.requests
        }
        return ConnectionPermit(counter: self, group: group, requests: requests)
    }

    fileprivate func release(_ group: PeerAddress.LimitGroup) {
        self.counts.withLock { counts in
            counts.total -= 1
            guard var address = counts.perAddress[group] else { return }
            address.connections -= 1
            counts.perAddress[group] = address.connections > 0 ? address : nil
        }
    }
}

/// One counted connection: release it when the connection has closed. Releasing again does nothing,
/// and dropping the last reference releases too. Any thread.
package final class ConnectionPermit: Sendable {
    /// Shared by all connections of the address.
    package let requests: RequestCount
    private let counter: ConnectionCounter
    private let group: PeerAddress.LimitGroup
    private let released = Atomic(false)

    fileprivate init(
        counter: ConnectionCounter,
        group: PeerAddress.LimitGroup,
        requests: RequestCount
    ) {
        self.counter = counter
        self.group = group
        self.requests = requests
    }

    deinit { self.release() }

    /// Takes the connection off the counts, the first time only.
    package func release() {
        guard !self.released.exchange(true, ordering: .relaxed) else { return }
        self.counter.release(self.group)
    }
}
