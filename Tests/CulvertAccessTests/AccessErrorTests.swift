import Testing

@testable import CulvertAccess

@Suite(.timeLimit(.minutes(1)))
struct AccessErrorTests {
    private func words(
        _ status: Int,
        _ change: (inout AccessAnswer) -> Void = { _ in }
    ) -> String {
        var answer = AccessAnswer(hostname: "a.test", status: status)
        change(&answer)
        return "\(AccessError.answered(answer))"
    }

    @Test func aPasswordIsAskedFor() {
        let asked = self.words(401) { $0.asksForPassword = true }
        #expect(asked.contains("https://NAME:PASSWORD@a.test"))
        #expect(asked.contains("CULVERT_BASIC_AUTH") && !asked.contains("token"))
        let wrong = self.words(401) {
            $0.asksForPassword = true
            $0.hadCredentials = true
        }
        #expect(wrong.hasSuffix("it does not take this name and password"))
        #expect(self.words(401).contains("a service token goes with --header"))
    }

    @Test func noServiceAndNoReason() {
        #expect(
            self.words(404)
                == "a.test answered 404 instead of opening a connection: its rule in the connector's "
                + "`ingress` leads to no TCP service"
        )
        #expect(self.words(503) { $0.text = "Out of order" }.hasSuffix("connection: Out of order"))
    }

    @Test func whoeverChoseTheDestinationIsToldToCheckIt() {
        let visitor = self.words(502) {
            $0.code = "origin-unreachable"
            $0.destination = "db:5432"
        }
        #expect(visitor.contains("db:5432") && visitor.hasSuffix("check --destination"))
        let rule = self.words(502) { $0.code = "origin-unreachable" }
        #expect(rule.contains("check the address in its `ingress`"))
    }
}
