import Testing
import TunnelWire

@testable import CulvertConnector

/// Which rules a connector runs that has them from its edge.
@Suite struct ManagedIngressTests {
    private let good = ManagedConfiguration(
        version: 1,
        text: "ingress: [{service: 'http_status:418'}]"
    )
    private let better = ManagedConfiguration(
        version: 2,
        text: "ingress: [{service: 'http_status:419'}]"
    )
    private let bad = ManagedConfiguration(
        version: 3,
        text: "ingress:\n  - {service: 'nonsense://x'}\n  - {servise: 'http_status:404'}"
    )

    private func service(_ rules: IngressRules?) -> OriginService? {
        rules?.match(host: "a.test", path: "/").rule.service
    }

    @Test func itBeginsWithNothing() {
        let ingress = ManagedIngress()
        #expect(ingress.running == nil)
        #expect(ingress.problems.isEmpty)
    }

    @Test func eachOneTakesThePlaceOfTheOneBefore() {
        var ingress = ManagedIngress()
        let first = ingress.apply(self.good)
        #expect(self.service(first) == .httpStatus(418))
        #expect(ingress.running == self.good)
        let second = ingress.apply(self.better)
        #expect(self.service(second) == .httpStatus(419))
        #expect(ingress.running == self.better)
    }

    @Test func oneWithAMistakeLeavesWhatRuns() {
        var ingress = ManagedIngress()
        _ = ingress.apply(self.good)
        let rules = ingress.apply(self.bad)
        #expect(rules == nil)
        #expect(ingress.running == self.good)
        #expect(ingress.problems.count == 3, "\(ingress.problems)")
        #expect(ingress.problems.first?.hasPrefix("version 3:2:") == true, "\(ingress.problems)")
        // The one before is asked for again: it runs, and nothing is wrong.
        let again = ingress.apply(self.good)
        #expect(again == nil)
        #expect(ingress.problems.isEmpty)
    }

    @Test func authoritiesThatCannotBeReadAreAMistakeAndAreLookedForBeforeARequestIs() {
        var ingress = ManagedIngress()
        _ = ingress.apply(self.good)
        for path in ["/nowhere/ca.pem", "/dev/zero", "/etc", "/proc/self/comm"] {
            let rules = ingress.apply(
                ManagedConfiguration(
                    version: 4,
                    text: """
                        ingress:
                          - service: https://localhost
                            originRequest: {caPool: \(path)}
                        """
                )
            )
            #expect(rules == nil, "\(path)")
            let problem = ingress.problems.first ?? ""
            #expect(problem.hasPrefix("version 4:3:"), "\(ingress.problems)")
            #expect(problem.contains("caPool: \(path) "), "\(ingress.problems)")
            #expect(ingress.running == self.good)
        }
    }

    @Test func withoutAnyNothingRunsButTheMistakeIsKnown() {
        var ingress = ManagedIngress()
        let rules = ingress.apply(self.bad)
        #expect(rules == nil)
        #expect(ingress.running == nil)
        #expect(!ingress.problems.isEmpty)
    }

    @Test func theSameAgainChangesNothing() {
        var ingress = ManagedIngress()
        _ = ingress.apply(self.good)
        let again = ingress.apply(self.good)
        #expect(again == nil)
    }

    @Test func anotherTextOfTheSameVersionIsAnother() {
        var ingress = ManagedIngress()
        _ = ingress.apply(self.good)
        let other = ManagedConfiguration(version: 1, text: self.better.text)
        let rules = ingress.apply(other)
        #expect(self.service(rules) == .httpStatus(419))
    }

    @Test func versionZeroHasNoRules() {
        var ingress = ManagedIngress()
        _ = ingress.apply(self.good)
        let rules = ingress.apply(ManagedConfiguration(version: 0, text: ""))
        #expect(self.service(rules) == .httpStatus(503))
        #expect(ingress.running?.version == 0)
    }

    @Test func itStartsWithWhatWasKeptIfThatCanBeRun() {
        let start = ManagedIngress.starting(with: self.good)
        #expect(start?.ingress.running == self.good)
        #expect(self.service(start?.rules) == .httpStatus(418))
        #expect(ManagedIngress.starting(with: self.bad) == nil)
    }
}
