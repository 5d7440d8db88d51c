import HTTPSemantics
import NIOCore
import Testing
import TunnelWire

/// The payloads of the login, byte for byte as Protocol.md lays them out.
@Suite struct LoginCodecTests {
    static let key = [UInt8](repeating: 0xAB, count: 32)
    static let keyHex = String(repeating: "AB", count: 32)
    static let nonceHex = String(repeating: "5A", count: 32)

    static let login = Login(
        version: 1,
        publicKey: key,
        connector: SessionID(high: 0x1112_1314_1516_1718, low: 0x2122_2324_2526_2728),
        resume: ResumePoint(session: SessionID(high: 0x31, low: 0x41), processed: 0x0102_0304_0506),
        limits: SessionLimits(
            streams: 5,
            streamWindowBytes: 65_536,
            sessionWindowBytes: 0x0200_0000
        ),
        attributes: ["agent": "c/1"]
    )
    static let loginHex = """
        01 \(keyHex) 1112131415161718 2122232425262728 01 0000000000000031 0000000000000041
        0000010203040506 00000005 00010000 02000000 8005 6167656E74 0003 632F31
        """
    static let challenge = Challenge(versions: 1...3, nonce: [UInt8](repeating: 0x5A, count: 32))
    static let welcome = Welcome(
        version: 1,
        isResumed: true,
        session: ResumePoint(session: SessionID(high: 1, low: 2), processed: 9),
        limits: SessionLimits(streams: 1, streamWindowBytes: 2, sessionWindowBytes: 3),
        resumeWindowMilliseconds: 30_000,
        attributes: ["url": "https://a"]
    )

    @Test func challenge() throws {
        let payload = try Self.challenge.payload()
        #expect(payload.bytes == bytes("01 03 \(Self.nonceHex)"))
        #expect(try Challenge(payload: payload) == Self.challenge)
    }

    @Test func login() throws {
        var payload = try Self.login.unsignedPayload()
        #expect(payload.bytes == bytes(Self.loginHex))
        let unsigned = payload
        payload.writeRepeatingByte(0xEE, count: 64)
        let signed = try Login.Signed(payload: payload)
        #expect(signed.login == Self.login)
        #expect(signed.signature == [UInt8](repeating: 0xEE, count: 64))
        #expect(signed.unsignedPayload == unsigned)
    }

    @Test func aLoginThatDoesNotResumeHasZeros() throws {
        var login = Self.login
        login.resume = nil
        login.attributes = [:]
        let payload = try login.unsignedPayload()
        let zeros = String(repeating: "00", count: 25)
        #expect(
            payload.bytes
                == bytes(
                    "01 \(Self.keyHex) 1112131415161718 2122232425262728 \(zeros) "
                        + "00000005 00010000 02000000"
                )
        )
    }

    @Test func welcome() throws {
        let payload = try Self.welcome.payload()
        #expect(
            payload.bytes
                == bytes(
                    """
                    01 01 0000000000000001 0000000000000002 0000000000000009
                    00000001 00000002 00000003 00007530 8003 75726C 0009 68747470733A2F2F61
                    """
                )
        )
        #expect(try Welcome(payload: payload) == Self.welcome)
    }

    @Test func refusal() throws {
        let refusal = Refusal(
            code: .overloaded,
            isPermanent: true,
            retryAfterMilliseconds: 10_000,
            message: "füll"
        )
        let payload = try refusal.payload()
        #expect(payload.bytes == bytes("0005 01 00002710 0005 66C3BC6C6C"))
        #expect(try Refusal(payload: payload) == refusal)
    }

    @Test func whatIsSigned() throws {
        let signed = try Login.signedBytes(
            host: "edge.example",
            challenge: Self.challenge.payload(),
            login: Self.login.unsignedPayload()
        )
        let context = Array("culvert.v1 login\0".utf8)
        #expect(context.count == 17)
        #expect(
            signed.bytes
                == context + bytes("000C") + Array("edge.example".utf8)
                + bytes("0022 01 03 \(Self.nonceHex)") + bytes(Self.loginHex)
        )
    }

    /// Attributes of the CHALLENGE must not pass for the beginning of the LOGIN.
    @Test func theSignatureTellsWhereTheChallengeEnds() throws {
        let all = bytes(Self.nonceHex + Self.loginHex)
        let signed = try (1..<all.count).map { cut in
            try Login.signedBytes(
                host: "a",
                challenge: ByteBuffer(bytes: all[..<cut]),
                login: ByteBuffer(bytes: all[cut...])
            )
        }
        #expect(Set(signed).count == all.count - 1)
    }

    /// A stranger may send any prefix, or any byte changed: an error, or another value, never a trap.
    @Test func shortenedPayloadsAreMalformed() throws {
        var login = try Self.login.unsignedPayload()
        login.writeRepeatingByte(0, count: 64)
        for length in 0..<Self.nonceHex.utf8.count / 2 + 2 {
            let payload = try Self.challenge.payload().getSlice(at: 0, length: length)
            let prefix = try #require(payload)
            #expect(throws: WireError.self) { try Challenge(payload: prefix) }
        }
        let cuts = (0..<login.readableBytes).compactMap { login.getSlice(at: 0, length: $0) }
        // Where only the attributes are cut away the rest is a whole LOGIN.
        let whole = login.readableBytes - 12
        for cut in cuts where cut.readableBytes != whole {
            #expect(throws: WireError.self) { try Login.Signed(payload: cut) }
        }
        let welcome = try Self.welcome.payload()
        for length in 0..<welcome.readableBytes where length != welcome.readableBytes - 16 {
            let prefix = try #require(welcome.getSlice(at: 0, length: length))
            #expect(throws: WireError.self) { try Welcome(payload: prefix) }
        }
    }

    @Test func flagsOtherThanZeroAndOneAreMalformed() throws {
        var welcome = try Self.welcome.payload()
        welcome.setInteger(2 as UInt8, at: 1)
        #expect(throws: WireError.self) { try Welcome(payload: welcome) }
        var login = try Self.login.unsignedPayload()
        login.writeRepeatingByte(0, count: 64)
        login.setInteger(2 as UInt8, at: 49)
        #expect(throws: WireError.self) { try Login.Signed(payload: login) }
        var challenge = try Self.challenge.payload()
        challenge.setInteger(4 as UInt8, at: 0)
        #expect(throws: WireError.self) { try Challenge(payload: challenge) }
    }

    @Test func attributesEndAtEightKibibytes() throws {
        // Name 2 + 1, length 2, value.
        var challenge = Self.challenge
        challenge.attributes = ["a": String(repeating: "x", count: 8_192 - 5)]
        #expect(try Challenge(payload: challenge.payload()) == challenge)
        challenge.attributes = ["a": String(repeating: "x", count: 8_192 - 4)]
        #expect(throws: WireError.self) { try challenge.payload() }
        var raw = ByteBuffer(hex: "0101 \(Self.nonceHex) 8001 61 1FFC")
        raw.writeRepeatingByte(0x78, count: 8_188)
        #expect(throws: WireError.self) { try Challenge(payload: raw) }
    }

    @Test func aFrameOfStreamZeroHasItsHeader() throws {
        let frame = try ByteBuffer.frame(.refused, payload: ByteBuffer(hex: "010203"))
        #expect(frame.bytes == bytes("04 00 0003 0000000000000000 010203"))
        #expect(throws: WireError.self) {
            try ByteBuffer.frame(.refused, payload: ByteBuffer(repeating: 0, count: 15_989))
        }
    }
}
