import HTTPSemantics
import NIOCore
import Testing
import TunnelSession
import TunnelWire

@Suite struct LoginTests {
    private static let nonce = [UInt8](repeating: 3, count: 32)

    private func edge(
        _ versions: ClosedRange<UInt8> = EdgeLogin.versions
    ) throws -> EdgeLogin {
        try EdgeLogin(
            host: "edge.example",
            challenge: Challenge(versions: versions, nonce: Self.nonce, attributes: ["agent": "e"])
        )
    }

    private let login = Login(
        version: 1,
        publicKey: [UInt8](repeating: 8, count: 32),
        connector: SessionID(high: 1, low: 2),
        resume: ResumePoint(session: SessionID(high: 3, low: 4), processed: 5),
        limits: SessionLimits(streams: 6, streamWindowBytes: 7, sessionWindowBytes: 8),
        attributes: ["agent": "c", "hostname": "a.b"]
    )

    private func welcome(_ version: UInt8 = 1) -> Welcome {
        Welcome(
            version: version,
            isResumed: false,
            session: ResumePoint(session: SessionID(high: 9, low: 9), processed: 0),
            limits: SessionLimits(streams: 1, streamWindowBytes: 2, sessionWindowBytes: 3),
            resumeWindowMilliseconds: 30_000
        )
    }

    private func frame(_ bytes: ByteBuffer) throws -> FrameDecoder.Frame {
        var decoder = FrameDecoder()
        decoder.feed(bytes)
        return try #require(try decoder.next())
    }

    /// CHALLENGE and LOGIN, with a signature that is the sum of what is signed.
    private func exchange() throws -> (EdgeLogin, ConnectorLogin, EdgeLogin.Request, ByteBuffer) {
        var edge = try self.edge()
        var connector = ConnectorLogin(host: "edge.example")
        guard case .answer(1) = try connector.receive(self.frame(edge.challengeFrame)) else {
            throw WireError(.unexpectedFrame, "no answer")
        }
        var signed = ByteBuffer()
        let answer = try connector.sign(self.login) {
            signed = $0
            return [UInt8](repeating: 0x51, count: 64)
        }
        let request = try edge.receive(self.frame(answer))
        return (edge, connector, request, signed)
    }

    @Test func aWholeLogin() throws {
        var (edge, connector, request, signed) = try self.exchange()
        #expect(request.login == self.login)
        #expect(request.signature == [UInt8](repeating: 0x51, count: 64))
        #expect(request.signedBytes == signed, "both ends sign the same")
        let answer = try edge.accept(self.welcome())
        guard case .welcomed(let welcome) = try connector.receive(self.frame(answer)) else {
            return #expect(Bool(false))
        }
        #expect(welcome == self.welcome())
        #expect(throws: WireError.self) { try connector.receive(self.frame(answer)) }
    }

    @Test func aRefusal() throws {
        var (edge, connector, _, _) = try self.exchange()
        let refusal = Refusal(code: .unknownKey, isPermanent: true, message: "no such tunnel")
        let answer = try edge.refuse(refusal)
        guard case .refused(let read) = try connector.receive(self.frame(answer)) else {
            return #expect(Bool(false))
        }
        #expect(read == refusal)
        #expect(throws: WireError.self) { try connector.receive(self.frame(answer)) }
    }

    @Test func aRefusalMayComeInsteadOfAChallenge() throws {
        var edge = try self.edge()
        var connector = ConnectorLogin(host: "a")
        let refusal = Refusal(code: .overloaded, isPermanent: false, message: "full")
        guard case .refused = try connector.receive(self.frame(edge.refuse(refusal))) else {
            return #expect(Bool(false))
        }
    }

