import ConfigurationFile
import Testing

@testable import CulvertConnector

/// `healthCheck` in `config.yml`, and what is checked because of it.
@Suite struct HealthCheckConfigurationTests {
    private func rules(_ text: String) throws -> [IngressRule] {
        try parseConfiguration(text).ingress.rules
    }

    @Test func everyKeyIsRead() throws {
        let rules = try self.rules(
            """
            ingress:
              - service: http://localhost:1
                originRequest:
                  healthCheck: {path: "/up?full=1", interval: 30s, timeout: 500ms,
                    unhealthyThreshold: 5, healthyThreshold: 1, expectedStatus: 204}
            """
        )
        var expected = HealthCheckOptions()
        expected.path = "/up?full=1"
        expected.interval = .seconds(30)
        expected.timeout = .milliseconds(500)
        expected.unhealthyThreshold = 5
        expected.healthyThreshold = 1
        expected.expectedStatus = 204...204
        #expect(rules[0].originRequest.healthCheck == expected)
    }

    @Test func nothingIsCheckedUnlessItIsSaid() throws {
        #expect(
            try self.rules("ingress: [{service: 'http://l'}]")[0].originRequest.healthCheck == nil
        )
        let plain = "ingress: [{service: 'http://l', originRequest: {healthCheck: {}}}]"
        #expect(try self.rules(plain)[0].originRequest.healthCheck == HealthCheckOptions())
    }

    @Test func rulesOverrideIt() throws {
        let rules = try self.rules(
            """
            originRequest: {healthCheck: {path: /up, interval: 20s}}
            ingress:
              - {hostname: a.test, service: "http://l"}
              - hostname: b.test
                service: http://l
                originRequest: {healthCheck: {interval: 5s}}
              - {hostname: c.test, service: "http://l", originRequest: {healthCheck: off}}
              - {hostname: d.test, service: hello_world}
              - service: http_status:404
            """
        )
        let checks = rules.map(\.originRequest.healthCheck)
        #expect(checks.map { $0?.path } == ["/up", "/up", nil, nil, nil])
        #expect(checks.map { $0?.interval } == [.seconds(20), .seconds(5), nil, nil, nil])
    }

    @Test func aServiceOfNoOnePlaceIsNotChecked() throws {
        let configuration = try parseConfiguration(
            """
            ingress:
              - {hostname: b.test, service: bastion, originRequest: {healthCheck: {}}}
              - {service: "http_status:404", originRequest: {healthCheck: {}}}
            """
        )
        #expect(configuration.ingress.rules.allSatisfy { $0.originRequest.healthCheck == nil })
        #expect(
            configuration.notices.map(\.key) == [
                "ingress[0].originRequest.healthCheck", "ingress[1].originRequest.healthCheck",
            ]
        )
    }

    @Test func everyProblemIsReportedAtOnce() {
        let found = configurationProblems(
            """
            ingress:
              - service: http://localhost:1
                originRequest:
                  healthCheck:
                    path: healthz
                    interval: 1ms
                    timeout: 2h
                    unhealthyThreshold: 0
                    healthyThreshold: 101
                    expectedStatus: 399-200
                    expected: 200
            """
        )
        let path = "ingress[0].originRequest.healthCheck"
        let expected = [
            "c.yml:5:15: \(path).path: expected a path such as /healthz, found \"healthz\"",
            "c.yml:6:19: \(path).interval: has to be from 100ms to 1h, found 1ms",
            "c.yml:7:18: \(path).timeout: has to be from 100ms to 1h, found 2h",
            "c.yml:8:29: \(path).unhealthyThreshold: has to be from 1 to 100, found 0",
            "c.yml:9:27: \(path).healthyThreshold: has to be from 1 to 100, found 101",
            "c.yml:10:25: \(path).expectedStatus: expected a status or a range of them from 200 "
                + "to 599, such as 200-399",
            "c.yml:11:9: \(path).expected: unknown key",
        ]
        #expect(found.count == expected.count)
        for (line, prefix) in zip(found, expected) { #expect(line.hasPrefix(prefix), "\(line)") }
    }

    @Test(arguments: ["100-200", "200-600", "-", "200-", "-399", "ok", "200-300-399", "[200]"])
    func statusesThatAreNone(text: String) {
        let found = configurationProblems(
            "ingress: [{service: 'http://l', originRequest: {healthCheck: {expectedStatus: \(text)}}}]"
        )
        #expect(found.count == 1, "\(found)")
    }

    @Test func rulesWithTheSameOriginAreCheckedOnce() throws {
        let rules = try self.rules(
            """
            originRequest: {healthCheck: {path: /up}}
            ingress:
              - {hostname: a.test, path: ^/one, service: "http://localhost:1"}
              - {hostname: a.test, path: ^/two, service: "http://localhost:1"}
              - {hostname: "*.b.test", service: "http://localhost:1"}
              - {service: "unix:/run/x.sock"}
            """
        )
        let targets = rules.map { HealthTarget($0) }
        #expect(targets[0] == targets[1] && targets[0] != targets[2])
        #expect(
            targets.map { $0?.authority } == ["a.test", "a.test", "localhost:1", "localhost"]
        )
    }
}
