import NIOCore
import Testing
import TunnelWire

/// Frames byte for byte as Protocol.md prints them.
@Suite struct FrameTests {
    struct Golden: CustomTestStringConvertible, Sendable {
        var type: FrameType
        var number: UInt8
        var stream: UInt64
        var flags: UInt8
        var payload: String
        var isCounted: Bool

        var testDescription: String { self.type.description }
    }

    static let goldens: [Golden] = [
        Golden(
            type: .ping,
            number: 0x08,
            stream: 0,
            flags: 0,
            payload: "0102030405060708",
            isCounted: false
        ),
        Golden(
            type: .pong,
            number: 0x09,
            stream: 0,
            flags: 0,
            payload: "0102030405060708",
            isCounted: false
        ),
        Golden(
            type: .ack,
            number: 0x0A,
            stream: 0,
            flags: 0,
            payload: "00000000000000FF",
            isCounted: false
        ),
        Golden(type: .head, number: 0x20, stream: 1, flags: 3, payload: "01", isCounted: true),
        Golden(type: .data, number: 0x21, stream: 2, flags: 1, payload: "6869", isCounted: true),
        Golden(type: .data, number: 0x21, stream: 2, flags: 1, payload: "", isCounted: true),
        Golden(type: .trailers, number: 0x22, stream: 3, flags: 2, payload: "", isCounted: true),
        Golden(
            type: .reset,
            number: 0x23,
            stream: .max,
            flags: 0,
            payload: "0007 0000",
            isCounted: true
        ),
        Golden(
            type: .streamCredit,
            number: 0x24,
            stream: 5,
            flags: 0,
            payload: "0000000000010000",
            isCounted: true
        ),
        Golden(
            type: .sessionCredit,
            number: 0x25,
            stream: 0,
            flags: 0,
            payload: "0000000002000000",
            isCounted: true
        ),
        Golden(type: .drain, number: 0x26, stream: 0, flags: 0, payload: "", isCounted: true),
        Golden(
            type: .close,
            number: 0x27,
            stream: 0,
            flags: 0,
            payload: "0001 0002 6F6B",
            isCounted: true
        ),
        Golden(type: .challenge, number: 0x01, stream: 0, flags: 0, payload: "", isCounted: false),
        Golden(type: .login, number: 0x02, stream: 0, flags: 0, payload: "", isCounted: false),
        Golden(type: .welcome, number: 0x03, stream: 0, flags: 0, payload: "", isCounted: false),
        Golden(type: .refused, number: 0x04, stream: 0, flags: 0, payload: "", isCounted: false),
    ]

    @Test(arguments: goldens)
    func isWrittenAndReadAsSpecified(_ golden: Golden) {
        let payload = bytes(golden.payload)
        let header = FrameHeader(
            type: golden.type,
            flags: FrameFlags(rawValue: golden.flags),
            stream: StreamID(rawValue: golden.stream),
            length: payload.count
        )
        var expected = [golden.number, golden.flags, 0, UInt8(payload.count)]
        expected += (0..<8).map { UInt8(truncatingIfNeeded: golden.stream >> (56 - 8 * $0)) }
        #expect(header.bytes == expected)
        #expect(golden.type.isCounted == golden.isCounted)
        #expect(!golden.type.isOptional)
        let (frames, error) = decode(expected + payload, piecesOf: 100)
        #expect(error == nil)
        #expect(frames.map(\.header) == [header])
        #expect(frames.map(\.payload.bytes) == [payload])
    }

    @Test func theRangesOfTypesSayWhatIsCountedAndWhatIsSkipped() {
        for raw in UInt8.min...UInt8.max {
            let type = FrameType(rawValue: raw)
            #expect(type.isOptional == (raw >= 0x80))
            #expect(type.isCounted == ((0x20...0x7F).contains(raw) || raw >= 0xA0))
        }
    }

    /// All frames above in one run of bytes, cut into pieces of each size.
    @Test func splitsDoNotMatter() {
        var stream: [UInt8] = []
        for golden in Self.goldens {
            let payload = bytes(golden.payload)
            stream +=
                FrameHeader(
                    type: golden.type,
                    flags: FrameFlags(rawValue: golden.flags),
                    stream: StreamID(rawValue: golden.stream),
                    length: payload.count
                ).bytes
            stream += payload
        }
        let (whole, _) = decode(stream, piecesOf: stream.count)
        #expect(whole.count == Self.goldens.count)
        for size in 1...stream.count {
            let (frames, error) = decode(stream, piecesOf: size)
            #expect(error == nil)
            #expect(frames == whole, "pieces of \(size)")
        }
    }

