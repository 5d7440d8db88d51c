import NIOCore
import Testing

@testable import WebSocketWire

@Suite(.timeLimit(.minutes(1)))
struct FrameReaderTests {
    private static let mask = WebSocketMask(bits: 0x9A78_5634)

    /// Everything a reader makes of bytes that come in two pieces; payload of a message in one.
    private func events(
        _ bytes: ByteBuffer,
        splitAt index: Int,
        expectsMask: Bool = true
    ) throws -> [WebSocketEvent] {
        var reader = WebSocketFrameReader(expectsMask: expectsMask)
        var events: [WebSocketEvent] = []
        let first = bytes.getSlice(at: 0, length: index) ?? ByteBuffer()
        let rest = bytes.getSlice(at: index, length: bytes.readableBytes - index) ?? ByteBuffer()
        for piece in [first, rest] {
            reader.append(piece)
            while let event = try reader.next() {
                if case .bytes(let more) = event, case .bytes(var begun)? = events.last {
                    begun.writeImmutableBuffer(more)
                    events[events.count - 1] = .bytes(begun)
                } else {
                    events.append(event)
                }
            }
        }
        return events
    }

    @Test(arguments: [true, false])
    func everySplitGivesTheSame(isMasked: Bool) throws {
        let mask = isMasked ? Self.mask : nil
        var wire = WebSocketFrame.binary(ByteBuffer(string: "The quick brown fox"), mask: mask)
        wire.writeImmutableBuffer(WebSocketFrame.ping(mask: mask))
        wire.writeImmutableBuffer(
            WebSocketFrame.binary(ByteBuffer(repeating: 7, count: 300), mask: mask)
        )
        wire.writeImmutableBuffer(WebSocketFrame.pong(ByteBuffer(string: "p"), mask: mask))
        wire.writeImmutableBuffer(WebSocketFrame.close(1000, reason: "bye", mask: mask))
        // Nothing after a Close is looked at.
        wire.writeString("garbage")
        let expected: [WebSocketEvent] = [
            .bytes(ByteBuffer(string: "The quick brown fox")), .ping(ByteBuffer()),
            .bytes(ByteBuffer(repeating: 7, count: 300)), .pong,
            .close(code: 1000, reason: "bye"),
        ]
        for index in 0...wire.readableBytes {
            #expect(try self.events(wire, splitAt: index, expectsMask: isMasked) == expected)
        }
    }

    @Test(arguments: [1, 125, 126, 65_535, 65_536, 200_000])
    func everyLength(count: Int) throws {
        let payload = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let wire = WebSocketFrame.binary(payload, mask: Self.mask)
        for index in [0, 3, 9, 13, 14, wire.readableBytes / 2, wire.readableBytes] {
            let index = min(index, wire.readableBytes)
            #expect(try self.events(wire, splitAt: index) == [.bytes(payload)])
        }
    }

    /// A payload is not collected: what has arrived of it is handed over.
    @Test func aFrameOfAnyLengthPassesInPieces() throws {
        var reader = WebSocketFrameReader(expectsMask: true)
        var head = ByteBuffer(bytes: [0x82, 0xFF])
        head.writeInteger(UInt64(1) << 40)
        head.writeInteger(UInt32(0))
        head.writeString("abc")
        reader.append(head)
        #expect(try reader.next() == .bytes(ByteBuffer(string: "abc")))
        #expect(try reader.next() == nil)
        reader.append(ByteBuffer(string: "def"))
        #expect(try reader.next() == .bytes(ByteBuffer(string: "def")))
    }

    @Test func fragmentsAndAPingBetweenThem() throws {
        let wire = ByteBuffer(bytes: [
            0x02, 0x01, 0x61, 0x00, 0x00, 0x89, 0x01, 0x70, 0x00, 0x01, 0x62, 0x80, 0x01, 0x63,
            0x82, 0x00, 0x82, 0x01, 0x64,
        ])
        for index in 0...wire.readableBytes {
            #expect(
                try self.events(wire, splitAt: index, expectsMask: false) == [
                    .bytes(ByteBuffer(string: "a")), .ping(ByteBuffer(string: "p")),
                    .bytes(ByteBuffer(string: "bcd")),
                ]
            )
        }
    }

    @Test(
        arguments: [
            ([0x82, 0x01, 0x61], 1002), ([0xC2, 0x80], 1002), ([0xA2, 0x80], 1002),
            ([0x83, 0x80], 1002), ([0x8B, 0x80], 1002), ([0x80, 0x80], 1002), ([0x81, 0x80], 1003),
            ([0x01, 0x80], 1003), ([0x09, 0x80], 1002), ([0x89, 0xFE, 0x00, 0x7E], 1002),
            ([0x02, 0x80, 0, 0, 0, 0, 0x82, 0x80], 1002),
            ([0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002),
            ([0x88, 0x81, 0, 0, 0, 0, 0x03], 1002), ([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xED], 1002),
            ([0x88, 0x82, 0, 0, 0, 0, 0x00, 0x01], 1002),
        ] as [([UInt8], UInt16)]
    )
    func violations(bytes: [UInt8], code: UInt16) throws {
        for index in 0...bytes.count {
            let violation = #expect(throws: WebSocketViolation.self) {
                try self.events(ByteBuffer(bytes: bytes), splitAt: index)
            }
            #expect(violation?.code == code)
        }
    }

    @Test func afterAViolationNothingIsRead() throws {
        var reader = WebSocketFrameReader(expectsMask: true)
        reader.append(ByteBuffer(bytes: [0x82, 0x01, 0x61]))
        #expect(throws: WebSocketViolation.self) { try reader.next() }
        reader.append(WebSocketFrame.binary(ByteBuffer(string: "a"), mask: Self.mask))
        #expect(try reader.next() == nil)
    }

    @Test func aServersFrameMustNotBeMasked() throws {
        let wire = WebSocketFrame.binary(ByteBuffer(string: "a"), mask: Self.mask)
        #expect(throws: WebSocketViolation.self) {
            try self.events(wire, splitAt: 0, expectsMask: false)
        }
    }

    @Test func aCloseWithoutACode() throws {
        let wire = ByteBuffer(bytes: [0x88, 0x80, 1, 2, 3, 4])
        #expect(try self.events(wire, splitAt: 3) == [.close(code: nil, reason: "")])
    }

    @Test func aLongReasonIsCut() throws {
        let wire = WebSocketFrame.close(1011, reason: String(repeating: "é", count: 100))
        let reason = String(repeating: "é", count: 61)
        #expect(
            try self.events(wire, splitAt: 1, expectsMask: false)
                == [.close(code: 1011, reason: reason)]
        )
    }

    /// RFC 6455 §1.3.
    @Test func handshake() {
        #expect(
            WebSocketHandshake.accept(for: "dGhlIHNhbXBsZSBub25jZQ==")
                == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        )
        #expect(WebSocketHandshake.key(randomBits: 0) == "AAAAAAAAAAAAAAAAAAAAAA==")
    }
}