    @Test func aSignatureIsOverEveryByte() throws {
        let challenge = try Challenge(
            versions: 1...1,
            nonce: Self.nonce,
            attributes: ["agent": "e"]
        )
        .payload()
        let login = try self.login.unsignedPayload()
        func signed(_ host: String, _ challenge: ByteBuffer, _ login: ByteBuffer) throws
            -> ByteBuffer
        {
            try Login.signedBytes(host: host, challenge: challenge, login: login)
        }
        var all: Set<ByteBuffer> = [try signed("edge.example", challenge, login)]
        var count = 1
        for index in 0..<challenge.readableBytes {
            var changed = challenge
            changed.setInteger(
                changed.getInteger(at: index, as: UInt8.self).map { $0 ^ 1 } ?? 0,
                at: index
            )
            all.insert(try signed("edge.example", changed, login))
            count += 1
        }
        for index in 0..<login.readableBytes {
            var changed = login
            changed.setInteger(
                changed.getInteger(at: index, as: UInt8.self).map { $0 ^ 1 } ?? 0,
                at: index
            )
            all.insert(try signed("edge.example", challenge, changed))
            count += 1
        }
        all.insert(try signed("edge.examplf", challenge, login))
        #expect(all.count == count + 1)
    }

    /// As a proxy in between would: each byte of the frame's payload flipped either does not parse, or
    /// changes what is signed, or is the signature itself.
    @Test func aLoginChangedOnTheWayIsNotedByItsSignature() throws {
        let (_, _, request, _) = try self.exchange()
        var payload = try self.login.unsignedPayload()
        let signedCount = payload.readableBytes
        payload.writeBytes(request.signature)
        for index in 0..<payload.readableBytes {
            var changed = payload
            let byte = try #require(payload.getInteger(at: index, as: UInt8.self))
            changed.setInteger(byte ^ 1, at: index)
            var edge = try self.edge()
            let frame = try self.frame(.frame(.login, payload: changed))
            guard let read = try? edge.receive(frame) else { continue }
            if index < signedCount {
                #expect(read.signedBytes != request.signedBytes, "byte \(index)")
            } else {
                #expect(read.signature != request.signature)
            }
        }
    }

    @Test func framesOutOfTurn() throws {
        let types: [FrameType] = [.login, .welcome, .ping, .data, FrameType(rawValue: 0x80)]
        for type in types {
            var connector = ConnectorLogin(host: "a")
            let frame = TestFrame(
                type: type,
                stream: type == .data ? 1 : 0,
                payload: ByteBuffer(repeating: 0, count: 8)
            )
            #expect(throws: WireError.self) { try connector.receive(frame.decoded()) }
        }
        for type in [FrameType.challenge, .welcome, .refused, .ping] {
            var edge = try self.edge()
            let frame = TestFrame(type: type, payload: ByteBuffer(repeating: 0, count: 8))
            #expect(throws: WireError.self) { try edge.receive(frame.decoded()) }
        }
        var (edge, connector, _, _) = try self.exchange()
        var login = try self.login.unsignedPayload()
        login.writeRepeatingByte(0x51, count: 64)
        let again = try self.frame(.frame(.login, payload: login))
        #expect(throws: WireError.self) { try edge.receive(again) }
        let challenge = try self.frame(self.edge().challengeFrame)
        #expect(throws: WireError.self) { try connector.receive(challenge) }
        #expect(throws: WireError.self) { try connector.sign(self.login) { _ in [] } }
        var early = ConnectorLogin(host: "a")
        #expect(throws: WireError.self) { try early.sign(self.login) { _ in [] } }
    }

    @Test func versionsMustMeet() throws {
        var newer = ConnectorLogin(host: "a")
        guard case .answer(1) = try newer.receive(self.frame(self.edge(0...9).challengeFrame))
        else {
            return #expect(Bool(false))
        }
        for versions in [0...0, 2...3] as [ClosedRange<UInt8>] {
            var connector = ConnectorLogin(host: "a")
            let error = #expect(throws: WireError.self) {
                try connector.receive(self.frame(self.edge(versions).challengeFrame))
            }
            #expect(error?.reason.contains("\(versions)") == true)
        }
        var (edge, connector, _, _) = try self.exchange()
        let wrong = try self.frame(edge.accept(self.welcome(2)))
        #expect(throws: WireError.self) { try connector.receive(wrong) }
    }
}
