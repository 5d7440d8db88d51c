import Foundation
import HTTPSemantics
import Testing

@testable import ControlServer

/// A store that fails, and who is told.
@Suite(.timeLimit(.minutes(1))) struct StoreTroublesTests {
    @Test func aStoreThatFailsIsToldToWhoeverCanMendIt() async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        let store = fixture.folder.appendingPathComponent("edge.db")
        let away = fixture.folder.appendingPathComponent("away.db")
        try FileManager.default.moveItem(at: store, to: away)
        func make(_ key: UInt8) async throws -> APIAnswer {
            let body = Bodies.tunnel("web", key: key)
            return try await fixture.send("POST", "/api/v1/tunnels", body, token: token)
        }
        for key in 1...3 {
            let answer = try await make(UInt8(key))
            #expect(answer.head.status == 503 && answer.code == "unavailable")
            let words = String(decoding: answer.body, as: UTF8.self)
            #expect(words.contains("its log says why") && !words.contains("edge.db"))
        }
        #expect(fixture.failures.count == 3)
        #expect(fixture.log.all.count == 1, "\(fixture.log.all)")
        #expect(fixture.log.all.first?.contains("edge.db") == true, "\(fixture.log.all)")
        fixture.time.advance(61)
        _ = try await make(4)
        #expect(fixture.log.all.count == 2 && fixture.failures.count == 4)
        #expect(fixture.log.all.last?.contains("2") == true)
        try FileManager.default.moveItem(at: away, to: store)
        #expect(try await make(5).head.status == 201)
    }
}
