import CulvertControl
import Testing

@testable import CulvertEdge

/// Which connector has a request.
@Suite struct ConnectorChoiceTests {
    private typealias Candidate = ConnectorChoice.Candidate

    private func choose(
        _ balance: Balance,
        from start: Int = 0,
        maximum: Int = 100,
        _ candidates: [Candidate]
    ) -> ConnectorChoice.Result {
        ConnectorChoice(balance: balance, maximumRequests: maximum).choose(
            from: start,
            of: candidates.count
        ) { candidates[$0] }
    }

    /// The choices of `count` requests that end at once, in the pool's way of going round.
    private func turns(_ count: Int, _ candidates: [Candidate]) -> [Int] {
        var turn = 0
        return (0..<count).compactMap { _ in
            guard case .use(let index) = self.choose(.roundRobin, from: turn, candidates) else {
                return nil
            }
            turn = (index + 1) % candidates.count
            return index
        }
    }

    @Test func theFewestUnderWay() {
        let candidates = [3, 1, 2].map { Candidate(requests: $0) }
        for start in 0..<3 {
            #expect(self.choose(.leastRequests, from: start, candidates) == .use(1))
        }
        // Equals take turns, as the start goes round.
        let equals = [Candidate](repeating: Candidate(requests: 5), count: 3)
        #expect(
            (0..<3).map { self.choose(.leastRequests, from: $0, equals) } == [
                .use(0), .use(1), .use(2),
            ]
        )
    }

    @Test func eachInTurnWhateverItHas() {
        let candidates = [90, 0, 50].map { Candidate(requests: $0) }
        #expect(self.turns(6, candidates) == [0, 1, 2, 0, 1, 2])
    }

    @Test func thoseThatAreLeftTakeTurnsEvenly() {
        for absent in [Candidate(link: .gone), .init(link: .returning), .init(isHealthy: false)] {
            let candidates = [Candidate(), absent, Candidate(), Candidate()]
            #expect(self.turns(6, candidates) == [0, 2, 3, 0, 2, 3])
        }
    }

    @Test func onesOwnWhateverItHas() {
        let candidates = [Candidate(requests: 0), .init(requests: 99, isOwn: true)]
        for start in 0..<2 { #expect(self.choose(.sticky, from: start, candidates) == .use(1)) }
    }

    @Test func withoutOnesOwnTheFewestUnderWay() {
        #expect(self.choose(.sticky, [.init(requests: 2), .init(requests: 1)]) == .use(1))
    }

    @Test func ownOneIsWaitedForWhileItIsLikelyToBeBack() {
        let other = Candidate()
        #expect(self.choose(.sticky, [other, .init(link: .returning, isOwn: true)]) == .awaitOwn)
        // Not when it is gone, full or fails its checks.
        #expect(self.choose(.sticky, [other, .init(link: .gone, isOwn: true)]) == .use(0))
        #expect(self.choose(.sticky, [other, .init(requests: 100, isOwn: true)]) == .use(0))
        #expect(self.choose(.sticky, [other, .init(isHealthy: false, isOwn: true)]) == .use(0))
        let unhealthy = Candidate(link: .returning, isHealthy: false, isOwn: true)
        #expect(self.choose(.sticky, [other, unhealthy]) == .use(0))
        // Nor when another session of the same connector is there.
        let sessions = [Candidate(link: .returning, isOwn: true), .init(isOwn: true)]
        #expect(self.choose(.sticky, sessions) == .use(1))
    }

    @Test func whoFailsItsChecksIsPassedOver() {
        for balance in Balance.allCases {
            let candidates = [Candidate(isHealthy: false), .init(requests: 50)]
            #expect(self.choose(balance, candidates) == .use(1))
        }
    }

    @Test func whenAllFailTheyAreUsedAllTheSame() {
        let all = [Candidate(requests: 2, isHealthy: false), .init(requests: 1, isHealthy: false)]
        #expect(self.choose(.leastRequests, all) == .use(1))
        #expect(self.turns(4, all) == [0, 1, 0, 1])
        var own = all
        own[0].isOwn = true
        #expect(self.choose(.sticky, own) == .use(0))
        // The healthy one may be full, or gone: then it is as if it failed.
        for absent in [Candidate(link: .gone), .init(link: .returning), .init(requests: 100)] {
            #expect(self.choose(.leastRequests, all + [absent]) == .use(1))
        }
    }

    @Test func nobodyAndFull() {
        for balance in Balance.allCases {
            #expect(self.choose(balance, []) == .nobody)
            #expect(self.choose(balance, [.init(link: .gone), .init(link: .returning)]) == .nobody)
            #expect(self.choose(balance, [.init(requests: 100), .init(link: .gone)]) == .full)
            #expect(self.choose(balance, [.init(requests: 100), .init(requests: 99)]) == .use(1))
        }
        #expect(self.choose(.sticky, [.init(link: .returning, isOwn: true)]) == .awaitOwn)
    }
}
