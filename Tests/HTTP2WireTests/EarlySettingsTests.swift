import NIOCore
import NIOEmbedded
import Testing

@testable import HTTP2Wire

/// What reaches NIOHTTP2 of a connection's beginning, however it is cut.
@Suite struct EarlySettingsTests {
    private let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private let settings: [UInt8] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0]
    /// What NIOHTTP2 gets of them: large frames are added.
    private let added: [UInt8] = [
        0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0, 5, 0, 0x10, 0, 0,
    ]
    private let acknowledgement: [UInt8] = [0, 0, 0, 4, 1, 0, 0, 0, 0]
    private let headers: [UInt8] = [0, 0, 3, 1, 5, 0, 0, 0, 1, 0x82, 0x87, 0x84]
    private let ping: [UInt8] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]

    /// Feeds the pieces; what came through, and whether the handler is still there.
    private func pass(
        _ pieces: [[UInt8]],
        acknowledges: Bool = true
    ) throws -> (bytes: [UInt8], isThere: Bool) {
        let channel = EmbeddedChannel(handler: EarlySettingsHandler(acknowledges: acknowledges))
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
            self.preface + self.added + self.acknowledgement + self.headers + self.ping
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
            self.preface + self.added + self.acknowledgement + self.headers + self.ping
        #expect(try self.pass([sent]) == (expected, true))
    }

    @Test func whatIsNoHTTP2IsPassedOn() throws {
        let sent = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        #expect(try self.pass([sent]).bytes.starts(with: sent.prefix(24)))
        // An acknowledgement before any settings is none.
        let early = self.preface + self.acknowledgement + self.settings
        let expected = self.preface + self.acknowledgement + self.added + self.acknowledgement
        #expect(try self.pass([early]).bytes == expected)
    }

    @Test func withoutAcknowledgingItIsGoneAtOnce() throws {
        let whole = self.preface + self.settings + self.headers + self.acknowledgement
        let expected = self.preface + self.added + self.headers + self.acknowledgement
        for cut in 1..<whole.count {
            let pieces = [Array(whole[..<cut]), Array(whole[cut...])]
            #expect(try self.pass(pieces, acknowledges: false) == (expected, false))
        }
    }

    @Test func aServersSettingsComeWithoutAPreface() throws {
        let whole = self.settings + self.headers + self.acknowledgement
        let expected = self.added + self.headers + self.acknowledgement
        for cut in 1..<whole.count {
            let channel = EmbeddedChannel(handler: EarlySettingsHandler.client())
            var bytes: [UInt8] = []
            for piece in [whole[..<cut], whole[cut...]] {
                try channel.writeInbound(ByteBuffer(bytes: piece))
                while let passed = try channel.readInbound(as: ByteBuffer.self) {
                    bytes += passed.readableBytesView
                }
            }
            #expect(bytes == expected, "cut at \(cut)")
            let handler = try? channel.pipeline.syncOperations.handler(
                type: EarlySettingsHandler.self
            )
            #expect(handler == nil)
            _ = try channel.finish()
        }
    }
}

/// What of NIOHTTP2's frames is changed on their way out.
@Suite struct OutboundFramesTests {
    private func write(
        _ frames: [[UInt8]],
        limit: Int? = 100,
        last: Int? = nil
    ) throws -> [UInt8] {
        let handler = OutboundFramesHandler(
            concurrentStreams: limit,
            lastStreamID: last.map { last in { last } }
        )
        let channel = EmbeddedChannel(handler: handler)
        var bytes: [UInt8] = []
        for frame in frames {
            try channel.writeOutbound(IOData.byteBuffer(ByteBuffer(bytes: frame)))
            while let written = try channel.readOutbound(as: IOData.self) {
                guard case .byteBuffer(let buffer) = written else { continue }
                bytes += buffer.readableBytesView
            }
        }
        _ = try channel.finish()
        return bytes
    }

    @Test func theLimitThatIsMeantGoesOut() throws {
        let told: [UInt8] = [0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 4, 0x4C, 0, 4, 0, 1, 0, 0]
        let meant: [UInt8] = [0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0]
        let ping: [UInt8] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        #expect(try self.write([told, ping, told]) == meant + ping + told, "the first only")
        #expect(try self.write([told, ping], limit: nil) == told + ping, "a client's are right")
    }

    @Test func aGoAwayWithAnErrorSaysTheTrueLastStream() throws {
        func goAway(_ last: [UInt8], _ code: UInt8) -> [UInt8] {
            [0, 0, 8, 7, 0, 0, 0, 0, 0] + last + [0, 0, 0, code]
        }
        let none = goAway([0, 0, 0, 0], 11)
        let all = goAway([0x7F, 0xFF, 0xFF, 0xFF], 1)
        let sent = try self.write([none, all], limit: nil, last: 0x1_0203)
        #expect(sent == goAway([0, 1, 2, 3], 11) + goAway([0, 1, 2, 3], 1))
        let announced = goAway([0x7F, 0xFF, 0xFF, 0xFF], 0)
        #expect(try self.write([announced], limit: nil, last: 5) == announced)
        #expect(try self.write([none], limit: nil) == none, "of a client")
        // A payload that looks like one is none.
        let data: [UInt8] = [0, 0, 17, 0, 0, 0, 0, 0, 1]
        let payload = try self.write([data, none, none], limit: nil, last: 3)
        #expect(payload == data + none + goAway([0, 0, 0, 3], 11))
    }

    @Test(arguments: [16_384, 16_385, 32_768, 32_769, 100_000])
    func longHeadsAreCut(length: Int) throws {
        let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        let size = [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255)]
        var bytes = try self.write([settings, size + [1, 5, 0, 0, 0, 7] + payload])[9...]
        var rebuilt: [UInt8] = []
        var frames: [[UInt8]] = []
        while bytes.count >= 9 {
            let header = Array(bytes.prefix(9))
            let count = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
            #expect(count <= 16_384 && Array(header[5...]) == [0, 0, 0, 7])
            frames.append([header[3], header[4]])
            rebuilt += bytes.dropFirst(9).prefix(count)
            bytes = bytes.dropFirst(9 + count)
        }
        #expect(rebuilt == payload)
        #expect(frames.first?[0] == 1 && frames.dropFirst().allSatisfy { $0[0] == 9 })
        #expect(frames.first.map { $0[1] & 1 } == 1, "END_STREAM stays with HEADERS")
        #expect(frames.map { $0[1] & 4 } == frames.indices.map { $0 == frames.count - 1 ? 4 : 0 })
    }
}
