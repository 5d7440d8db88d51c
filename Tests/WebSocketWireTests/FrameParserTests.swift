import Testing

@testable import WebSocketWire

/// What either end makes of the other's WebSocket frames, however they are cut (RFC 6455 §5).
@Suite struct FrameParserTests {
    enum Peer {
        case server, client
    }

    private enum Seen: Equatable {
        case message([UInt8])
        case ping([UInt8])
        case pong
        case close(UInt16?, String)
        case violation(UInt16)
    }

    /// Feeds the pieces and puts the messages together again.
    private func read(
        _ pieces: [[UInt8]],
        from peer: Peer = .server,
        limit: Int = 16_000
    ) -> [Seen] {
        var parser = WebSocketFrameParser(
            expectsMask: peer == .client,
            maximumMessageBytes: limit
        )
        var seen: [Seen] = []
        var message: [UInt8] = []
        for var piece in pieces {
            piece.withUnsafeMutableBytes { bytes in
                var position = 0
                while let event = parser.next(UnsafeRawBufferPointer(bytes), at: &position) {
                    switch event {
                    case .data(let range, let mask, let endsMessage):
                        mask?.apply(to: UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
                        message += bytes[range]
                        guard endsMessage else { continue }
                        seen.append(.message(message))
                        message = []
                    case .ping(let payload): seen.append(.ping(payload))
                    case .pong: seen.append(.pong)
                    case .close(let code, let reason): seen.append(.close(code, reason))
                    case .violation(let violation): seen.append(.violation(violation.code))
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
        extended: Int? = nil,
        mask: [UInt8]? = nil
    ) -> [UInt8] {
        let first = (isFinal ? 0x80 : 0) | opcode
        let bit: UInt8 = mask == nil ? 0 : 0x80
        let count = payload.count
        let key = mask ?? []
        let sent = key.isEmpty ? payload : payload.enumerated().map { $1 ^ key[$0 % 4] }
        let length = (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
        switch extended ?? (count < 126 ? 0 : count < 65_536 ? 2 : 8) {
        case 0: return [first, bit | UInt8(count)] + key + sent
        case 2: return [first, bit | 126] + length[6...] + key + sent
        default: return [first, bit | 127] + length + key + sent
        }
    }

    private func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    @Test(arguments: [Peer.server, .client])
    func everyCutGivesTheSameMessages(peer: Peer) {
        var keys = [[1, 2, 3, 4], [0, 0, 0, 0], [0xFF, 0, 0x80, 7]] as [[UInt8]]
        func frame(
            _ opcode: UInt8,
            _ payload: [UInt8],
            _ isFinal: Bool = true,
            _ extended: Int? = nil
        )
            -> [UInt8]
        {
            keys.append(keys.removeFirst())
            let mask = peer == .client ? keys[0] : nil
            return self.frame(opcode, payload, isFinal: isFinal, extended: extended, mask: mask)
        }
        let whole: [[UInt8]] = [
            frame(2, self.bytes(5)), frame(9, [1, 2, 3]), frame(2, []), frame(2, self.bytes(126)),
            frame(10, []), frame(2, [7], true, 8), frame(2, [1], false), frame(9, []),
            frame(0, [2], false), frame(0, [3]), frame(8, [0x0F, 0xA1] + Array("enough".utf8)),
        ]
        self.checkEveryCut(of: whole.flatMap { $0 }, from: peer)
    }

    private func checkEveryCut(of whole: [UInt8], from peer: Peer) {
        let expected: [Seen] = [
            .message(self.bytes(5)), .ping([1, 2, 3]), .message([]), .message(self.bytes(126)),
            .pong, .message([7]), .ping([]), .message([1, 2, 3]), .close(4001, "enough"),
        ]
        #expect(self.read([whole], from: peer) == expected)
        #expect(self.read(whole.map { [$0] }, from: peer) == expected)
        for cut in 0...whole.count {
            let pieces = [Array(whole[..<cut]), Array(whole[cut...])]
            #expect(self.read(pieces, from: peer) == expected, "\(cut)")
        }
    }

    @Test func lengthsAtTheirEdges() {
        for count in [0, 1, 125, 126, 127, 255, 256, 15_999, 16_000] {
            let payload = self.bytes(count)
            #expect(self.read([self.frame(2, payload)]) == [.message(payload)])
            let masked = self.frame(2, payload, mask: [9, 8, 7, 6])
            #expect(self.read([masked], from: .client) == [.message(payload)])
        }
    }

    @Test func aMessageOverTheLimitIsRefusedBeforeItComes() {
        #expect(self.read([[0x82, 126, 0x3E, 0x81]]) == [.violation(1009)])
        #expect(
            self.read([[0x82, 127, 0x7F] + [UInt8](repeating: 0xFF, count: 7)])
                == [.violation(1009)]
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

    /// The same for both, but for the mask.
    @Test(
        arguments: [
            ([0x82, 1, 5], 1002), ([0x88, 2, 3, 0xE8], 1002), ([0x89, 0], 1002),
            ([0x81, 0x81, 0, 0, 0, 0, 65], 1003), ([0xC2, 0x81, 0, 0, 0, 0, 5], 1002),
            ([0x8B, 0x80, 0, 0, 0, 0], 1002), ([0x09, 0x80, 0, 0, 0, 0], 1002),
            ([0x89, 0xFE, 0, 126, 0, 0, 0, 0], 1002), ([0x82, 0xFE, 0x3E, 0x81, 0, 0, 0, 0], 1009),
        ] as [([UInt8], UInt16)]
    )
    func whatNoClientMaySend(_ sent: [UInt8], code: UInt16) {
        #expect(self.read([sent], from: .client) == [.violation(code)])
        #expect(self.read(sent.map { [$0] }, from: .client) == [.violation(code)])
    }

    @Test func nothingIsReadAfterAClose() {
        let sent = self.frame(8, []) + self.frame(2, [1]) + self.frame(9, [])
        #expect(self.read([sent]) == [.close(nil, "")])
    }

    @Test func anyBytesAreTakenWithoutATrap() {
        var state: UInt64 = 42
        for _ in 0..<20_000 {
            let noise = (0..<24).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            _ = self.read([noise], limit: 64)
            _ = self.read([noise], from: .client, limit: 64)
        }
    }
}
