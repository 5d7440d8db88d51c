internal import HTTPSemantics
package import NIOCore

// The payloads of CHALLENGE, LOGIN, WELCOME and REFUSED. Readers throw `malformed` on anything that
// is short, long or out of range; writers throw `badLength` when a text is over its limit.

extension Challenge {
    /// Reads the payload of a CHALLENGE.
    ///
    /// - Throws: `malformed` when it does not parse, or the lowest version is above the highest.
    package init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        guard let (low, high) = payload.readMultipleIntegers(as: (UInt8, UInt8).self), low <= high,
            let nonce = payload.readBytes(length: Self.nonceBytes)
        else { throw WireError(.malformed, "CHALLENGE does not parse") }
        self.init(versions: low...high, nonce: nonce, attributes: try payload.readAttributes())
    }

    /// The payload of a CHALLENGE.
    ///
    /// - Throws: `badLength` for attributes over their limit.
    package func payload() throws(WireError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeMultipleIntegers(self.versions.lowerBound, self.versions.upperBound)
        buffer.writeBytes(self.nonce)
        try buffer.writeAttributes(self.attributes)
        return buffer
    }
}

extension Login {
    /// The payload up to the signature: what is signed, after the context and the challenge.
    package func unsignedPayload() throws(WireError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(self.version)
        buffer.writeBytes(self.publicKey)
        buffer.write(self.connector)
        buffer.writeInteger(self.resume == nil ? 0 : 1, as: UInt8.self)
        buffer.write(self.resume?.session ?? .none)
        buffer.writeInteger(self.resume?.processed ?? 0)
        buffer.write(self.limits)
        try buffer.writeAttributes(self.attributes)
        return buffer
    }

    /// What the signature of a LOGIN is over: CONNECT-HOST as the connector dialled it (lower case,
    /// without a port), the payload of the CHALLENGE, and that of the LOGIN up to the signature.
    /// Throws `badLength` for a host over 65,535 bytes.
    package static func signedBytes(
        host: String,
        challenge: ByteBuffer,
        login: ByteBuffer
    ) throws(WireError) -> ByteBuffer {
        var buffer = ByteBuffer(string: "culvert.v1 login\0")
        try buffer.writeText16(host)
        // Both parts end in attributes of any length: without a length, bytes could change sides.
        guard let count = UInt16(exactly: challenge.readableBytes) else {
            throw WireError(.badLength, "a CHALLENGE of \(challenge.readableBytes) bytes")
        }
        buffer.writeInteger(count)
        buffer.writeImmutableBuffer(challenge)
        buffer.writeImmutableBuffer(login)
        return buffer
    }

    /// A LOGIN as received: what it says, its signature, and the bytes that were signed of it.
    package struct Signed {
        /// What the payload says; unproven until the signature is verified.
        package var login: Login
        /// The payload's last ``Login/signatureBytes`` bytes; not verified here.
        package var signature: [UInt8]
        /// The payload up to the signature, for ``Login/signedBytes(host:challenge:login:)``.
        package var unsignedPayload: ByteBuffer

        /// Reads the payload of a LOGIN and leaves its signature to be verified.
        ///
        /// - Throws: `malformed` when it does not parse.
        package init(payload: ByteBuffer) throws(WireError) {
            var unsigned = payload
            let length = payload.readableBytes - Login.signatureBytes
            guard length > 0, let head = unsigned.readSlice(length: length),
                let signature = unsigned.readBytes(length: Login.signatureBytes)
            else { throw WireError(.malformed, "LOGIN is too short") }
            self.login = try Login(unsignedPayload: head)
            self.signature = signature
            self.unsignedPayload = head
        }
    }

    private init(unsignedPayload: ByteBuffer) throws(WireError) {
        var payload = unsignedPayload
        guard let version = payload.readInteger(as: UInt8.self),
            let publicKey = payload.readBytes(length: Self.publicKeyBytes),
            let connector = payload.readSessionID(),
            let resumes = payload.readInteger(as: UInt8.self), resumes <= 1,
            let session = payload.readSessionID(),
            let processed = payload.readInteger(as: UInt64.self),
            let limits = payload.readLimits()
        else { throw WireError(.malformed, "LOGIN does not parse") }
        self.init(
            version: version,
            publicKey: publicKey,
            connector: connector,
            resume: resumes == 1 ? ResumePoint(session: session, processed: processed) : nil,
            limits: limits,
            attributes: try payload.readAttributes()
        )
    }
}

