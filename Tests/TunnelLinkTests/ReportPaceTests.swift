import Logging
import NIOCore
import NIOPosix
import Testing
import TunnelSession
import TunnelWire

@testable import TunnelLink

/// A connector that says something new of itself all the time.
@Suite struct ReportPaceTests {
    private func at(milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: 1_000_000_000_000) + .milliseconds(milliseconds)
    }

    private func report(_ version: UInt64) -> ConnectorReport {
        ConnectorReport(configurationVersion: version)
    }

    @Test func tenArePassedOnAtOnceAndThenOneASecond() {
        var pace = ReportPace()
        let start = self.at(milliseconds: 0)
        for version in 1...10 as ClosedRange<UInt64> {
            #expect(pace.received(self.report(version), now: start) == .passOn)
        }
        let second = self.at(milliseconds: 1_000)
        #expect(pace.received(self.report(11), now: start) == .keep(until: second))
        #expect(pace.received(self.report(12), now: start) == .replace)
        #expect(pace.takeLate() == self.report(12))
        #expect(pace.takeLate() == nil)
        let next = self.at(milliseconds: 2_000)
        #expect(pace.received(self.report(13), now: second) == .keep(until: next))
        #expect(pace.takeLate() == self.report(13))
    }

    @Test func afterAQuietTimeTenMayComeAtOnceAgain() {
        var pace = ReportPace()
        for version in 1...11 as ClosedRange<UInt64> {
            _ = pace.received(self.report(version), now: self.at(milliseconds: 0))
        }
        _ = pace.takeLate()
        let later = self.at(milliseconds: 11_000)
        for version in 1...10 as ClosedRange<UInt64> {
            #expect(pace.received(self.report(version), now: later) == .passOn)
        }
        #expect(pace.received(self.report(11), now: later) != .passOn)
    }

    /// A hundred a second for ten seconds of virtual time, as frames.
    @Test func aFloodOfReportsIsLookedAtOnceASecondAndTheLastIsKnown() throws {
        let host = SessionHost(
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let driver = SessionDriver(
            id: SessionID(high: 1, low: 1),
            publicKey: [],
            session: Session(
                role: .edge,
                configuration: SessionConfiguration(),
                peerLimits: SessionConfiguration().limits,
                now: self.at(milliseconds: 0)
            ),
            host: host
        )
        host.add(driver)
        var told: [UInt64] = []
        driver.onReport = { told.append($0.configurationVersion ?? 0) }
        var decoder = FrameDecoder()
        for number in 1...1_000 as ClosedRange<UInt64> {
            let now = self.at(milliseconds: number * 10)
            decoder.feed(try .frame(.report, payload: self.report(number).payload()))
            let frame = try #require(try decoder.next())
            try driver.receive(frame, now: now)
            host.transportWoke(now: now.nanoseconds)
        }
        #expect((15...21).contains(told.count), "\(told)")
        #expect(Array(told.prefix(10)) == Array(1...10))
        host.transportWoke(now: self.at(milliseconds: 12_000).nanoseconds)
        #expect(told.last == 1_000)
        #expect(driver.session.isClosed == false)
    }
}
