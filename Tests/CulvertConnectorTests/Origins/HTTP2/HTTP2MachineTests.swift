import HTTPSemantics
import NIOHPACK
import NIOHTTP2
import Testing
import TunnelWire

@testable import CulvertConnector

@Suite("The decisions about HTTP/2 connections")
struct HTTP2ConnectionMachineTests {
    private func ready(limit: Int = 2, origin: Int? = nil) -> HTTP2ConnectionMachine {
        var machine = HTTP2ConnectionMachine(limit: limit)
        let action = machine.receivedSettings(maximumStreams: origin)
        #expect(action == .ready)
        return machine
    }

    @Test func noRoomBeforeTheSettings() {
        var machine = HTTP2ConnectionMachine(limit: 2)
        let before = (machine.hasRoom, machine.isReady)
        #expect(before == (false, false))
        let action = machine.receivedSettings(maximumStreams: nil)
        #expect(action == .ready)
        let after = (machine.hasRoom, machine.isReady)
        #expect(after == (true, true))
    }

    @Test(arguments: [(nil, 2), (1, 1), (2, 2), (Int(Int32.max), 2)] as [(Int?, Int)])
    func theSmallerLimitHolds(_ origin: Int?, _ expected: Int) {
        var machine = self.ready(origin: origin)
        var ids: [Int] = []
        while machine.hasRoom { ids.append(machine.openStream()) }
        #expect(ids == [1, 3].prefix(expected).map { $0 })
        let end = machine.streamEnded()
        #expect(end == (expected == 1 ? .idle : .offer))
        let room = machine.hasRoom
        #expect(room)
        let next = machine.openStream()
        #expect(next == 2 * expected + 1, "an id is never used again")
    }

    @Test func limitsMayChange() {
        var machine = self.ready()
        _ = machine.openStream()
        var action = machine.receivedSettings(maximumStreams: 1)
        #expect(action == .changed)
        var room = machine.hasRoom
        #expect(!room)
        // SETTINGS about something else leave it.
        action = machine.receivedSettings(maximumStreams: nil)
        room = machine.hasRoom
        #expect(action == .changed && !room)
        action = machine.receivedSettings(maximumStreams: 50)
        room = machine.hasRoom
        #expect(action == .changed && room)
    }

    @Test func settingsWithoutAStreamAreUseless() {
        var machine = HTTP2ConnectionMachine(limit: 2)
        let action = machine.receivedSettings(maximumStreams: 0)
        #expect(action == .useless)
        let room = machine.hasRoom
        #expect(!room)
    }

    @Test func refusalLowersTheLimit() {
        var machine = self.ready()
        _ = machine.openStream()
        _ = machine.openStream()
        let end = machine.streamEnded(isRefused: true)
        #expect(end == .nothing)
        let room = machine.hasRoom
        #expect(!room)
        let last = machine.streamEnded()
        #expect(last == .idle)
        let again = machine.hasRoom
        #expect(again)
    }

    @Test func goAwayLetsStreamsEnd() {
        var machine = self.ready()
        _ = machine.openStream()
        let action = machine.receivedGoAway()
        #expect(action == .leave)
        let room = machine.hasRoom
        #expect(!room)
        let again = machine.receivedGoAway()
        #expect(again == .leave, "with a lower id")
        let end = machine.streamEnded()
        #expect(end == .close)
        let late = machine.receivedGoAway()
        #expect(late == .nothing)
    }

    @Test func nothingAfterTheEnd() {
        var machine = self.ready()
        _ = machine.openStream()
        machine.closed()
        let state = (machine.hasRoom, machine.isReady)
        #expect(state == (false, false))
        let end = machine.streamEnded()
        #expect(end == .nothing)
        let settings = machine.receivedSettings(maximumStreams: 9)
        #expect(settings == .nothing)
    }
}

@Suite("The decisions about HTTP/2 streams")
struct HTTP2StreamMachineTests {
    @Test func headBodyTrailers() {
        var machine = HTTP2StreamMachine(isHead: false)
        #expect(machine.receivedHead(status: 100, endStream: false) == .interim)
        #expect(machine.receivedHead(status: 103, endStream: false) == .interim)
        #expect(machine.receivedHead(status: 200, endStream: false) == .final(ends: false))
        #expect(machine.receivedData(bytes: 1, endStream: false) == .forward(ends: false))
        #expect(machine.receivedHead(status: nil, endStream: true) == .trailers)
        #expect(machine.endingOfConnection == .nothing)
        #expect(machine.receivedData(bytes: 1, endStream: true) == .ignore)
        #expect(machine.receivedHead(status: 200, endStream: true) == .ignore)
    }

