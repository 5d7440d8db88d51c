import Testing

@testable import TunnelTransport

/// What a client makes of a server's WebSocket frames, however they are cut (RFC 6455 §5).
@Suite struct ServerFrameReaderTests {
    private enum Seen: Equatable {
        case message([UInt8])
        case ping([UInt8])
        case close(UInt16, String)
        case violation(UInt16)
    }

    /// Feeds the pieces and puts the messages together again.
    private func read(_ pieces: [[UInt8]], limit: Int = 16_000) -> [Seen] {
        var reader = ServerFrameReader(maximumMessageBytes: limit)
        var seen: [Seen] = []
        var message: [UInt8] = []
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                var position = 0
                while let event = reader.next(bytes, at: &position) {
                    switch event {
                    case .data(let range, let endsMessage):
                        message += bytes[range]
                        guard endsMessage else { continue }
                        seen.append(.message(message))
                        message = []
                    case .ping(let payload): seen.append(.ping(payload))
                    case .close(let code, let reason): seen.append(.close(code, reason))
                    case .violation(let code, _): seen.append(.violation(code))
                    }
                }
            }
        }
        return seen
    }

    private func frame(
        _ opcode: UInt8,
        _ payload: [UInt8],
        isFinal: Bool = true,
        extended: Int? = nil
    ) -> [UInt8] {
        let first = (isFinal ? 0x80 : 0) | opcode
        let count = payload.count
        switch extended ?? (count < 126 ? 0 : count < 65_536 ? 2 : 8) {
        case 0: return [first, UInt8(count)] + payload
        case 2: return [first, 126, UInt8(count >> 8), UInt8(truncatingIfNeeded: count)] + payload
        default:
            let length = (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
            return [first, 127] + length + payload
        }
    }

    private func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    @Test func everyCutGivesTheSameMessages() {
        let close = self.frame(8, [0x0F, 0xA1] + Array("enough".utf8))
        let whole =
            self.frame(2, self.bytes(5)) + self.frame(9, [1, 2, 3]) + self.frame(2, [])
            + self.frame(2, self.bytes(126)) + self.frame(10, []) + self.frame(2, [7], extended: 8)
            + self.frame(2, [1], isFinal: false) + self.frame(9, [])
            + self.frame(0, [2], isFinal: false) + self.frame(0, [3]) + close
        let expected: [Seen] = [
            .message(self.bytes(5)), .ping([1, 2, 3]), .message([]), .message(self.bytes(126)),
            .message([7]), .ping([]), .message([1, 2, 3]), .close(4001, "enough"),
        ]
        #expect(self.read([whole]) == expected)
        #expect(self.read(whole.map { [$0] }) == expected)
        for cut in 0...whole.count {
            #expect(self.read([Array(whole[..<cut]), Array(whole[cut...])]) == expected, "\(cut)")
        }
    }

    @Test func lengthsAtTheirEdges() {
        for count in [0, 1, 125, 126, 127, 255, 256, 15_999, 16_000] {
            let payload = self.bytes(count)
            #expect(self.read([self.frame(2, payload)]) == [.message(payload)])
        }
    }

    @Test func aMessageOverTheLimitIsRefusedBeforeItComes() {
        #expect(self.read([[0x82, 126, 0x3E, 0x81]]) == [.violation(1009)])
        #expect(
            self.read([[0x82, 127] + [UInt8](repeating: 0xFF, count: 8)]) == [.violation(1009)]
        )
        let begun = self.frame(2, self.bytes(9_000), isFinal: false)
        #expect(self.read([begun, self.frame(0, self.bytes(7_001))]) == [.violation(1009)])
        #expect(self.read([begun, self.frame(0, self.bytes(7_000))]).count == 1)
    }

    @Test(
        arguments: [
            ([0x81, 1, 65], 1003), ([0x82, 0x81, 1, 2, 3, 4, 5], 1002), ([0xC2, 1, 5], 1002),
            ([0xA2, 1, 5], 1002), ([0x92, 1, 5], 1002), ([0x83, 1, 5], 1002), ([0x8B, 0], 1002),
            ([0x80, 1, 5], 1002), ([0x02, 1, 5, 0x82, 1, 5], 1002), ([0x09, 0], 1002),
            ([0x89, 126, 0, 126], 1002), ([0x88, 1, 3], 1002), ([0x88, 2, 3, 0xED], 1002),
            ([0x88, 2, 3, 0xEE], 1002), ([0x88, 2, 0, 0], 1002),
        ] as [([UInt8], UInt16)]
    )
    func whatNoServerMaySend(_ sent: [UInt8], code: UInt16) {
        #expect(self.read([sent]) == [.violation(code)])
        #expect(self.read(sent.map { [$0] }) == [.violation(code)])
        // Nothing is read after it.
        #expect(self.read([sent + self.frame(2, [1])]) == [.violation(code)])
    }

    @Test func nothingIsReadAfterAClose() {
        let sent = self.frame(8, []) + self.frame(2, [1]) + self.frame(9, [])
        #expect(self.read([sent]) == [.close(1005, "")])
    }

    @Test func anyBytesAreTakenWithoutATrap() {
        var state: UInt64 = 42
        for _ in 0..<20_000 {
            let noise = (0..<24).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            _ = self.read([noise], limit: 64)
        }
    }
}
