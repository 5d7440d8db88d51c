package import HTTPSemantics

/// What the edge says first on a link.
package struct Challenge: Equatable, Sendable {
    package static let nonceBytes = 32

    package var versions: ClosedRange<UInt8>
    /// 32 random bytes, new for each link.
    package var nonce: [UInt8]
    package var attributes: HTTPFields

    package init(versions: ClosedRange<UInt8>, nonce: [UInt8], attributes: HTTPFields = [:]) {
        self.versions = versions
        self.nonce = nonce
        self.attributes = attributes
    }
}

/// How much one side lets the other have under way.
package struct SessionLimits: Equatable, Sendable {
    /// Streams the peer may have open at once.
    package var streams: UInt32
    /// Bytes of DATA the peer may send on a stream before credit is given.
    package var streamWindowBytes: UInt32
    /// Bytes of DATA the peer may send on all streams before credit is given.
    package var sessionWindowBytes: UInt32

    package init(streams: UInt32, streamWindowBytes: UInt32, sessionWindowBytes: UInt32) {
        self.streams = streams
        self.streamWindowBytes = streamWindowBytes
        self.sessionWindowBytes = sessionWindowBytes
    }
}

/// A session to go on with: its id, and the counted frames this side has processed.
package struct ResumePoint: Equatable, Sendable {
    package var session: SessionID
    package var processed: UInt64

    package init(session: SessionID, processed: UInt64) {
        self.session = session
        self.processed = processed
    }
}

/// Sixteen random bytes that name a session, or a connector process.
package struct SessionID: Hashable, Sendable {
    package static let byteCount = 16
    package static let none = SessionID(high: 0, low: 0)

    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

extension SessionID: CustomStringConvertible {
    /// Eight hexadecimal digits, enough for a log line.
    package var description: String {
        let digits = String(self.high >> 32, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

/// What the connector answers to a ``Challenge``, without its signature.
package struct Login: Equatable, Sendable {
    package static let signatureBytes = 64
    package static let publicKeyBytes = 32

    package var version: UInt8
    /// 32 bytes, Ed25519 (RFC 8032).
    package var publicKey: [UInt8]
    /// The connector process; the same over all its sessions.
    package var connector: SessionID
    package var resume: ResumePoint?
    package var limits: SessionLimits
    package var attributes: HTTPFields

    package init(
        version: UInt8,
        publicKey: [UInt8],
        connector: SessionID,
        resume: ResumePoint?,
        limits: SessionLimits,
        attributes: HTTPFields = [:]
    ) {
        self.version = version
        self.publicKey = publicKey
        self.connector = connector
        self.resume = resume
        self.limits = limits
        self.attributes = attributes
    }
}

/// The edge's consent.
package struct Welcome: Equatable, Sendable {
    package var version: UInt8
    /// Whether ``session`` is the one that LOGIN wanted to go on with.
    package var isResumed: Bool
    /// The session, and what the edge has processed of it.
    package var session: ResumePoint
    package var limits: SessionLimits
    package var resumeWindowMilliseconds: UInt32
    package var attributes: HTTPFields

    package init(
        version: UInt8,
        isResumed: Bool,
        session: ResumePoint,
        limits: SessionLimits,
        resumeWindowMilliseconds: UInt32,
        attributes: HTTPFields = [:]
    ) {
        self.version = version
        self.isResumed = isResumed
        self.session = session
        self.limits = limits
        self.resumeWindowMilliseconds = resumeWindowMilliseconds
        self.attributes = attributes
    }
}

/// The edge's refusal of a login.
package struct Refusal: Error, Equatable, Sendable {
    package var code: RefusalCode
    /// Whether trying again with the same configuration is useless.
    package var isPermanent: Bool
    package var retryAfterMilliseconds: UInt32
    /// For a person.
    package var message: String

    package init(
        code: RefusalCode,
        isPermanent: Bool,
        retryAfterMilliseconds: UInt32 = 0,
        message: String
    ) {
        self.code = code
        self.isPermanent = isPermanent
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.message = message
    }
}
