import NIOCore
import Testing
import TunnelSession
import TunnelWire

@Suite struct CreditTests {
    @Test func aPeerThatPassesAStreamsCreditLosesTheSession() {
        let desk = Desk(.edge, .small())
        desk.receive(.head(1), .data(1, 1_000))
        let events = desk.receive(.data(1, 1))
        #expect(events.first == "reset 1 session-lost")
        #expect(events.last == "throws creditExceeded")
        #expect(desk.send() == [])
    }

    @Test func aPeerThatPassesTheSessionsCreditLosesTheSession() {
        let desk = Desk(.edge, .small(session: 1_500))
        desk.receive(.head(1), .head(3), .data(1, 1_000), .data(3, 500))
        #expect(desk.receive(.data(3, 1)).last == "throws creditExceeded")
        let closed = Desk(.edge, .small(session: 1_500))
        closed.receive(.head(1), .reset(1))
        #expect(closed.receive(.data(1, 1_501)).last == "throws creditExceeded", "also when closed")
    }

    @Test func creditComesBackWhenHalfIsConsumed() throws {
        let desk = Desk(.edge, .small())
        desk.receive(.head(1), .data(1, 900))
        let stream = try #require(desk.streams[1])
        desk.pass(.milliseconds(4))
        desk.session.consumed(499, on: stream, now: desk.now)
        #expect(desk.send() == [])
        desk.session.consumed(1, on: stream, now: desk.now)
        #expect(desk.send() == ["ACK =2", "STREAM_CREDIT 1 =1500"])
        #expect(desk.session.bufferedBytes == 400)
        desk.session.consumed(10_000, on: stream, now: desk.now)
        #expect(desk.session.bufferedBytes == 0, "no more than there is")
    }

    @Test func anEndedStreamGetsNoCredit() throws {
        let desk = Desk(.edge, .small())
        desk.receive(.head(1), .data(1, 900, .end))
        let stream = try #require(desk.streams[1])
        desk.session.consumed(900, on: stream, now: desk.now)
        desk.pass(.milliseconds(25))
        #expect(desk.send() == ["ACK =2"])
        #expect(desk.session.bufferedBytes == 0)
    }

