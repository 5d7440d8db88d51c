import ControlAPI
import Foundation
import Testing

@testable import CulvertEdge

/// What those hear who watch a tunnel.
@Suite struct TunnelEventsTests {
    private let one = ServedTunnel.Identity.declared(name: "one")
    private let two = ServedTunnel.Identity.declared(name: "two")

    private func event(_ kind: String) -> EventDocument {
        EventDocument(kind, at: Date(timeIntervalSince1970: 0))
    }

    private func kinds(_ stream: AsyncStream<EventDocument?>) async -> [String] {
        var kinds: [String] = []
        for await event in stream { kinds.append(event?.kind ?? "quiet") }
        return kinds
    }

    @Test func eachHearsOfItsTunnel() async throws {
        let events = TunnelEvents()
        let first = try #require(events.watch(self.one))
        let second = try #require(events.watch(self.one))
        let other = try #require(events.watch(self.two))
        events.tell(self.one) { self.event("a") }
        events.tell(self.two) { self.event("b") }
        events.tell(self.one) { self.event("c") }
        events.finish()
        #expect(await self.kinds(first) == ["a", "c"])
        #expect(await self.kinds(second) == ["a", "c"])
        #expect(await self.kinds(other) == ["b"])
        #expect(events.watch(self.one) == nil)
    }

    @Test func nothingIsMadeForNobody() throws {
        let events = TunnelEvents()
        #expect(!events.hasWatchers)
        events.tell(self.one) {
            Issue.record("made for nobody")
            return self.event("a")
        }
        do {
            let stream = try #require(events.watch(self.two))
            events.tell(self.one) {
                Issue.record("made for nobody")
                return self.event("a")
            }
            _ = stream
        }
        // Its reader has left.
        #expect(!events.hasWatchers)
    }

    @Test func ofTooManyTheOldestAreLeftOut() async throws {
        let events = TunnelEvents()
        let stream = try #require(events.watch(self.one))
        for number in 0..<1_500 { events.tell(self.one) { self.event("\(number)") } }
        events.finish()
        #expect(await self.kinds(stream) == (500..<1_500).map { "\($0)" })
    }

    @Test func noMoreThanMayWatch() throws {
        let events = TunnelEvents()
        var streams = try (0..<TunnelEvents.maximumWatchers).map { _ in
            try #require(events.watch(self.one))
        }
        #expect(events.watch(self.two) == nil)
        streams.removeLast()
        #expect(events.watch(self.two) != nil)
    }
}
