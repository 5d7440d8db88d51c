import NIOCore
import Testing
import TunnelSession
import TunnelWire

/// Links that come and go, acknowledgements, liveness, drain and close.
@Suite struct LinkTests {
    // MARK: Resume

    @Test func whatWasNotProcessedIsSentAgain() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open(String(repeating: "h", count: 20_000)))
        desk.data(3, on: stream)
        desk.end(stream)
        let first = desk.send()
        #expect(first == ["HEAD 1 MORE 15928", "HEAD 1 4073", "DATA 1 END 3"])
        desk.session.linkWasLost(now: desk.now)
        #expect(desk.send() == [], "there is no link")
        #expect(desk.session.hasLink == false)
        try desk.session.resume(peerProcessed: 1, now: desk.now)
        #expect(desk.send() == ["PING =1", "HEAD 1 4073", "DATA 1 END 3"])
        desk.session.linkWasLost(now: desk.now)
        try desk.session.resume(peerProcessed: 3, now: desk.now)
        #expect(desk.send() == ["PING =1"])
        #expect(desk.session.unacknowledgedBytes == 0)
    }

    @Test func commandsWithoutALinkGoOutOverTheNext() throws {
        let desk = Desk(.connector)
        desk.session.linkWasLost(now: desk.now)
        let stream = try #require(desk.open())
        desk.data(3, on: stream)
        desk.end(stream)
        #expect(!desk.wantsToSend)
        try desk.session.resume(peerProcessed: 0, now: desk.now)
        #expect(desk.send() == ["PING =1", "HEAD 1 1", "DATA 1 END 3"])
    }

    @Test func countsThatCannotBeEndTheSession() throws {
        for count in [0, 1, 4, .max] as [UInt64] {
            let desk = Desk(.connector)
            let stream = try #require(desk.open())
            desk.data(1, on: stream)
            desk.end(stream)
            #expect(desk.send().count == 2)
            desk.open()
            #expect(desk.send().count == 1)
            #expect(desk.receive(.ack(2)) == [])
            desk.session.linkWasLost(now: desk.now)
            let error = #expect(throws: WireError.self) {
                try desk.session.resume(peerProcessed: count, now: desk.now)
            }
            #expect(error?.kind == .badCount)
            #expect(desk.session.isClosed == true)
            #expect(desk.events().last?.hasPrefix("closed the peer broke the protocol") == true)
        }
    }

    @Test func acknowledgementsThatCannotBeEndTheSession() {
        for counts in [[2], [1, 0]] as [[UInt64]] {
            let desk = Desk(.connector)
            desk.open()
            _ = desk.send()
            for count in counts.dropLast() { #expect(desk.receive(.ack(count)) == []) }
            #expect(desk.receive(.ack(counts.last ?? 0)).last == "throws badCount")
        }
    }

    @Test func whatThisLinkHasNotSentCannotBeAcknowledged() throws {
        let desk = Desk(.connector)
        desk.open()
        _ = desk.send()
        desk.session.linkWasLost(now: desk.now)
        try desk.session.resume(peerProcessed: 0, now: desk.now)
        #expect(desk.receive(.ack(1)).last == "throws badCount")
    }

    @Test func framesOfALinkThatWasLeftAreNotProcessed() throws {
        let desk = Desk(.edge)
        desk.receive(.head(1))
        desk.session.linkWasLost(now: desk.now)
        #expect(desk.receive(.data(1, 5)) == [])
        #expect(desk.session.processed == 1, "as it was stated in LOGIN")
        try desk.session.resume(peerProcessed: 0, now: desk.now)
        #expect(desk.receive(.data(1, 5)) == ["data 1 5"])
    }

    /// A frame that filled its message must fit beside ACK, PONG and PING when it is sent again, however
    /// much arrives meanwhile.
    @Test func aFullFrameIsSentAgainUnderTraffic() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open())
        _ = desk.send()
        desk.data(40_000, on: stream)
        _ = desk.send()
        desk.session.linkWasLost(now: desk.now)
        try desk.session.resume(peerProcessed: 1, now: desk.now)
        for _ in 0..<3 {
            desk.receive(.ping(7), .other(0xB0))
            let message = desk.message()
            #expect(message.contains { $0.hasPrefix("DATA 1") }, "\(message)")
        }
    }

    @Test func aSessionWaitsForItsResumeWindow() throws {
        let desk = Desk(.connector)
        desk.open()
        desk.session.linkWasLost(now: desk.now)
        #expect(desk.session.deadline == desk.now + .seconds(30))
        desk.pass(.milliseconds(29_999))
        #expect(desk.events() == [])
        desk.pass(.milliseconds(1))
        #expect(desk.events() == ["reset 1 refused", "closed no link came in time"])
        #expect(desk.session.deadline == nil)
        #expect(desk.session.streamCount == 0)
    }

    @Test func streamsThePeerMayHaveSeenAreLostWithTheSession() throws {
        let desk = Desk(.connector)
        desk.open()
        _ = desk.send()
        desk.open()
        desk.session.expire()
        #expect(
            desk.events() == [
                "reset 1 session-lost", "reset 3 refused", "closed no link came in time",
            ]
        )
    }

    // MARK: Acknowledgements

    @Test func anAcknowledgementWaitsTwentyFiveMilliseconds() {
        let desk = Desk(.edge)
        desk.receive(.head(1, .end))
        #expect(desk.session.deadline == desk.now + .milliseconds(25))
        #expect(!desk.wantsToSend)
        desk.pass(.milliseconds(24))
        #expect(!desk.wantsToSend)
        desk.pass(.milliseconds(1))
        #expect(desk.wantsToSend)
        #expect(desk.session.deadline ?? desk.now > desk.now, "a blocked link must not spin")
        #expect(desk.send() == ["ACK =1"])
        #expect(desk.send() == [])
    }

    @Test func anAcknowledgementOfMuchDoesNotWait() throws {
        let many = Desk(.edge)
        for _ in 0..<255 { many.receive(.other(0xB0)) }
        #expect(!many.wantsToSend)
        many.receive(.other(0xB0))
        #expect(many.wantsToSend)
        #expect(many.send() == ["ACK =256"])
        let large = Desk(.edge)
        large.receive(.head(1))
        for _ in 0..<4 { large.receive(.data(1, 15_000)) }
        #expect(!large.wantsToSend)
        large.receive(.data(1, 5_536))
        #expect(large.send() == ["ACK =6"])
    }

    @Test func framesThatAreNotCountedAreNotAcknowledged() {
        let desk = Desk(.edge)
        desk.receive(.pong(9), .ack(0), .other(0x80))
        desk.pass(.milliseconds(30))
        #expect(desk.send() == [])
        #expect(desk.session.processed == 0)
    }

    @Test func aPeerThatNeverAcknowledgesIsNotBufferedFor() {
        let desk = Desk(.edge, .small(streams: 0))
        var id: UInt64 = 1
        var thrown = false
        while !thrown, id < 400_000 {
            thrown = desk.receive(.head(id)).last == "throws badCount"
            id += 2
            if id % 512 == 1 { _ = desk.send() }
        }
        #expect(thrown)
        #expect(desk.session.isClosed == true)
    }

    @Test func aFullLogWaitsWithoutSpinning() {
        let desk = Desk(.edge, .small(streams: 0))
        for id in 0..<UInt64(65_540) {
            desk.receive(.head(id * 2 + 1))
            if id % 512 == 0 { _ = desk.send() }
        }
        _ = desk.send()
        #expect(!desk.wantsToSend)
        desk.receive(.ack(65_536))
        #expect(
            desk.send()
                == [
                    "RESET 131073 refused", "RESET 131075 refused",
                    "RESET 131077 refused", "RESET 131079 refused",
                ].withAcknowledgement(65_540)
        )
    }

    @Test func thePeersWindowDoesNotDecideOurMemory() throws {
        var configuration = SessionConfiguration()
        configuration.maximumUnacknowledgedBytes = 100_000
        let limits = SessionLimits(
            streams: 4,
            streamWindowBytes: .max,
            sessionWindowBytes: .max
        )
        let desk = Desk(.connector, configuration, peer: limits)
        let stream = try #require(desk.open())
        desk.data(400_000, on: stream)
        _ = desk.send()
        #expect((100_000...116_000).contains(desk.session.unacknowledgedBytes))
    }

    /// What an end tells only itself, that the session is lost, a peer cannot say: the edge would
    /// repeat the request elsewhere.
    @Test func codesForAnEndsOwnUseBreakTheProtocol() throws {
        for code: UInt16 in [0xFF00, 0xFF01, 0xFF02, 0xFFFF] {
            let desk = Desk(.edge)
            let stream = try #require(desk.open())
            _ = desk.send()
            let events = desk.receive(.reset(stream.id.rawValue, ResetCode(rawValue: code)))
            #expect(events.last == "throws malformed", "\(events)")
        }
        let desk = Desk(.edge)
        let stream = try #require(desk.open())
        _ = desk.send()
        #expect(
            desk.receive(.reset(stream.id.rawValue, ResetCode(rawValue: 0xFEFF)))
                == ["reset \(stream.id) code-65279"]
        )
    }

    // MARK: Liveness

    @Test func aPingIsAnsweredAheadOfData() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open())
        desk.data(10, on: stream)
        desk.receive(.ping(77))
        #expect(desk.send() == ["PONG =77", "HEAD 1 1", "DATA 1 10"])
    }

    @Test func aLinkIsPingedAtItsStartAndEveryFiveSeconds() {
        let desk = Desk(.edge, quiet: false)
        #expect(desk.send() == ["PING =1"])
        #expect(desk.session.deadline == desk.now + .seconds(5))
        desk.pass(.milliseconds(4_999))
        #expect(desk.send() == [])
        desk.pass(.milliseconds(1))
        #expect(desk.send() == ["PING =2"])
        #expect(desk.receive(.pong(1), .pong(2), .pong(3)) == [])
    }

    /// What the edge asks tells the connector, too.
    @Test func aConnectorPingsWhenItIsNotPinged() {
        let desk = Desk(.connector, quiet: false)
        #expect(desk.send() == ["PING =1"])
        for number in 1...10 {
            desk.pass(.seconds(5))
            #expect(desk.receive(.ping(UInt64(number))) == [])
            #expect(desk.send() == ["PONG =\(number)"])
        }
        desk.pass(.milliseconds(7_499))
        #expect(desk.send() == [])
        desk.pass(.milliseconds(1))
        #expect(desk.send() == ["PING =2"])
        desk.pass(.milliseconds(7_499))
        #expect(desk.events() == [])
        desk.pass(.milliseconds(1))
        #expect(desk.events() == ["linkIsDead"])
    }

    @Test func aSilentLinkIsDeadAfterFifteenSeconds() {
        let desk = Desk(.edge)
        for _ in 0..<2 {
            desk.pass(.seconds(5))
            _ = desk.send()
        }
        #expect(desk.session.deadline == desk.now + .seconds(5))
        desk.pass(.milliseconds(4_999))
        #expect(desk.events() == [])
        desk.pass(.milliseconds(1))
        #expect(desk.events() == ["linkIsDead"])
        #expect(desk.session.deadline == nil)
        desk.pass(.seconds(9))
        #expect(desk.events() == [], "said once")
        desk.session.linkWasLost(now: desk.now)
        #expect(desk.session.deadline == desk.now + .seconds(30))
    }

    @Test func anythingThatArrivesKeepsTheLinkAlive() {
        let desk = Desk(.edge)
        for _ in 0..<10 {
            desk.pass(.seconds(4))
            #expect(desk.receive(.other(0x80)) == [])
            _ = desk.send()
        }
        desk.pass(.milliseconds(14_999))
        #expect(desk.events() == [])
    }

    // MARK: Drain and close

    @Test func aDrainingSessionServesWhatIsUnderWay() throws {
        let pair = Pair()
        let stream = try #require(pair.edge.open(now: pair.now))
        pair.settle()
        pair.connector.session.startDraining()
        #expect(pair.connector.session.isDrained == false)
        pair.settle()
        #expect(pair.edge.session.isPeerDraining == true)
        #expect(pair.edge.session.canOpen == false)
        #expect(pair.edge.open(now: pair.now) == nil)
        #expect(pair.edge.take().map { "\($0)" } == ["peerDraining"])
        let served = pair.connector.take().compactMap { event -> SessionStream? in
            if case .opened(let stream) = event { stream } else { nil }
        }
        let accepted = try #require(served.first)
        pair.connector.session.send(head: .response(), on: accepted, now: pair.now)
        pair.connector.session.sendEnd(on: accepted, now: pair.now)
        pair.edge.session.sendEnd(on: stream, now: pair.now)
        pair.settle()
        pair.pass(.milliseconds(25))
        pair.settle()
        #expect(pair.edge.take().map { "\($0)" } == ["head 2 3", "ended 2"])
        #expect(pair.connector.session.isDrained == true)
    }

    @Test func aStreamWhoseHeadHasNotLeftGoesElsewhereOnDrain() throws {
        let desk = Desk(.edge)
        let begun = try #require(desk.open())
        _ = desk.send()
        let waiting = try #require(desk.open())
        #expect(desk.receive(.drain) == ["peerDraining", "reset 4 refused"])
        #expect(desk.receive(.drain) == [])
        #expect(!begun.isClosed && waiting.isClosed)
        #expect(desk.send() == ["ACK =2"])
    }

    @Test func aDrainSurvivesACut() throws {
        let pair = Pair()
        pair.connector.session.startDraining()
        pair.transmit(pair.connector)
        pair.cut()
        try pair.reconnect()
        pair.settle()
        #expect(pair.edge.session.isPeerDraining == true)
    }

    @Test func aCloseComesAfterAllThatWasSent() throws {
        let pair = Pair()
        let stream = try #require(pair.edge.open(now: pair.now))
        pair.edge.session.send(data: ByteBuffer(repeating: 1, count: 9), on: stream, now: pair.now)
        pair.transmit(pair.edge)
        pair.edge.session.close(.shutdown, reason: "going")
        pair.settle()
        #expect(
            pair.connector.take().map { "\($0)" }.dropLast()
                == ["opened 2", "head 2 1", "data 2 9", "reset 2 session-closed"]
        )
        #expect(pair.connector.session.closeReason == .closedByPeer(.shutdown, "going"))
        #expect(pair.edge.take().map { "\($0)" }.first == "reset 2 session-stopped")
        #expect(pair.edge.session.closeReason == .closedHere(.shutdown))
        #expect(!pair.edge.wantsToSend(now: pair.now))
    }

    @Test func aCloseGoesEvenIntoAFullLog() throws {
        let limits = SessionLimits(streams: 1, streamWindowBytes: .max, sessionWindowBytes: 100)
        let desk = Desk(.connector, peer: limits)
        let stream = try #require(desk.open())
        desk.receive(.sessionCredit(10_000))
        desk.data(1_000, on: stream)
        #expect(desk.send() == ["ACK =1", "HEAD 1 1", "DATA 1 1000"])
        desk.session.startDraining()
        #expect(desk.send() == [], "the log is full")
        desk.session.close(.shutdown, reason: "")
        #expect(desk.send() == ["CLOSE"])
    }

    @Test func aSessionThatIsOverIsSilent() throws {
        let desk = Desk(.edge)
        let stream = try #require(desk.open())
        desk.data(50_000, on: stream)
        _ = desk.message()
        desk.session.linkWasLost(now: desk.now)
        try desk.session.resume(peerProcessed: 0, now: desk.now)
        #expect(desk.receive(.ack(99)).last == "throws badCount")
        #expect(!desk.wantsToSend)
        #expect(desk.send() == [])
        #expect(desk.receive(.ping(1), .head(1), .data(9, 1), .close(.shutdown, "")) == [])
        desk.session.startDraining()
        desk.session.close(.shutdown, reason: "again")
        desk.session.expire()
        desk.pass(.seconds(100))
        #expect(desk.open() == nil)
        #expect(desk.events() == [])
        #expect(desk.send() == [])
    }

    @Test func aCloseReasonIsCutBetweenCharacters() throws {
        let desk = Desk(.edge)
        desk.session.close(.overload, reason: String(repeating: "x", count: 511) + "ü")
        var payload = try #require(desk.rawMessage().first?.payload)
        #expect(payload.readInteger(as: UInt16.self) == CloseCode.overload.rawValue)
        #expect(payload.readInteger(as: UInt16.self) == 511)
        #expect(
            payload.readString(length: payload.readableBytes) == String(repeating: "x", count: 511)
        )
    }

    @Test func aCloseThatDoesNotParseIsMalformed() {
        for payload in [[], [0, 1], [0, 1, 0, 2, 65], [0, 1, 0, 0, 65]] as [[UInt8]] {
            let desk = Desk(.edge)
            let events = desk.receive(TestFrame(type: .close, payload: ByteBuffer(bytes: payload)))
            #expect(events.last == "throws malformed")
        }
    }

    @Test func loginFramesAfterTheLoginAreRefused() {
        for type in [FrameType.challenge, .login, .welcome, .refused] {
            let desk = Desk(.edge)
            #expect(desk.receive(TestFrame(type: type)).last == "throws unexpectedFrame")
        }
    }

    @Test func optionalFramesAreSkippedAndCountedByTheirRange() {
        let desk = Desk(.edge)
        #expect(desk.receive(.other(0x80), .other(0x9F), .other(0xA2), .other(0xFF)) == [])
        #expect(desk.session.processed == 2)
    }
}

extension [String] {
    fileprivate func withAcknowledgement(_ count: UInt64) -> [String] { ["ACK =\(count)"] + self }
}
