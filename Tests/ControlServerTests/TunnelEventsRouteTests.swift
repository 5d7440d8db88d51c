import ControlAPI
import Foundation
import HTTPSemantics
import Synchronization
import Testing

/// `GET /tunnels/TUNNEL/events`.
@Suite(.timeLimit(.minutes(1))) struct TunnelEventsRouteTests {
    private let event = EventDocument(
        "request",
        at: Date(timeIntervalSince1970: 1_800_000_000),
        request: .init(
            id: "1",
            method: "GET",
            host: "a.test",
            path: "/\n",
            status: 200,
            error: nil,
            address: "192.0.2.1",
            milliseconds: 3,
            bytesIn: 0,
            bytesOut: 5
        )
    )

    private func world() async throws -> (ControlFixture, String) {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        let body = Bodies.tunnel("web", key: 1)
        let made = try await fixture.send("POST", "/api/v1/tunnels", body, token: token)
        #expect(made.head.status == 201)
        return (fixture, token)
    }

    @Test func eventsAreLines() async throws {
        let (fixture, token) = try await self.world()
        let gone = EventDocument("gone", at: self.event.at, connector: "s", detail: "closed")
        // An empty line is for fifteen seconds in which nothing happened.
        let quiet: [EventDocument?] = Array(repeating: nil, count: 29)
        fixture.connectors.events.withLock { $0 = [nil, self.event] + quiet + [gone] }
        let answer = try await fixture.send("GET", "/api/v1/tunnels/web/events", token: token)
        #expect(answer.head.status == 200 && answer.isComplete)
        #expect(answer.head.fields.first("Content-Type") == "application/jsonl")
        let lines = String(decoding: answer.body, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.map(\.isEmpty) == [true, false, true, false, true])
        let read = try lines.filter { !$0.isEmpty }.map {
            try APICoding.decoder.decode(EventDocument.self, from: Data($0.utf8))
        }
        #expect(read == [self.event, gone])
    }

    @Test func itEndsWhenTheTokenIsNoLongerGood() async throws {
        let (fixture, token) = try await self.world()
        let (stream, continuation) = AsyncStream.makeStream(of: EventDocument?.self)
        fixture.connectors.stream.withLock { $0 = stream }
        continuation.yield(self.event)
        let path = "/api/v1/tunnels/web/events"
        async let watched = fixture.send("GET", path, token: token)
        // The session ends once the edge has agreed, and not before.
        while !fixture.connectors.wasWatched.load(ordering: .acquiring) { await Task.yield() }
        _ = try await fixture.send("DELETE", "/api/v1/sessions/current", token: token)
        continuation.yield(nil)
        continuation.yield(EventDocument("gone", at: self.event.at))
        let answer = try await watched
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(answer.head.status == 200 && answer.isComplete)
        #expect(text.contains("request") && !text.contains("gone"), "\(text)")
    }

    @Test func itEndsWhenTheSessionHasEndedByItself() async throws {
        let (fixture, token) = try await self.world()
        let (stream, continuation) = AsyncStream.makeStream(of: EventDocument?.self)
        fixture.connectors.stream.withLock { $0 = stream }
        async let watched = fixture.send("GET", "/api/v1/tunnels/web/events", token: token)
        while !fixture.connectors.wasWatched.load(ordering: .acquiring) { await Task.yield() }
        fixture.time.advance(90 * 86_400)
        continuation.yield(nil)
        continuation.yield(self.event)
        let answer = try await watched
        #expect(
            answer.isComplete && !String(decoding: answer.body, as: UTF8.self).contains("request")
        )
    }

    @Test func whoHasLoggedOutSeesNothing() async throws {
        let (fixture, token) = try await self.world()
        _ = try await fixture.send("DELETE", "/api/v1/sessions/current", token: token)
        let out = try await fixture.send("GET", "/api/v1/tunnels/web/events", token: token)
        #expect(out.head.status == 401)
    }

    @Test func othersSeeNothing() async throws {
        let (fixture, token) = try await self.world()
        let path = "/api/v1/tunnels/web/events"
        let bob = try await fixture.login("bob")
        #expect(try await fixture.send("GET", path, token: bob).head.status == 404)
        #expect(try await fixture.send("GET", path).head.status == 401)
        fixture.connectors.events.withLock { $0 = nil }
        let full = try await fixture.send("GET", path, token: token)
        #expect(full.head.status == 503 && full.code == "unavailable")
    }
}
