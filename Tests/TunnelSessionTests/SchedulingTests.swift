import NIOCore
import Testing
import TunnelSession
import TunnelWire

/// Who sends next on a link that is full; a message is the link's unit of time.
@Suite struct SchedulingTests {
    private final class Link {
        let desk: Desk
        var sent: [UInt64: Int] = [:]

        init() {
            let endless = SessionLimits(
                streams: .max,
                streamWindowBytes: .max,
                sessionWindowBytes: .max
            )
            self.desk = Desk(.connector, peer: endless)
        }

        func stream(filledBy piece: Int, total: Int) throws -> SessionStream {
            let stream = try #require(self.desk.open())
            self.fill(stream, piece: piece, total: total)
            return stream
        }

        func fill(_ stream: SessionStream, piece: Int, total: Int) {
            for _ in 0..<total / piece { self.desk.data(piece, on: stream) }
        }

        /// Sends messages, acknowledged at once, 64 ms apart: two megabits a second.
        func run(messages: Int) {
            for _ in 0..<messages {
                for frame in self.desk.rawMessage() where frame.header.type.isCounted {
                    self.sent[frame.header.stream.rawValue, default: 0] += frame.header.length
                    self.acknowledged += 1
                }
                self.desk.receive(.ack(self.acknowledged))
                self.desk.pass(.milliseconds(64))
            }
        }

        var acknowledged: UInt64 = 0
    }

    @Test(arguments: [(64_000, 64_000), (64_000, 3_000), (16_000, 9_000)])
    func bulkStreamsShareEqually(_ first: Int, _ second: Int) throws {
        let link = Link()
        let one = try link.stream(filledBy: first, total: 12_000_000)
        let two = try link.stream(filledBy: second, total: 12_000_000)
        link.run(messages: 600)
        let shares = [one, two].map { Double(link.sent[$0.id.rawValue] ?? 0) }
        #expect(abs(shares[0] / shares[1] - 1) < 0.1, "\(shares)")
    }

    @Test func aSmallRequestPassesFiftyBulkStreams() throws {
        let link = Link()
        for _ in 0..<50 { _ = try link.stream(filledBy: 64_000, total: 1_000_000) }
        link.run(messages: 300)
        let small = try #require(link.desk.open())
        link.desk.data(1_000, on: small)
        link.desk.end(small)
        var messages = 0
        while link.desk.message().allSatisfy({ $0 != "DATA 101 END 1000" }) { messages += 1 }
        #expect(messages <= 2)
    }

    @Test func bulkIsNotStarvedByManyLightStreams() throws {
        let link = Link()
        let bulk = try link.stream(filledBy: 64_000, total: 12_000_000)
        link.run(messages: 50)
        link.sent = [:]
        for _ in 0..<400 {
            let light = try #require(link.desk.open())
            link.desk.data(15_000, on: light)
            link.desk.end(light)
            link.run(messages: 1)
        }
        let share = Double(link.sent[bulk.id.rawValue] ?? 0) / (400 * 16_000)
        #expect(share > 0.15, "the bulk stream had \(share)")
        #expect(share < 0.35, "light ones come first: \(share)")
    }

    @Test func aStreamThatPausesIsLightAgain() throws {
        let link = Link()
        let talker = try link.stream(filledBy: 64_000, total: 5_000_000)
        link.run(messages: 400)
        let bulk = try link.stream(filledBy: 64_000, total: 5_000_000)
        link.run(messages: 80)
        // Five seconds of silence, then a keystroke.
        link.desk.data(10, on: talker)
        #expect(link.desk.message().first == "DATA \(talker.id) 10")
        #expect(!bulk.isClosed)
    }

    @Test func aSlowLinksMessageStaysSmall() throws {
        let desk = Desk(.connector)
        let stream = try #require(desk.open())
        desk.data(20_000, on: stream)
        #expect(desk.message(target: 2_000) == ["HEAD 1 1", "DATA 1 1975"])
        #expect(desk.message(target: 2_000) == ["DATA 1 1988"])
        #expect(desk.message(target: 1) == ["DATA 1 512"], "never crumbs")
    }

    /// Streams that come and go while nothing can be sent must not gather.
    @Test func closedStreamsDoNotStayInAQueue() throws {
        final class Owner {}
        let desk = Desk(.connector)
        desk.session.linkWasLost(now: desk.now)
        var owners: [() -> Owner?] = []
        for _ in 0..<1_000 {
            let owner = Owner()
            owners.append { [weak owner] in owner }
            let stream = try #require(desk.open(owner: owner))
            desk.session.reset(stream, code: .cancelled)
            desk.streams = [:]
            #expect(desk.events() == [])
        }
        #expect(owners.filter { $0() != nil }.count < 200)
    }
}
