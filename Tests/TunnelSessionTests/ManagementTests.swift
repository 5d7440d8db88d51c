import NIOCore
import Testing
import TunnelSession
import TunnelWire

/// CONFIGURATION and REPORT: the latest, whole, once, over any number of links.
@Suite struct ManagementTests {
    private func configuration(_ version: UInt64, bytes: Int = 4) -> ManagedConfiguration {
        ManagedConfiguration(version: version, text: String(repeating: "t", count: bytes))
    }

    @Test func aConfigurationGoesBeforeWhatStreamsSend() throws {
        let desk = Desk(.edge)
        let stream = try #require(desk.open("x"))
        desk.end(stream)
        desk.session.send(self.configuration(1))
        #expect(desk.send() == ["CONFIGURATION 12", "HEAD 2 END 2"])
    }

    @Test func aLongOneGoesInPieces() {
        let desk = Desk(.edge)
        desk.session.send(self.configuration(1, bytes: 20_000))
        #expect(
            desk.send() == [
                "CONFIGURATION MORE 8000", "CONFIGURATION MORE 8000", "CONFIGURATION 4008",
            ]
        )
    }

    @Test func ofSeveralThatWaitTheLastIsSent() throws {
        let desk = Desk(.edge)
        desk.session.linkWasLost(now: desk.now)
        for version in 1...9 as ClosedRange<UInt64> {
            desk.session.send(self.configuration(version, bytes: Int(version)))
        }
        try desk.session.resume(peerProcessed: 0, now: desk.now)
        #expect(desk.send() == ["PING =1", "CONFIGURATION 17"])
    }

    @Test func oneThatWasOnItsWayIsSentAgainAndThenTheNext() throws {
        let desk = Desk(.edge)
        desk.session.send(self.configuration(1, bytes: 1))
        #expect(desk.send() == ["CONFIGURATION 9"])
        desk.session.linkWasLost(now: desk.now)
        desk.session.send(self.configuration(2, bytes: 2))
        try desk.session.resume(peerProcessed: 0, now: desk.now)
        #expect(desk.send() == ["PING =1", "CONFIGURATION 9", "CONFIGURATION 10"])
    }

    @Test func theLongestCrosses() {
        let pair = Pair()
        let longest = self.configuration(3, bytes: ManagedConfiguration.maximumTextBytes)
        pair.edge.session.send(longest)
        pair.settle()
        #expect(pair.connector.take().map(\.description) == ["configuration 3 262144"])
        #expect(pair.connector.failure == nil)
    }

    @Test func aLongerOneEndsTheSession() {
        let desk = Desk(.connector)
        let piece = [UInt8](repeating: 0x61, count: 15_000)
        for _ in 0..<17 { #expect(desk.receive(.configuration(piece, more: true)) == []) }
        #expect(desk.receive(.configuration(piece, more: true)).last == "throws badLength")
        #expect(desk.session.isClosed == true)
    }

    @Test func aReportLongerThanASectionEndsTheSession() {
        let desk = Desk(.edge)
        let piece = [UInt8](repeating: 0x61, count: 15_000)
        for _ in 0..<4 { #expect(desk.receive(.report(piece, more: true)) == []) }
        #expect(desk.receive(.report(piece)).last == "throws badLength")
    }

    @Test func eachEndSendsItsOwnOnly() {
        #expect(Desk(.edge).receive(.configuration([0, 0])).last == "throws unexpectedFrame")
        #expect(Desk(.connector).receive(.report([])).last == "throws unexpectedFrame")
    }

    @Test func anEmptyReportIsOne() {
        #expect(Desk(.edge).receive(.report([])) == ["report none"])
    }

    @Test func whatDoesNotParseEndsTheSession() {
        #expect(Desk(.connector).receive(.configuration([1, 2])).last == "throws malformed")
        #expect(Desk(.edge).receive(.report([0x80])).last == "throws malformed")
    }

    @Test func nothingIsSentAfterTheEnd() {
        let desk = Desk(.edge)
        desk.session.linkWasLost(now: desk.now)
        desk.session.send(self.configuration(1))
        desk.session.close(.shutdown, reason: "")
        desk.session.send(self.configuration(2))
        #expect(!desk.wantsToSend)
    }
}
