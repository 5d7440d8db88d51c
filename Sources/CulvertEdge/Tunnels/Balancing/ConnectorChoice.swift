internal import CulvertControl

/// Decides which connector has a request. Pure: how the connectors stand comes in as an argument.
///
/// In this order: connectors that are healthy before the others, which are used when there is no
/// healthy one (an origin's own error says more than an edge's that refuses to ask it; Envoy calls this
/// panic mode); of a sticky hostname the visitor's own before the others; then by requests under way, or
/// by turns.
struct ConnectorChoice {
    /// A connector's session at this moment.
    struct Candidate: Equatable {
        enum Link: Equatable {
            case connected
            /// Lost, for so short a time that it is likely to be back at once.
            case returning
            /// Not to be had: away for longer, leaving, or not one that serves the hostname.
            case gone
        }

        var link = Link.connected
        /// Under way.
        var requests = 0
        /// Its origin for the hostname passes its health checks, or has none.
        var isHealthy = true
        /// The visitor's cookie names it.
        var isOwn = false
    }

    enum Result: Equatable {
        /// The one at this index.
        case use(Int)
        /// The visitor's own is to be waited for.
        case awaitOwn
        /// All that are connected have as many requests as they may.
        case full
        /// None is connected.
        case nobody
    }

    let balance: Balance
    /// A connector with so many under way gets no more.
    let maximumRequests: Int

    /// The choice among `count` candidates, each of which is asked for once; of equals, the first from
    /// `start` on, round the end.
    func choose(from start: Int, of count: Int, _ candidate: (Int) -> Candidate) -> Result {
        var best: (index: Int, rank: Rank, requests: Int)?
        var awaited: Rank?
        var isFull = false
        for step in 0..<count {
            let index = (start + step) % count
            let candidate = candidate(index)
            let rank = Rank(candidate)
            switch candidate.link {
            case .gone: continue
            case .returning:
                if candidate.isOwn { awaited = min(awaited ?? rank, rank) }
                continue
            case .connected: break
            }
            guard candidate.requests < self.maximumRequests else {
                isFull = true
                continue
            }
            if let best, !self.isBetter(rank, candidate.requests, than: best) { continue }
            best = (index, rank, candidate.requests)
        }
        if let awaited, best.map({ awaited < $0.rank }) ?? true { return .awaitOwn }
        if let best { return .use(best.index) }
        return isFull ? .full : .nobody
    }

    private func isBetter(
        _ rank: Rank,
        _ requests: Int,
        than best: (index: Int, rank: Rank, requests: Int)
    ) -> Bool {
        guard rank == best.rank else { return rank < best.rank }
        return self.balance != .roundRobin && requests < best.requests
    }

    /// The best first.
    private enum Rank: Int, Comparable {
        case healthyOwn
        case healthy
        case own
        case other

        init(_ candidate: Candidate) {
            self =
                candidate.isHealthy
                ? (candidate.isOwn ? .healthyOwn : .healthy)
                : (candidate.isOwn ? .own : .other)
        }

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }
}
