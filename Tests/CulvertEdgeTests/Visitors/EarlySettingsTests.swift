import NIOCore
import NIOEmbedded
import Testing

@testable import CulvertEdge

/// What reaches NIOHTTP2 of a connection's beginning, however it is cut.
@Suite struct EarlySettingsTests {
    private let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private let settings: [UInt8] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0]
    private let acknowledgement: [UInt8] = [0, 0, 0, 4, 1, 0, 0, 0, 0]
    private let headers: [UInt8] = [0, 0, 3, 1, 5, 0, 0, 0, 1, 0x82, 0x87, 0x84]
    private let ping: [UInt8] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]

    /// Feeds the pieces; what came through, and whether the handler is still there.
    private func pass(_ pieces: [[UInt8]]) throws -> (bytes: [UInt8], isThere: Bool) {
        let channel = EmbeddedChannel(handler: EarlySettingsHandler())
        var bytes: [UInt8] = []
        for piece in pieces {
            try channel.writeInbound(ByteBuffer(bytes: piece))
            while let passed = try channel.readInbound(as: ByteBuffer.self) {
                bytes += passed.readableBytesView
            }
        }
        let isThere =
            (try? channel.pipeline.syncOperations.handler(type: EarlySettingsHandler.self))
        _ = try channel.finish()
        return (bytes, isThere != nil)
    }

    @Test func theAcknowledgementComesEarlyAndOnce() throws {
        let whole =
            self.preface + self.settings + self.headers + self.acknowledgement + self.ping
            + self.acknowledgement
        let expected =
            self.preface + self.settings + self.acknowledgement + self.headers + self.ping
            // One too many is NIOHTTP2's to refuse.
            + self.acknowledgement
        #expect(try self.pass([whole]) == (expected, false))
        #expect(try self.pass(whole.map { [$0] }) == (expected, false))
        for cut in 1..<whole.count {
            let pieces = [Array(whole[..<cut]), Array(whole[cut...])]
            #expect(try self.pass(pieces) == (expected, false), "cut at \(cut)")
        }
    }

    @Test func theVisitorsOwnIsWaitedFor() throws {
        let sent = self.preface + self.settings + self.headers + self.ping
        let expected =
            self.preface + self.settings + self.acknowledgement + self.headers + self.ping
        #expect(try self.pass([sent]) == (expected, true))
    }

    @Test func whatIsNoHTTP2IsPassedOn() throws {
        let sent = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        #expect(try self.pass([sent]).bytes.starts(with: sent.prefix(24)))
        // An acknowledgement before any settings is none.
        let early = self.preface + self.acknowledgement + self.settings
        #expect(try self.pass([early]).bytes == early + self.acknowledgement)
    }
}