extension Welcome {
    /// Reads the payload of a WELCOME.
    ///
    /// - Throws: `malformed` when it does not parse.
    package init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        guard let (version, resumed) = payload.readMultipleIntegers(as: (UInt8, UInt8).self),
            resumed <= 1,
            let session = payload.readSessionID(),
            let processed = payload.readInteger(as: UInt64.self),
            let limits = payload.readLimits(),
            let window = payload.readInteger(as: UInt32.self)
        else { throw WireError(.malformed, "WELCOME does not parse") }
        self.init(
            version: version,
            isResumed: resumed == 1,
            session: ResumePoint(session: session, processed: processed),
            limits: limits,
            resumeWindowMilliseconds: window,
            attributes: try payload.readAttributes()
        )
    }

    /// The payload of a WELCOME.
    ///
    /// - Throws: `badLength` for attributes over their limit.
    package func payload() throws(WireError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeMultipleIntegers(self.version, self.isResumed ? 1 : 0 as UInt8)
        buffer.write(self.session.session)
        buffer.writeInteger(self.session.processed)
        buffer.write(self.limits)
        buffer.writeInteger(self.resumeWindowMilliseconds)
        try buffer.writeAttributes(self.attributes)
        return buffer
    }
}

extension Refusal {
    /// Reads the payload of a REFUSED, a code that is unknown too.
    ///
    /// - Throws: `malformed` when it is short or long, says neither that it is permanent nor that it is
    ///   not, or the message is not UTF-8 or has NUL, CR or LF.
    package init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        guard
            let (code, permanent, delay) = payload.readMultipleIntegers(
                as: (UInt16, UInt8, UInt32).self
            ),
            permanent <= 1, let message = payload.readText16(), payload.readableBytes == 0
        else { throw WireError(.malformed, "REFUSED does not parse") }
        self.init(
            code: RefusalCode(rawValue: code),
            isPermanent: permanent != 0,
            retryAfterMilliseconds: delay,
            message: message
        )
    }

    /// The payload of a REFUSED.
    ///
    /// - Throws: `badLength` for a message over 65,535 bytes.
    package func payload() throws(WireError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeMultipleIntegers(
            self.code.rawValue,
            self.isPermanent ? 1 : 0 as UInt8,
            self.retryAfterMilliseconds
        )
        try buffer.writeText16(self.message)
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func write(_ id: SessionID) {
        self.writeMultipleIntegers(id.high, id.low)
    }

    fileprivate mutating func readSessionID() -> SessionID? {
        self.readMultipleIntegers(as: (UInt64, UInt64).self).map { SessionID(high: $0, low: $1) }
    }

    fileprivate mutating func write(_ limits: SessionLimits) {
        self.writeMultipleIntegers(
            limits.streams,
            limits.streamWindowBytes,
            limits.sessionWindowBytes
        )
    }

    fileprivate mutating func readLimits() -> SessionLimits? {
        self.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self).map {
            SessionLimits(streams: $0, streamWindowBytes: $1, sessionWindowBytes: $2)
        }
    }

    fileprivate mutating func writeAttributes(_ fields: HTTPFields) throws(WireError) {
        let start = self.readableBytes
        try FieldBlock.write(fields, to: &self)
        guard self.readableBytes - start <= WireLimits.attributeBytes else {
            throw WireError(.badLength, "attributes of over \(WireLimits.attributeBytes) bytes")
        }
    }

    fileprivate mutating func readAttributes() throws(WireError) -> HTTPFields {
        guard self.readableBytes <= WireLimits.attributeBytes else {
            throw WireError(.malformed, "attributes of \(self.readableBytes) bytes")
        }
        return try FieldBlock.read(from: &self)
    }
}

extension ByteBuffer {
    /// A frame of stream 0, header and payload.
    ///
    /// - Throws: `badLength` when the payload is over its limit.
    package static func frame(
        _ type: FrameType,
        payload: ByteBuffer
    ) throws(WireError) -> ByteBuffer {
        let header = FrameHeader(type: type, stream: .session, length: payload.readableBytes)
        guard header.length <= WireLimits.payloadBytes else {
            throw WireError(.badLength, "\(type) of \(header.length) bytes")
        }
        var buffer = ByteBuffer()
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount) {
            header.write(to: $0)
            return FrameHeader.byteCount
        }
        buffer.writeImmutableBuffer(payload)
        return buffer
    }
}
