import NIOCore
import Testing
import TunnelSession
import TunnelWire

/// Stalled readers, each within its own window, must not take the whole session from the others.
@Suite struct PressureTests {
    /// Four streams of which each holds 900 of 4,000 bytes.
    private func pressed(streams: UInt64 = 4) -> Desk {
        let desk = Desk(.edge, .small(streams: 8, stream: 1_000, session: 4_000))
        for index in 0..<streams {
            desk.receive(.head(2 * index + 1), .data(2 * index + 1, 900))
            desk.pass(.milliseconds(100))
        }
        _ = desk.send()
        return desk
    }

    /// Time passes with a link that lives.
    private func wait(_ desk: Desk, seconds: Int) -> [String] {
        var events: [String] = []
        for _ in 0..<seconds {
            desk.pass(.seconds(1))
            desk.session.linkReceived(now: desk.now)
            events += desk.events()
        }
        return events
    }

    @Test func theLongestStalledAreGivenUpUntilHalfIsFree() throws {
        let desk = self.pressed()
        #expect(desk.session.bufferedBytes == 3_600)
        #expect(self.wait(desk, seconds: 4) == [])
        #expect(self.wait(desk, seconds: 1) == ["reset 1 over-limit", "reset 3 over-limit"])
        #expect(desk.session.bufferedBytes == 1_800)
        let sent = desk.send()
        #expect(sent.contains("RESET 1 over-limit") && sent.contains("RESET 3 over-limit"))
        #expect(sent.contains { $0.hasPrefix("SESSION_CREDIT") })
        #expect(self.wait(desk, seconds: 60) == [], "no longer under pressure")
        #expect(desk.receive(.head(9), .data(9, 900)) == ["opened 9", "head 9 1", "data 9 900"])
    }

    @Test func aReaderThatTakesSomethingIsSpared() throws {
        let desk = self.pressed()
        let slow = try #require(desk.streams[1])
        for _ in 0..<12 {
            desk.session.consumed(1, on: slow, now: desk.now)
            _ = self.wait(desk, seconds: 1)
        }
        #expect(!slow.isClosed)
        #expect(desk.streams[3]?.isClosed == true)
        #expect(desk.streams[5]?.isClosed == true)
    }

    @Test func aReaderThatHadNothingToTakeHasNotStalled() throws {
        let desk = self.pressed(streams: 3)
        desk.receive(.head(7))
        #expect(self.wait(desk, seconds: 20) == [], "three of four are not pressure")
        desk.receive(.data(7, 900))
        #expect(self.wait(desk, seconds: 1) == ["reset 1 over-limit", "reset 3 over-limit"])
        #expect(try #require(desk.streams[7]).isClosed == false)
    }

    @Test func whoIsReadInTimeRelievesTheSession() throws {
        let desk = self.pressed()
        desk.session.consumed(900, on: try #require(desk.streams[7]), now: desk.now)
        #expect(self.wait(desk, seconds: 60) == [])
        #expect(desk.session.streamCount == 4)
    }

    /// Credit is granted by the half window; what was consumed of a half that never becomes whole must
    /// not be lost to the others.
    @Test func creditDoesNotRunOutWhileThereIsRoom() throws {
        let desk = Desk(.edge, .small(streams: 8, stream: 1_000, session: 4_000))
        desk.receive(.head(1), .data(1, 950), .head(3), .data(3, 950))
        desk.session.consumed(950, on: try #require(desk.streams[1]), now: desk.now)
        desk.session.consumed(950, on: try #require(desk.streams[3]), now: desk.now)
        #expect(!desk.send().contains { $0.hasPrefix("SESSION_CREDIT") })
        desk.receive(.head(5), .data(5, 900), .head(7), .data(7, 500))
        #expect(desk.send().contains("SESSION_CREDIT =5900"))
        #expect(desk.receive(.head(9), .data(9, 1_000)).last == "data 9 1000")
    }

    /// Readers that were fast and stop, all at once, hold what their grown windows let in.
    @Test func grownWindowsShareHalfOfTheSessions() throws {
        var configuration = SessionConfiguration.small(streams: 50, stream: 1_000, session: 100_000)
        configuration.maximumStreamWindowBytes = 20_000
        let desk = Desk(.edge, configuration)
        var granted = 0
        for id in stride(from: UInt64(1), to: 60, by: 2) {
            desk.receive(.head(id))
            let stream = try #require(desk.streams[id])
            var sent = 0
            var limit = 1_000
            for _ in 0..<8 {
                let count = min(limit - sent, 15_000)
                desk.receive(.data(id, count))
                sent += count
                desk.session.consumed(count, on: stream, now: desk.now)
                for text in desk.send() where text.hasPrefix("STREAM_CREDIT \(id) =") {
                    limit = Int(text.split(separator: "=")[1]) ?? limit
                }
            }
            granted += limit - sent
        }
        #expect((50_000...85_000).contains(granted), "\(granted)")
    }

    @Test func theTimerIsSetOnlyUnderPressure() throws {
        let desk = self.pressed()
        desk.pass(.seconds(1))
        let pressed = try #require(desk.deadline)
        #expect(pressed <= desk.now + .seconds(1))
        desk.session.consumed(900, on: try #require(desk.streams[7]), now: desk.now)
        desk.pass(.seconds(1))
        _ = desk.send()
        let relieved = try #require(desk.deadline)
        #expect(relieved > desk.now + .seconds(1))
    }
}
