package import HTTPSemantics

/// What the edge says first on a link.
package struct Challenge: Equatable, Sendable {
    /// Bytes of ``nonce``; the reader insists on them, the writer does not check.
    package static let nonceBytes = 32

    /// The protocol versions the edge speaks, both ends included.
    package var versions: ClosedRange<UInt8>
    /// 32 random bytes, new for each link.
    package var nonce: [UInt8]
    /// May have `agent`; at most ``WireLimits/attributeBytes``.
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
    /// The session's id; in a WELCOME that of a new session too.
    package var session: SessionID
    /// A total since the session began; 0 for a new one.
    package var processed: UInt64

    package init(session: SessionID, processed: UInt64) {
        self.session = session
        self.processed = processed
    }
}

/// Sixteen random bytes that name a session, or a connector process.
package struct SessionID: Hashable, Sendable {
    /// Bytes an id takes on the wire.
    package static let byteCount = 16
    /// All zeros: the session of a LOGIN that resumes none.
    package static let none = SessionID(high: 0, low: 0)

    /// The first eight bytes, big-endian.
    package var high: UInt64
    /// The last eight bytes, big-endian.
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
    /// Bytes of an Ed25519 signature, the end of a LOGIN's payload (RFC 8032 §5.1.6).
    package static let signatureBytes = 64
    /// Bytes of ``publicKey`` (RFC 8032 §5.1.5).
    package static let publicKeyBytes = 32

    /// The protocol version, one of the challenge's.
    package var version: UInt8
    /// 32 bytes, Ed25519 (RFC 8032).
    package var publicKey: [UInt8]
    /// The connector process; the same over all its sessions.
    package var connector: SessionID
    /// The session to go on with; nil for a new one.
    package var resume: ResumePoint?
    /// What the connector lets the edge do.
    package var limits: SessionLimits
    /// `agent`, and `hostname` for each one asked for; at most ``WireLimits/attributeBytes``.
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
    /// The protocol version from here on.
    package var version: UInt8
    /// Whether ``session`` is the one that LOGIN wanted to go on with.
    package var isResumed: Bool
    /// The session, and what the edge has processed of it.
    package var session: ResumePoint
    /// What the edge lets the connector do.
    package var limits: SessionLimits
    /// How long the edge keeps a session without a link; then it has failed.
    package var resumeWindowMilliseconds: UInt32
    /// `tunnel`, and `url` for each place visitors reach; at most ``WireLimits/attributeBytes``.
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
    /// Why; an unknown code stays as it came.
    package var code: RefusalCode
    /// Whether trying again with the same configuration is useless.
    package var isPermanent: Bool
    /// The wait asked for before the next try; 0, the default, asks for none.
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