    @Test func unknownTypesOfTheCriticalRangesAreNamed() {
        for raw in Set(UInt8(0)..<0x80).subtracting(Self.goldens.map(\.number)) {
            let header = FrameHeader(
                type: FrameType(rawValue: raw),
                stream: .session,
                length: 9_000
            )
            let (frames, error) = decode(header.bytes, piecesOf: 12)
            #expect(frames.isEmpty)
            #expect(error?.kind == .unknownFrame, "type \(raw), before its payload has come")
            #expect(error?.reason.contains("0x" + String(raw, radix: 16)) == true)
        }
    }

    @Test func unknownTypesOfTheOptionalRangesComeThrough() {
        let known = [FrameType.configuration, .report].map(\.rawValue)
        for raw in UInt8(0x80)...0xFF where !known.contains(raw) {
            let header = FrameHeader(
                type: FrameType(rawValue: raw),
                flags: FrameFlags(rawValue: 0xFF),
                stream: StreamID(rawValue: 77),
                length: 3
            )
            let (frames, error) = decode(header.bytes + [1, 2, 3], piecesOf: 5)
            #expect(error == nil)
            #expect(frames.map(\.header) == [header])
        }
    }

    struct Wrong: CustomTestStringConvertible, Sendable {
        var header: FrameHeader
        var kind: WireError.Kind

        init(_ type: FrameType, on stream: UInt64, _ length: Int, _ kind: WireError.Kind) {
            self.header = FrameHeader(
                type: type,
                stream: StreamID(rawValue: stream),
                length: length
            )
            self.kind = kind
        }

        var testDescription: String {
            "\(self.header.type) of \(self.header.length) on \(self.header.stream)"
        }
    }

    static let wrong: [Wrong] =
        [.head, .data, .trailers, FrameType(rawValue: 0x90), .close, .login].map {
            Wrong($0, on: $0.rawValue / 32 == 1 && $0 != .close ? 1 : 0, 15_989, .badLength)
        }
        + [.ping, .pong, .ack, .sessionCredit].flatMap {
            [
                Wrong($0, on: 0, 7, .badLength), Wrong($0, on: 0, 9, .badLength),
                Wrong($0, on: 1, 8, .unexpectedFrame),
            ]
        }
        + [.challenge, .login, .welcome, .refused, .close, .drain].map {
            Wrong($0, on: 2, 0, .unexpectedFrame)
        }
        + [.head, .data, .trailers, .reset, .streamCredit].map {
            Wrong($0, on: 0, 8, .unexpectedFrame)
        } + [
            Wrong(.drain, on: 0, 1, .badLength), Wrong(.data, on: 1, 0, .badLength),
            Wrong(.reset, on: 1, 3, .badLength), Wrong(.streamCredit, on: 1, 7, .badLength),
            Wrong(.streamCredit, on: 1, 9, .badLength),
        ]

    @Test(arguments: wrong)
    func isRefusedBeforeItsPayload(_ wrong: Wrong) {
        let (frames, error) = decode(wrong.header.bytes, piecesOf: 12)
        #expect(frames.isEmpty)
        #expect(error?.kind == wrong.kind)
        #expect(error?.reason.isEmpty == false)
    }

    @Test func theLargestFrameIsOneMessage() {
        let header = FrameHeader(type: .data, stream: StreamID(rawValue: 1), length: 15_988)
        let message = header.bytes + [UInt8](repeating: 5, count: 15_988)
        #expect(message.count == WireLimits.messageBytes)
        let (frames, error) = decode(message, piecesOf: 4_001)
        #expect(error == nil)
        #expect(frames.first?.payload.readableBytes == 15_988)
    }

    @Test func aFailedDecoderStaysFailed() throws {
        var decoder = FrameDecoder()
        decoder.feed(ByteBuffer(bytes: [0x7F] + [UInt8](repeating: 0, count: 11)))
        let first = #expect(throws: WireError.self) { try decoder.next() }
        decoder.feed(
            ByteBuffer(bytes: FrameHeader(type: .drain, stream: .session, length: 0).bytes)
        )
        let second = #expect(throws: WireError.self) { try decoder.next() }
        #expect(first == second)
    }

    @Test func anIncompleteFrameDoesNotKeepItsMessageAlive() throws {
        let head = FrameHeader(type: .data, stream: StreamID(rawValue: 1), length: 1_000)
        var message = ByteBuffer(bytes: head.bytes + [UInt8](repeating: 1, count: 1_000))
        message.writeBytes(head.bytes)
        var decoder = FrameDecoder()
        decoder.feed(message)
        let frame = try #require(try decoder.next())
        #expect(frame.payload.readableBytes == 1_000)
        #expect(try decoder.next() == nil)
        #expect(decoder.pendingBytes == 12)
        message.setInteger(0xFF as UInt8, at: message.writerIndex - 12)
        #expect(decoder.pendingBytes == 12)
        decoder.feed(ByteBuffer(bytes: [UInt8](repeating: 2, count: 1_000)))
        #expect(try decoder.next()?.payload.bytes == [UInt8](repeating: 2, count: 1_000))
        #expect(try decoder.next() == nil)
        #expect(decoder.pendingBytes == 0)
    }
}
