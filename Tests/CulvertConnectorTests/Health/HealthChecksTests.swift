import Foundation
import HTTPSemantics
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import CulvertConnector

/// Checks of real origins, and what is said of their hostnames.
@Suite(.timeLimit(.minutes(1))) struct HealthChecksTests {
    /// The checks, and what they say, in order.
    private final class Bench: Sendable {
        let checks: HealthChecks
        private let changes: AsyncStream<Set<String>>

        init() {
            let (changes, continuation) = AsyncStream.makeStream(of: Set<String>.self)
            self.changes = changes
            self.checks = HealthChecks(
                on: MultiThreadedEventLoopGroup.singleton.next(),
                tls: OriginTLSContexts(),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                onChange: { continuation.yield($0) }
            )
        }

        /// What is said next.
        func next() async -> Set<String>? {
            for await change in self.changes { return change }
            return nil
        }

        /// Comes back once `condition` holds.
        func until(_ condition: () -> Bool) async throws {
            while !condition() {
                try Task.checkCancellation()
                try await self.settle()
            }
        }

        /// All work of the checks' loop that was there before has been done.
        func settle() async throws {
            let loop = MultiThreadedEventLoopGroup.singleton
            for one in loop.makeIterator() { try await one.submit {}.get() }
        }

        deinit { self.checks.stop() }
    }

    /// An origin that answers as `answer` says.
    private static func origin(
        _ answer: NIOLockedValueBox<String>,
        unixPath: String? = nil
    ) async throws -> ScriptedOrigin {
        try await ScriptedOrigin.start(unixPath: unixPath) { peer in
            if peer.sawEnd { return peer.close() }
            guard peer.hasHeads(1), peer.step == 0 else { return }
            peer.step = 1
            peer.send(answer.withLockedValue { $0 })
        }
    }

    private static func answer(_ status: Int) -> String {
        "HTTP/1.1 \(status) X\r\nContent-Length: 2\r\n\r\nok"
    }

    private func rule(
        _ hostname: String?,
        _ service: OriginService,
        _ change: (inout OriginOptions, inout HealthCheckOptions) -> Void = { _, _ in }
    ) throws -> IngressRule {
        var options = OriginOptions()
        var check = HealthCheckOptions()
        check.interval = .milliseconds(100)
        change(&options, &check)
        options.healthCheck = check
        return IngressRule(
            hostname: try hostname.map { try HostPattern($0) },
            service: service,
            originRequest: options
        )
    }

    private func rules(_ rules: IngressRule...) -> IngressRules {
        IngressRules(rules, catchAll: IngressRule(service: .httpStatus(404)))
    }

    private func http(_ origin: ScriptedOrigin) -> OriginService {
        .http(host: "127.0.0.1", port: origin.port)
    }

    @Test func anOriginFailsAndIsBack() async throws {
        let answer = NIOLockedValueBox(Self.answer(503))
        let origin = try await Self.origin(answer)
        defer { origin.stop() }
        let bench = Bench()
        bench.checks.replace(
            self.rules(
                try self.rule("a.test", self.http(origin)) { $1.path = "/up?x=1" },
                try self.rule("*.b.test", self.http(origin))
            )
        )
        var unhealthy: Set<String> = []
        while unhealthy.count < 2 { unhealthy = try #require(await bench.next()) }
        #expect(unhealthy == ["a.test", "*.b.test"])
        #expect(bench.checks.unhealthyHostnames == unhealthy)
        answer.withLockedValue { $0 = Self.answer(204) }
        while !unhealthy.isEmpty { unhealthy = try #require(await bench.next()) }
        let heads = origin.counters.received.values
        #expect(heads.contains { $0.hasPrefix("GET /up?x=1 HTTP/1.1\r\nHost: a.test\r\n") })
        #expect(
            heads.contains { $0.hasPrefix("GET / HTTP/1.1\r\nHost: 127.0.0.1:\(origin.port)\r\n") }
        )
        #expect(heads.allSatisfy { $0.contains("User-Agent: culvert-health-check\r\n") })
    }

    @Test func whatIsExpectedAndWhatTheRulesOptionsSay() async throws {
        let answer = NIOLockedValueBox(Self.answer(302))
        let path = NSTemporaryDirectory() + "health-\(UUID().uuidString.prefix(8)).sock"
        let origin = try await Self.origin(answer, unixPath: path)
        defer {
            origin.stop()
            try? FileManager.default.removeItem(atPath: path)
        }
        let bench = Bench()
        bench.checks.replace(
            self.rules(
                try self.rule("a.test", .unix(path: path)) { options, check in
                    options.httpHostHeader = "inner.test"
                    check.expectedStatus = 200...299
                },
                // A redirect is fine by default.
                try self.rule("b.test", .unix(path: path))
            )
        )
        #expect(await bench.next() == ["a.test"])
        answer.withLockedValue { $0 = Self.answer(200) }
        #expect(await bench.next() == [])
        #expect(origin.counters.received.values.contains { $0.contains("Host: inner.test\r\n") })
    }

    @Test(
        arguments: [
            // Never an answer, never an end of it, broken off, and no HTTP.
            "", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "SSH-2.0-x\r\n",
        ]
    )
    func answersThatAreNone(text: String) async throws {
        let origin = try await Self.origin(NIOLockedValueBox(text))
        defer { origin.stop() }
        let bench = Bench()
        bench.checks.replace(
            self.rules(
                try self.rule("a.test", self.http(origin)) { $1.timeout = .milliseconds(200) }
            )
        )
        #expect(await bench.next() == ["a.test"])
        #expect(bench.checks.unhealthyHostnames == ["a.test"])
    }

    /// Its head says enough; no more than a bounded part of its body is read.
    @Test func anAnswerWithoutEndPasses() async throws {
        let bytes = String(repeating: "x", count: 1 << 20)
        let answer = NIOLockedValueBox("HTTP/1.1 500 X\r\n\r\n\(bytes)")
        let origin = try await Self.origin(answer)
        defer { origin.stop() }
        let bench = Bench()
        bench.checks.replace(self.rules(try self.rule("a.test", self.http(origin))))
        #expect(await bench.next() == ["a.test"])
        answer.withLockedValue { $0 = "HTTP/1.1 200 OK\r\n\r\n\(bytes)" }
        #expect(await bench.next() == [])
    }

    @Test func aTCPServiceIsConnectedTo() async throws {
        let origin = try await ScriptedOrigin.start { _ in }
        let bench = Bench()
        let service = OriginService.tcp(.ssh, host: "127.0.0.1", port: origin.port)
        bench.checks.replace(
            self.rules(try self.rule(nil, service), try self.rule("a.test", service))
        )
        // It is open, until it is not.
        try await bench.until { origin.counters.accepted >= 3 }
        #expect(bench.checks.unhealthyHostnames == [])
        origin.stop()
        var unhealthy: Set<String> = []
        while unhealthy.count < 2 { unhealthy = try #require(await bench.next()) }
        #expect(unhealthy == ["", "a.test"])
    }

    @Test func otherRulesKeepWhatWasFound() async throws {
        let dead = try await Self.origin(NIOLockedValueBox(Self.answer(500)))
        let live = try await Self.origin(NIOLockedValueBox(Self.answer(200)))
        defer {
            dead.stop()
            live.stop()
        }
        let bench = Bench()
        // Checked once, and then not for an hour.
        let slow = try self.rule("a.test", self.http(dead)) { $1.interval = .seconds(3600) }
        bench.checks.replace(self.rules(slow))
        #expect(await bench.next() == ["a.test"])
        // The same origin, for another hostname as well.
        var second = slow
        second.path = try PathPattern("^/x")
        bench.checks.replace(self.rules(second, slow, try self.rule("b.test", self.http(live))))
        try await bench.settle()
        #expect(bench.checks.unhealthyHostnames == ["a.test"])
        #expect(dead.counters.accepted == 1)
        // Gone from the rules, it is gone from what is unhealthy.
        bench.checks.replace(self.rules(try self.rule("b.test", self.http(live))))
        #expect(await bench.next() == [])
    }

    @Test func whatIsStoppedSaysNothing() async throws {
        let origin = try await Self.origin(NIOLockedValueBox(""))
        defer { origin.stop() }
        let bench = Bench()
        bench.checks.replace(self.rules(try self.rule("a.test", self.http(origin))))
        try await bench.until { origin.counters.accepted == 1 }
        bench.checks.stop()
        // The check under way was given up.
        try await bench.until { origin.counters.closed == 1 }
        try await bench.settle()
        #expect(bench.checks.unhealthyHostnames == [])
        #expect(origin.counters.accepted == 1)
    }
}
