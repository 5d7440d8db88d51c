import NIOCore
import Testing
import TunnelSession
import TunnelWire

/// One end, a conversation each: what comes in, what comes of it, and how things stand after.
@Suite struct StreamTests {
    @Test func anExchangeFromOneEnd() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open("abc"))
        desk.data(5, on: stream)
        desk.end(stream)
        #expect(desk.send() == ["HEAD 1 4", "DATA 1 END 5"])
        #expect(desk.receive(.answer(1), .data(1, 3)) == ["head 1 3", "data 1 3"])
        #expect(desk.receive(.data(1, 0, .end)) == ["ended 1"])
        #expect(stream.isClosed)
        #expect(desk.session.streamCount == 0)
        #expect(desk.session.processed == 3)
    }

    @Test func anExchangeFromTheOtherEnd() throws {
        let desk = Desk(.edge)
        #expect(desk.receive(.head(1, .end)) == ["opened 1", "head 1 1", "ended 1"])
        let stream = try #require(desk.streams[1])
        desk.answer(103, on: stream)
        desk.answer(200, on: stream)
        desk.end(stream)
        #expect(desk.send() == ["ACK =1", "HEAD 1 3", "HEAD 1 END 3"])
        #expect(stream.isClosed)
    }

    @Test func theAccepterMayEndFirst() throws {
        let desk = Desk(.edge)
        desk.receive(.head(1), .data(1, 4))
        let stream = try #require(desk.streams[1])
        desk.answer(on: stream)
        desk.end(stream)
        #expect(desk.send() == ["ACK =2", "HEAD 1 END 3"])
        #expect(!stream.isClosed)
        #expect(
            desk.receive(.data(1, 4), .data(1, 1, .end)) == ["data 1 4", "data 1 1", "ended 1"]
        )
        #expect(stream.isClosed)
    }

    @Test func theOpenerMayEndFirst() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open())
        desk.end(stream)
        #expect(desk.send() == ["HEAD 1 END 1"])
        #expect(!stream.isClosed)
        #expect(desk.receive(.answer(1, 200, .end)) == ["head 1 3", "ended 1"])
        #expect(stream.isClosed)
    }

    @Test func trailersEndADirection() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open())
        desk.data(2, on: stream)
        desk.session.send(trailers: ByteBuffer(), on: stream, now: desk.now)
        #expect(desk.send() == ["HEAD 1 1", "DATA 1 2", "TRAILERS 1 0"])
        #expect(
            desk.receive(.answer(1), .trailers(1, 7, .more), .trailers(1, 2))
                == ["head 1 3", "trailers 1 9", "ended 1"]
        )
        #expect(stream.isClosed)
    }

    @Test func twoSidesCountTheirIdsApart() throws {
        let desk = Desk(.edge)
        #expect(try #require(desk.open()).id.rawValue == 2)
        #expect(try #require(desk.open()).id.rawValue == 4)
        #expect(
            desk.receive(.head(1), .head(9)) == ["opened 1", "head 1 1", "opened 9", "head 9 1"]
        )
        #expect(desk.receive(.head(5), .data(7, 3, .end)) == [], "skipped, so used")
        #expect(desk.session.streamCount == 4)
    }

    // MARK: Sections of several frames

    @Test func aLongHeadGoesInPiecesAndOthersPassBetween() throws {
        let desk = Desk(.connector)
        let long = try #require(desk.open(String(repeating: "h", count: 20_000)))
        desk.end(long)
        desk.open("s")
        #expect(
            desk.send() == ["HEAD 1 MORE 15928", "HEAD 3 2", "HEAD 1 END 4073"]
        )
    }

    @Test func piecesOfDifferentStreamsInterleave() {
        let desk = Desk(.edge)
        let half = ByteBuffer.request("a")
        #expect(
            desk.receive(.head(1, .more, half), .head(3, .more, half)) == ["opened 1", "opened 3"]
        )
        #expect(desk.receive(.head(1, [], half)) == ["head 1 4"])
        #expect(desk.receive(.head(3, .end, half)) == ["head 3 4", "ended 3"])
    }

    @Test func aSectionHasALimit() {
        let desk = Desk(.edge)
        let piece = ByteBuffer(repeating: 1, count: 15_000)
        for _ in 0..<4 { desk.receive(.head(1, .more, piece)) }
        var last = piece
        last.moveReaderIndex(forwardBy: 9_464)
        #expect(desk.receive(.head(1, .more, last)) == [])
        let events = desk.receive(.head(1, [], ByteBuffer(repeating: 1, count: 1)))
        #expect(events.last == "throws badLength")
    }

    @Test func nothingOfTheStreamComesBetweenPieces() {
        for frame in [TestFrame.data(1, 1), .data(1, 0, .end), .trailers(1)] {
            let desk = Desk(.edge)
            desk.receive(.head(1, .more))
            #expect(desk.receive(frame).last == "throws unexpectedFrame")
        }
        for frame in [TestFrame.data(1, 1), .data(1, 0, .end), .head(1)] {
            let desk = Desk(.edge)
            desk.receive(.head(1), .trailers(1, 1, .more))
            #expect(desk.receive(frame).last == "throws unexpectedFrame")
        }
    }

    @Test func aResetBetweenPiecesIsFine() {
        let desk = Desk(.edge)
        desk.receive(.head(1, .more))
        #expect(desk.receive(.reset(1), .credit(1, 5)) == ["reset 1 cancelled"])
        #expect(desk.session.streamCount == 0)
    }

    // MARK: Out of order

    @Test func whatAStreamsStateForbids() {
        let wrong: [(TestFrame, [TestFrame])] = [
            (.data(1, 1), [.head(1, .end)]), (.data(1, 0, .end), [.head(1, .end)]),
            (.trailers(1), [.head(1, .end)]), (.head(1), [.head(1)]),
            (.head(1, .end), [.head(1, .end)]), (.trailers(1), [.head(1), .trailers(1)]),
            (.data(1, 0, .end), [.head(1), .data(1, 0, .end)]),
        ]
        for (frame, before) in wrong {
            let desk = Desk(.edge)
            for frame in before { desk.receive(frame) }
            let events = desk.receive(frame)
            #expect(events.suffix(1) == ["throws unexpectedFrame"], "\(frame.type)")
            #expect(events.dropLast().last?.hasPrefix("closed the peer broke the protocol") == true)
            #expect(events.first == "reset 1 session-lost")
            #expect(desk.session.isClosed == true)
        }
    }

    @Test func anAnswersDataBeforeItsHead() throws {
        for frame in [TestFrame.data(1, 1), .data(1, 0, .end), .trailers(1)] {
            let desk = Desk(.connector)
            desk.open()
            #expect(desk.send() == ["HEAD 1 1"])
            #expect(desk.receive(frame).last == "throws unexpectedFrame")
        }
    }

    @Test func framesOnIdsThatWereNeverOpened() {
        let frames: [TestFrame] = [
            .data(3, 1), .trailers(3), .reset(3), .credit(3, 1), .head(2), .data(2, 1), .reset(2),
            .credit(2, 9), .trailers(2),
        ]
        for frame in frames {
            let desk = Desk(.edge)
            desk.receive(.head(1, .end))
            #expect(desk.receive(frame).last == "throws unexpectedFrame", "\(frame.type)")
        }
    }

    @Test func framesOnAStreamWhoseHeadWaitsHere() {
        for frame in [
            TestFrame.answer(1), .data(1, 1), .trailers(1), .reset(1), .credit(1, 1 << 20),
        ] {
            let desk = Desk(.connector)
            desk.open()
            #expect(desk.receive(frame).last == "throws unexpectedFrame", "\(frame.type)")
        }
    }

    @Test func lateFramesOnAClosedStreamAreIgnoredButCounted() throws {
        let desk = Desk(.edge, .small())
        desk.receive(.head(1))
        let stream = try #require(desk.streams[1])
        desk.session.reset(stream, code: .overLimit)
        #expect(desk.send() == ["ACK =1", "RESET 1 over-limit"])
        #expect(
            desk.receive(
                .data(1, 900),
                .credit(1, 5_000),
                .trailers(1),
                .data(1, 900),
                .head(1),
                .reset(1)
            ) == []
        )
        #expect(desk.session.processed == 7)
        #expect(desk.session.bufferedBytes == 0, "late DATA is consumed at once")
        for _ in 0..<40 { #expect(desk.receive(.data(1, 900)) == []); _ = desk.send() }
    }

    @Test func whoTakesNoStreamsRefusesThem() {
        let desk = Desk(.edge, .small(streams: 0))
        #expect(desk.receive(.head(1), .head(3)) == [])
        #expect(desk.send().suffix(2) == ["RESET 1 refused", "RESET 3 refused"])
        #expect(desk.session.streamCount == 0)
    }

    @Test func headsThatAreNotAcknowledgedHaveALimit() {
        let desk = Desk(.connector)
        for _ in 0..<700 { desk.open(String(repeating: "h", count: 15_000)) }
        func bytes(_ frames: [String]) -> Int {
            frames.reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) }
        }
        let frames = desk.send()
        #expect((8_300_000...8_450_000).contains(bytes(frames)), "8 MiB")
        desk.receive(.ack(UInt64(frames.count)))
        #expect(
            (2_000_000...2_300_000).contains(bytes(desk.send())),
            "the rest of 700 times 15,001"
        )
    }

    @Test func interimHeadsHaveALimitAtTheReceiver() {
        let desk = Desk(.connector)
        desk.open()
        _ = desk.send()
        for _ in 0..<32 { #expect(desk.receive(.answer(1, 103)) == ["head 1 3"]) }
        #expect(desk.receive(.answer(1, 103)).last == "throws unexpectedFrame")
        let other = Desk(.connector)
        other.open()
        _ = other.send()
        #expect(other.receive(.answer(1, 103, .end)).last == "throws unexpectedFrame")
    }

    @Test func anOriginsFloodOfInterimHeadsIsCutHere() throws {
        let desk = Desk(.edge)
        desk.receive(.head(1, .end))
        let stream = try #require(desk.streams[1])
        for _ in 0..<50 { desk.answer(103, on: stream) }
        desk.answer(on: stream)
        desk.end(stream)
        #expect(desk.send().count == 1 + 32 + 1)
        #expect(stream.isClosed)
    }

    @Test func switchingProtocolsIsAFinalHead() throws {
        let desk = Desk(.connector)
        desk.open()
        _ = desk.send()
        #expect(desk.receive(.answer(1, 101), .data(1, 2)) == ["head 1 3", "data 1 2"])
        #expect(desk.receive(.answer(1, 200)).last == "throws unexpectedFrame")
    }

    // MARK: Resets

    @Test func aResetAfterTheEndDeliversTheWholeAnswer() throws {
        let desk = Desk(.edge, peer: SessionConfiguration.small().limits)
        desk.receive(.head(1))
        let stream = try #require(desk.streams[1])
        desk.answer(on: stream)
        desk.data(1_500, on: stream)
        desk.end(stream)
        desk.session.reset(stream, code: .cancelled)
        #expect(desk.send() == ["ACK =1", "HEAD 1 3", "DATA 1 1000"])
        #expect(!stream.isClosed)
        #expect(desk.receive(.data(1, 9)) == [], "its request is not wanted any more")
        #expect(desk.session.bufferedBytes == 0)
        #expect(desk.receive(.credit(1, 9_000)) == [])
        #expect(desk.send() == ["ACK =3", "DATA 1 END 500", "RESET 1 cancelled"])
        #expect(stream.isClosed)
        #expect(desk.session.streamCount == 0)
    }

    @Test func noResetFollowsWhenTheRequestEndedMeanwhile() throws {
        let desk = Desk(.edge, peer: SessionConfiguration.small().limits)
        desk.receive(.head(1))
        let stream = try #require(desk.streams[1])
        desk.answer(on: stream)
        desk.end(stream)
        desk.session.reset(stream, code: .cancelled)
        #expect(desk.receive(.data(1, 2, .end)) == [])
        #expect(desk.send() == ["ACK =2", "HEAD 1 END 3"])
        #expect(stream.isClosed)
    }

    @Test func anAnswerThatBreaksOffGoesAsFarAsItGot() throws {
        let desk = Desk(.edge, peer: SessionConfiguration.small().limits)
        desk.receive(.head(1))
        let stream = try #require(desk.streams[1])
        desk.answer(on: stream)
        desk.data(1_500, on: stream)
        desk.session.reset(stream, code: .truncated)
        desk.session.reset(stream, code: .cancelled)
        #expect(desk.send() == ["ACK =1", "HEAD 1 3", "DATA 1 1000"])
        #expect(!stream.isClosed)
        #expect(desk.receive(.data(1, 9)) == [], "its request is not wanted any more")
        #expect(desk.receive(.credit(1, 9_000)) == [])
        #expect(desk.send() == ["ACK =3", "DATA 1 500", "RESET 1 truncated"])
        #expect(stream.isClosed)
        #expect(desk.send() == [])
    }

    @Test func theOpenersResetGivesUpWhatIsQueued() throws {
        let desk = Desk(.connector, peer: SessionConfiguration.small().limits)
        let stream = try #require(desk.open())
        desk.data(1_500, on: stream)
        #expect(desk.send() == ["HEAD 1 1", "DATA 1 1000"])
        desk.session.reset(stream, code: .cancelled)
        #expect(desk.send() == ["RESET 1 cancelled"])
        desk.data(100, on: stream)
        desk.end(stream)
        #expect(desk.send() == [])
    }

    @Test func aStreamThePeerNeverSawIsResetInSilence() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open())
        desk.session.reset(stream, code: .cancelled)
        #expect(desk.send() == [])
        desk.open()
        #expect(desk.send() == ["HEAD 3 1"])
        #expect(desk.session.streamCount == 1)
    }

    @Test func anOwnResetTakesBackEventsAndCredit() throws {
        let desk = Desk(.edge, .small())
        desk.receive(.head(1), .data(1, 400))
        let stream = try #require(desk.streams[1])
        try desk.session.receive(TestFrame.data(1, 500).decoded(), now: desk.now)
        #expect(desk.session.bufferedBytes == 900)
        desk.session.reset(stream, code: .cancelled)
        #expect(desk.events() == [], "no event follows an own reset")
        #expect(desk.session.bufferedBytes == 0)
        desk.session.consumed(900, on: stream, now: desk.now)
        #expect(desk.session.bufferedBytes == 0, "said twice, counted once")
    }

    @Test func aResetOfACompleteStreamTakesBackWhatItsReaderHeld() throws {
        let desk = Desk(.edge, .small())
        desk.receive(.head(1))
        let stream = try #require(desk.streams[1])
        desk.answer(on: stream)
        desk.end(stream)
        _ = desk.send()
        try desk.session.receive(TestFrame.data(1, 500, .end).decoded(), now: desk.now)
        #expect(stream.isClosed)
        desk.session.reset(stream, code: .cancelled)
        #expect(desk.events() == [])
        #expect(desk.session.bufferedBytes == 0)
    }

    @Test func aPeersResetLeavesTheReaderItsBytes() throws {
        let desk = Desk(.edge, .small())
        desk.receive(.head(1), .data(1, 900))
        let stream = try #require(desk.streams[1])
        #expect(desk.receive(.reset(1, .truncated)) == ["reset 1 truncated"])
        #expect(desk.session.bufferedBytes == 900)
        desk.session.consumed(900, on: stream, now: desk.now)
        desk.pass(.milliseconds(25))
        #expect(desk.session.bufferedBytes == 0)
        #expect(!desk.send().contains { $0.hasPrefix("STREAM_CREDIT") })
    }

    @Test func aResetWithoutItsTextIsMalformed() {
        for payload in [[0, 1, 0, 1], [0, 1, 0, 1, 65, 66], [0, 1, 0, 0, 65]] as [[UInt8]] {
            let desk = Desk(.edge)
            desk.receive(.head(1))
            let frame = TestFrame(type: .reset, stream: 1, payload: ByteBuffer(bytes: payload))
            #expect(desk.receive(frame).last == "throws malformed")
        }
    }

    // MARK: How many

    @Test func streamsBeyondTheLimitAreRefused() throws {
        let desk = Desk(.edge, .small(streams: 2))
        desk.receive(.head(1), .head(3))
        #expect(desk.receive(.head(5, .more), .head(5), .data(5, 3, .end)) == [])
        #expect(desk.send() == ["ACK =5", "RESET 5 refused"])
        desk.receive(.reset(1))
        #expect(desk.receive(.head(7)) == ["opened 7", "head 7 1"])
        #expect(desk.session.streamCount == 2)
    }

    @Test func thePeersLimitHoldsHereToo() throws {
        let desk = Desk(.connector, peer: SessionConfiguration.small(streams: 2).limits)
        let first = try #require(desk.open())
        #expect(desk.open() != nil)
        #expect(desk.open() == nil)
        #expect(desk.session.canOpen == false)
        desk.session.reset(first, code: .cancelled)
        #expect(desk.session.canOpen == true)
        #expect(try #require(desk.open()).id.rawValue == 5)
    }
}