    @Test func theSessionsCreditComesBackFromAllStreams() throws {
        let desk = Desk(.edge, .small(stream: 1_000, session: 2_000))
        desk.receive(.head(1), .head(3), .data(1, 600, .end), .data(3, 400, .end))
        _ = desk.send()
        for id in [1, 3] as [UInt64] {
            desk.session.consumed(600, on: try #require(desk.streams[id]), now: desk.now)
        }
        #expect(desk.send() == ["ACK =4", "SESSION_CREDIT =3000"])
    }

    @Test func aSenderStaysWithinCreditOfStreamAndSession() throws {
        let desk = Desk(.connector, peer: SessionConfiguration.small(session: 1_500).limits)
        let first = try #require(desk.open())
        let second = try #require(desk.open())
        desk.data(5_000, on: first)
        desk.data(5_000, on: second)
        #expect(desk.send() == ["HEAD 1 1", "HEAD 3 1", "DATA 1 1000", "DATA 3 500"])
        #expect(desk.session.unacknowledgedBytes == 1_500)
        desk.receive(.sessionCredit(1_400), .credit(1, 900))
        #expect(desk.send() == [], "lower limits are late ones")
        desk.receive(.sessionCredit(2_000), .ack(4))
        #expect(desk.send() == ["ACK =3", "DATA 3 500"])
        desk.receive(.credit(1, 1_200), .sessionCredit(.max))
        #expect(desk.send() == ["ACK =5", "DATA 1 200"])
        desk.receive(.credit(1, .max), .credit(3, .max), .ack(6))
        #expect(desk.send() == ["ACK =7", "DATA 1 3800"], "the log has its own limit")
        desk.receive(.ack(7))
        #expect(desk.send() == ["DATA 3 4000"])
    }

    @Test func headsAndEndsNeedNoCredit() throws {
        let desk = Desk(.connector, peer: SessionConfiguration.small(stream: 0, session: 0).limits)
        let stream = try #require(desk.open())
        desk.session.send(trailers: ByteBuffer(), on: stream, now: desk.now)
        let other = try #require(desk.open())
        desk.data(1, on: other)
        #expect(desk.send() == ["HEAD 1 1", "HEAD 3 1", "TRAILERS 1 0"])
        desk.receive(.sessionCredit(1), .credit(3, 1))
        #expect(desk.send() == ["ACK =2", "DATA 3 1"])
    }

    @Test func creditForAStreamThatWasResetHere() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open())
        _ = desk.send()
        desk.session.reset(stream, code: .cancelled)
        #expect(desk.receive(.credit(1, 1 << 40)) == [])
        #expect(desk.send() == ["ACK =1", "RESET 1 cancelled"])
    }

    /// What has left the queue is reported in lots of 16 KiB, so that a writer with room for several
    /// goes on.
    @Test func sentIsReportedInLots() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open())
        var reported = 0
        for _ in 0..<3 { desk.data(15_000, on: stream) }
        _ = desk.send()
        for case .sent(let which, let bytes) in desk.session.takeEvents() {
            #expect(which === stream)
            #expect(bytes >= SessionStream.reportedBytes)
            reported += bytes
        }
        #expect(45_000 - reported < SessionStream.reportedBytes)
    }

    @Test func smallPiecesShareAFrame() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open())
        for _ in 0..<3 { desk.data(100, on: stream) }
        desk.data(2_000, on: stream)
        desk.end(stream)
        #expect(desk.send() == ["HEAD 1 1", "DATA 1 300", "DATA 1 END 2000"])
    }

    // MARK: Both ends

    private func transfer(
        _ pair: Pair,
        roundTrip: UInt64,
        rounds: Int,
        consumes: (Int) -> Bool
    ) throws -> Int {
        let stream = try #require(pair.edge.open(now: pair.now))
        var received = 0
        var queued = 0
        for round in 0..<rounds {
            while queued < 8 << 20 {
                let piece = ByteBuffer(repeating: 1, count: 64 << 10)
                pair.edge.session.send(data: piece, on: stream, now: pair.now)
                queued += piece.readableBytes
            }
            // Half a round trip each way, and nothing limits the link but credit.
            for end in [pair.edge, pair.connector] {
                while pair.transmit(end) > 0 {}
                pair.pass(.milliseconds(roundTrip / 2))
                pair.deliver(from: end)
                for case .data(let stream, let bytes) in pair.connector.take() {
                    received += bytes.readableBytes
                    guard consumes(round) else { continue }
                    pair.connector.session.consumed(bytes.readableBytes, on: stream, now: pair.now)
                }
            }
            for case .sent(_, let bytes) in pair.edge.take() { queued -= bytes }
        }
        return received
    }

    @Test func aWindowGrowsToTheProductOfBandwidthAndDelay() throws {
        let pair = Pair()
        // Ten round trips to grow, then ten that are measured: a second of virtual time.
        let all = try self.transfer(pair, roundTrip: 100, rounds: 20) { _ in true }
        #expect(all * 8 / 2 > 100_000_000, "\(all * 8 / 2) bit/s over both seconds")
        #expect(pair.edge.failure == nil && pair.connector.failure == nil)
    }

    @Test func anUnreadStreamDoesNotGrow() throws {
        let pair = Pair()
        let all = try self.transfer(pair, roundTrip: 100, rounds: 40) { _ in false }
        #expect(all == 64 << 10)
        #expect(pair.connector.session.bufferedBytes == 64 << 10)
    }

    /// A window grows while its reader keeps up, but not when others hold half the session's bytes.
    @Test(arguments: [(false, "STREAM_CREDIT 1 =2600"), (true, "STREAM_CREDIT 1 =1600")])
    func aWindowGrowsOnlyWhileTheSessionHasRoom(_ isHalfFull: Bool, _ credit: String) throws {
        let desk = Desk(.edge, .small(stream: 1_000, session: 2_000))
        desk.pass(.milliseconds(100))
        desk.receive(.pong(1), .head(1), .head(3))
        if isHalfFull { desk.receive(.data(3, 1_000)) }
        desk.receive(.data(1, 600))
        desk.session.consumed(600, on: try #require(desk.streams[1]), now: desk.now)
        #expect(desk.send().contains(credit))
    }

    @Test func aWindowGrowsOnlyWhenHalfOfItWasReadWithinTwoRoundTrips() throws {
        for (wait, credit) in [(199, "=2600"), (200, "=1600")] as [(UInt64, String)] {
            let desk = Desk(.edge, .small(stream: 1_000, session: 10_000))
            desk.pass(.milliseconds(100))
            desk.receive(.pong(1), .head(1), .data(1, 600))
            desk.pass(.milliseconds(wait))
            desk.session.consumed(600, on: try #require(desk.streams[1]), now: desk.now)
            #expect(desk.send().contains("STREAM_CREDIT 1 \(credit)"), "after \(wait) ms")
        }
    }

    /// The smallest round trip of the link counts, and only a PONG to the last PING.
    @Test func theRoundTripIsTheSmallestMeasured() throws {
        let desk = Desk(.edge, .small(stream: 1_000, session: 10_000))
        desk.pass(.milliseconds(100))
        desk.receive(.pong(1))
        desk.pass(.seconds(5))
        _ = desk.send()
        desk.receive(.pong(1), .pong(9))
        desk.pass(.milliseconds(900))
        desk.receive(.pong(2), .head(1), .data(1, 600))
        desk.pass(.milliseconds(300))
        desk.session.consumed(600, on: try #require(desk.streams[1]), now: desk.now)
        #expect(desk.send().contains("STREAM_CREDIT 1 =1600"))
        let early = Desk(.edge, .small(stream: 1_000, session: 10_000))
        early.pass(.milliseconds(100))
        early.receive(.pong(7), .pong(0), .head(1), .data(1, 600))
        early.session.consumed(600, on: try #require(early.streams[1]), now: early.now)
        #expect(early.send().contains("STREAM_CREDIT 1 =2600"), "nothing was measured")
    }

    /// Threads take their time too: on a short path a window grows by what they need.
    @Test func aShortRoundTripCountsAsTwoMilliseconds() throws {
        for (wait, credit) in [(3, "=2600"), (4, "=1600")] as [(UInt64, String)] {
            let desk = Desk(.edge, .small(stream: 1_000, session: 10_000))
            desk.receive(.pong(1), .head(1), .data(1, 600))
            desk.pass(.milliseconds(wait))
            desk.session.consumed(600, on: try #require(desk.streams[1]), now: desk.now)
            #expect(desk.send().contains("STREAM_CREDIT 1 \(credit)"), "after \(wait) ms")
        }
    }

    @Test func aWindowNeverPassesItsMaximum() throws {
        var configuration = SessionConfiguration()
        configuration.maximumStreamWindowBytes = 200_000
        let pair = Pair(connector: configuration)
        _ = try self.transfer(pair, roundTrip: 100, rounds: 30) { $0 < 20 }
        #expect(pair.connector.session.bufferedBytes <= 200_000)
        #expect(pair.connector.session.bufferedBytes >= 100_000)
    }

    @Test func aStalledReaderStopsOnlyItsSender() throws {
        let pair = Pair()
        let stalled = try #require(pair.edge.open(now: pair.now))
        let moving = try #require(pair.edge.open(now: pair.now))
        var received: [StreamID: Int] = [:]
        for _ in 0..<100 {
            for stream in [stalled, moving] {
                let piece = ByteBuffer(repeating: 1, count: 40_000)
                pair.edge.session.send(data: piece, on: stream, now: pair.now)
            }
            pair.settle()
            for case .data(let stream, let bytes) in pair.connector.take() {
                received[stream.id, default: 0] += bytes.readableBytes
                guard stream.id == moving.id else { continue }
                pair.connector.session.consumed(bytes.readableBytes, on: stream, now: pair.now)
            }
            pair.settle()
        }
        #expect(received[stalled.id] == 64 << 10)
        #expect((received[moving.id] ?? 0) >= 99 * 40_000)
    }

    /// A gap that is known: when stalled streams hold the whole session window, others wait for it;
    /// heads, ends and resets still pass, and a reset of the stalled ones frees it.
    @Test func streamsThatHoldTheSessionWindowStopOnlyData() throws {
        let pair = Pair(connector: .small(streams: 100, stream: 1_000, session: 10_000))
        var stalled: [SessionStream] = []
        for _ in 0..<10 {
            let stream = try #require(pair.edge.open(now: pair.now))
            pair.edge.session.send(
                data: ByteBuffer(repeating: 1, count: 1_000),
                on: stream,
                now: pair.now
            )
            stalled.append(stream)
        }
        pair.settle()
        #expect(pair.connector.session.bufferedBytes == 10_000)
        let held = pair.connector.take().compactMap { event -> SessionStream? in
            if case .opened(let stream) = event { stream } else { nil }
        }
        let late = try #require(pair.edge.open(now: pair.now))
        pair.edge.session.send(data: ByteBuffer(repeating: 1, count: 9), on: late, now: pair.now)
        pair.settle()
        #expect(pair.connector.take().map { "\($0)" } == ["opened 22", "head 22 1"])
        for stream in held.prefix(5) { pair.connector.session.reset(stream, code: .overLimit) }
        pair.settle()
        #expect(pair.connector.take().map { "\($0)" } == ["data 22 9"])
    }
}
