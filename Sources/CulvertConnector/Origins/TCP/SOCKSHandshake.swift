import NIOCore

/// The server's part of a SOCKS5 handshake (RFC 1928): no authentication, CONNECT only. Pure; bytes
/// come at any split.
struct SOCKSHandshake {
    enum Step: Equatable {
        case needsMore
        /// Send it, and go on.
        case answer(ByteBuffer)
        /// Connect there, then send ``SOCKSHandshake/reply(_:)``.
        case connect(TCPDestination)
        /// Send it, if there is anything, and end: the client asked for what is not served.
        case refuse(ByteBuffer, reason: String)
    }

    /// RFC 1928 §6.
    enum Reply: UInt8 {
        case succeeded = 0
        case failure = 1
        case notAllowed = 2
        case hostUnreachable = 4
        case refused = 5
        case commandNotSupported = 7
        case addressNotSupported = 8
    }

    private enum State {
        case greeting, request, over
    }

    private var state = State.greeting
    private var buffer = ByteBuffer()

    mutating func append(_ bytes: ByteBuffer) { self.buffer.writeImmutableBuffer(bytes) }

    /// What came behind the request.
    mutating func takeRest() -> ByteBuffer {
        defer { self.buffer = ByteBuffer() }
        return self.buffer.slice()
    }

    mutating func next() -> Step {
        switch self.state {
        case .greeting: self.greeting()
        case .request: self.request()
        case .over: .needsMore
        }
    }

    /// A reply; the address it carries means nothing to a client that connects.
    static func reply(_ reply: Reply) -> ByteBuffer {
        ByteBuffer(bytes: [5, reply.rawValue, 0, 1, 0, 0, 0, 0, 0, 0])
    }

    /// VER NMETHODS METHODS.
    private mutating func greeting() -> Step {
        var rest = self.buffer
        guard let version = rest.readInteger(as: UInt8.self) else { return .needsMore }
        guard version == 5 else {
            return self.refuse(ByteBuffer(), "no SOCKS5: its first byte is \(version)")
        }
        guard let count = rest.readInteger(as: UInt8.self),
            let methods = rest.readBytes(length: Int(count))
        else { return .needsMore }
        self.buffer = rest
        guard methods.contains(0) else {
            let answer = ByteBuffer(bytes: [5, 0xFF])
            return self.refuse(answer, "the client insists on authentication, and there is none")
        }
        self.state = .request
        return .answer(ByteBuffer(bytes: [5, 0]))
    }

    /// VER CMD RSV ATYP DST.ADDR DST.PORT.
    private mutating func request() -> Step {
        var rest = self.buffer
        guard let (version, command) = rest.readMultipleIntegers(as: (UInt8, UInt8).self) else {
            return .needsMore
        }
        guard version == 5 else {
            return self.refuse(Self.reply(.failure), "a request of version \(version)")
        }
        guard command == 1 else {
            let what = "command \(command), and only CONNECT is served"
            return self.refuse(Self.reply(.commandNotSupported), what)
        }
        guard let (_, type) = rest.readMultipleIntegers(as: (UInt8, UInt8).self) else {
            return .needsMore
        }
        let host: String?
        switch type {
        case 1: host = rest.readBytes(length: 4).map { $0.map(String.init).joined(separator: ".") }
        case 3: host = Self.readName(&rest)
        case 4: host = Self.readIPv6(&rest)
        default:
            let what = "address type \(type) is unknown"
            return self.refuse(Self.reply(.addressNotSupported), what)
        }
        guard let host, let port = rest.readInteger(as: UInt16.self) else { return .needsMore }
        self.buffer = rest
        guard port != 0, Self.isHost(host) else {
            return self.refuse(Self.reply(.failure), "the destination is no host and port")
        }
        self.state = .over
        return .connect(TCPDestination(host: host, port: Int(port)))
    }

    private static func readName(_ buffer: inout ByteBuffer) -> String? {
        guard let count = buffer.readInteger(as: UInt8.self) else { return nil }
        return buffer.readBytes(length: Int(count)).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func readIPv6(_ buffer: inout ByteBuffer) -> String? {
        guard let bytes = buffer.readBytes(length: 16) else { return nil }
        let groups = stride(from: 0, to: 16, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }
        return groups.joined(separator: ":")
    }

    /// What a resolver may be asked: no control bytes, no spaces, nothing beyond ASCII.
    private static func isHost(_ host: String) -> Bool {
        !host.isEmpty && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    private mutating func refuse(_ answer: ByteBuffer, _ reason: String) -> Step {
        self.state = .over
        self.buffer = ByteBuffer()
        return .refuse(answer, reason: reason)
    }
}
