import CulvertControl
import Foundation
import HTTPSemantics
import Logging
import StatusServer
import Synchronization
import Testing
import TunnelLink
import TunnelSession
import TunnelWire

@testable import CulvertEdge

/// How much of what a connector says of itself is logged.
@Suite struct ReportLogTests {
    private func at(seconds: UInt64) -> Instant {
        Instant(nanoseconds: 7_000_000_000) + .seconds(seconds)
    }

    @Test func tenLinesAMinuteAndThenTheirNumber() {
        var log = ReportLog()
        for second in 0..<10 as Range<UInt64> {
            #expect(log.next(now: self.at(seconds: second)) == .log(omitted: 0))
        }
        for second in 10..<60 as Range<UInt64> {
            #expect(log.next(now: self.at(seconds: second)) == .omit)
        }
        #expect(log.omitted == 50)
        #expect(log.next(now: self.at(seconds: 60)) == .log(omitted: 50))
        #expect(log.next(now: self.at(seconds: 61)) == .log(omitted: 0))
    }

    private final class Lines: Sendable {
        let all = Mutex<[String]>([])

        func count(of text: String) -> Int {
            self.all.withLock { $0.count { $0.contains(text) } }
        }
    }

    private struct Handler: LogHandler {
        let lines: Lines
        var logLevel = Logger.Level.info
        var metadata = Logger.Metadata()

        init(_ lines: Lines) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.lines.all.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }

    @Test func theLatestReportIsKnownHoweverManyAreLogged() throws {
        let directory = TunnelDirectory(domain: nil, reserved: [])
        let key = try #require(TunnelPublicKey([UInt8](repeating: 1, count: 32)))
        let declared = DeclaredTunnel(
            name: "demo",
            publicKey: key,
            hostnames: [ServedHostname(try HostPattern("a.test"))]
        )
        try directory.replace(declared: [declared])
        let lines = Lines()
        let authority = EdgeAuthority(
            directory: directory,
            events: TunnelEvents(),
            ports: nil,
            publicURL: { $0 },
            metrics: EdgeMetrics(version: "test").sessions,
            logger: Logger(label: "test") { _ in Handler(lines) }
        )
        let sessions = TestSessions()
        let session = sessions.make(1)
        directory.add(
            session,
            of: SessionID(high: 1, low: 1),
            TunnelDirectory.Admission(
                name: "demo",
                tunnel: .declared(name: "demo"),
                publicKey: key,
                hosts: []
            ),
            agent: "",
            address: "",
            at: Date()
        )
        for number in 1...500 {
            authority.sessionReported(
                session,
                ConnectorReport(unhealthyHostnames: ["h\(number).test"])
            )
        }
        let service = try #require(directory.services(of: .declared(name: "demo")).first)
        #expect(service.report.unhealthyHostnames == ["h500.test"])
        authority.sessionClosed(session, reason: .expired)
        let logged = lines.count(of: "fail their health checks")
        #expect(logged == ReportLog.linesPerMinute)
        #expect(lines.count(of: "\"omitted\": 490") == 1, "\(lines.all.withLock { $0.suffix(3) })")
    }
}