    @Test func endings() {
        var machine = HTTP2StreamMachine(isHead: false)
        #expect(machine.endingOfConnection == .noAnswer)
        #expect(machine.ending(reset: .refusedStream) == .unprocessed)
        #expect(machine.ending(reset: .enhanceYourCalm) == .reset(.truncated))
        #expect(machine.ending(reset: .http11Required) == .needsHTTP1)
        #expect(machine.ending(reset: .internalError) == .reset(.truncated))
        _ = machine.receivedHead(status: 100, endStream: false)
        #expect(machine.endingOfConnection == .partialHead)
        _ = machine.receivedHead(status: 200, endStream: false)
        #expect(machine.endingOfConnection == .truncated)
        // Not even a refusal can be repeated once the answer has begun.
        #expect(machine.ending(reset: .refusedStream) == .truncated)
        #expect(machine.receivedData(bytes: 0, endStream: true) == .forward(ends: true))
        #expect(machine.ending(reset: .noError) == .nothing)
    }

    @Test func whatIsMalformed() {
        var late = HTTP2StreamMachine(isHead: false)
        #expect(late.receivedData(bytes: 1, endStream: false) == .malformed(.badFraming))
        #expect(late.receivedHead(status: nil, endStream: true) == .malformed(.badStatusLine))
        #expect(late.receivedHead(status: 103, endStream: true) == .malformed(.badFraming))
        var twice = HTTP2StreamMachine(isHead: false)
        _ = twice.receivedHead(status: 200, endStream: false)
        #expect(twice.receivedHead(status: 200, endStream: true) == .malformed(.badFraming))
        #expect(twice.receivedHead(status: nil, endStream: false) == .malformed(.badFraming))
        var many = HTTP2StreamMachine(isHead: false)
        for _ in 0..<OriginLimits.interimHeads {
            #expect(many.receivedHead(status: 102, endStream: false) == .interim)
        }
        #expect(
            many.receivedHead(status: 102, endStream: false) == .malformed(.tooManyInterimHeads)
        )
    }

    @Test(arguments: [(true, 200), (false, 204), (false, 304)] as [(Bool, UInt16)])
    func answersWithoutABody(_ isHead: Bool, _ status: UInt16) {
        var machine = HTTP2StreamMachine(isHead: isHead)
        #expect(machine.receivedHead(status: status, endStream: false) == .final(ends: false))
        #expect(machine.receivedData(bytes: 1, endStream: false) == .malformed(.badFraming))
        #expect(machine.receivedData(bytes: 0, endStream: true) == .forward(ends: true))
        var atOnce = HTTP2StreamMachine(isHead: isHead)
        #expect(atOnce.receivedHead(status: status, endStream: true) == .final(ends: true))
    }
}

@Suite("Heads of HTTP/2")
struct HTTP2HeadTests {
    private func block(_ fields: HTTPFields, host: String = "a.test") -> HPACKHeaders? {
        let head = RequestHead(
            method: "GET",
            scheme: "https",
            authority: "visitor.test",
            path: "/",
            fields: fields
        )
        return HTTP2RequestHead.block(head, host: host, scheme: "http", framing: .chunked)
    }

    /// Visitors share the table that a connection's fields are kept in.
    @Test func secretsStayOutOfTheTable() throws {
        let block = try #require(self.block(["Authorization": "x", "COOKIE": "y", "Accept": "z"]))
        let fields = block.map { ($0.name, "\($0.indexable)") }
        #expect(fields.map(\.0) == block.map(\.name))
        let never = fields.filter { $0.1 == "\(HPACKIndexing.neverIndexed)" }.map(\.0)
        #expect(never == ["authorization", "cookie"])
    }

    @Test(arguments: ["gzip", "trailers;q=1", "trailers, gzip", ""])
    func onlyTrailersOfTE(_ value: String) throws {
        #expect(try #require(self.block(["TE": value])).contains(name: "te") == false)
        #expect(try #require(self.block(["TE": "Trailers"])).first(name: "te") == "trailers")
    }

    @Test(arguments: ["", "a b", "a\r\nb", "a\u{7F}"])
    func authoritiesThatAreNone(_ host: String) { #expect(self.block([:], host: host) == nil) }

    @Test func oneLengthOfAnAnswerIsLeft() throws {
        let twice = HPACKHeaders([
            (":status", "200"), ("content-length", "3"), ("content-length", "3"),
        ])
        #expect(try HTTP2AnswerBlock.read(twice).get().fields == ["content-length": "3"])
        let none = HPACKHeaders([(":status", "204"), ("content-length", "0")])
        #expect(try HTTP2AnswerBlock.read(none).get().fields.isEmpty)
    }
}
