@testable import HTTPSemantics

/// A strict framing validator for the bytes of an HTTP/1 connection, written apart from the edge's
/// parser: what this refuses, that must not take.
///
/// It follows every request from its first byte to the end of its body, and refuses whatever two
/// readers could take for different messages, so that where requests begin and end is decided here
/// and the parser behind (llhttp) can only agree. Fed in any splits, it comes to the same verdict at
/// the same byte. Head bytes are looked at once; bodies are skipped, whatever their size.
///
/// Stricter than llhttp 9 in: HTTP/0.9, several spaces or empty lines around the request line, raw
/// non-ASCII and `#` in targets, `Transfer-Encoding` in HTTP/1.0 or other than `chunked` alone, HTAB
/// around framing values, chunk sizes over 15 digits, long chunk extensions, framing fields in
/// trailers, `Host` missing or repeated, limits. Where llhttp stops parsing by itself (upgrade,
/// CONNECT, the last request) so does the guard, by llhttp's own reading of `Connection`,
/// `Proxy-Connection` and `Upgrade`.
///
/// Memory: at most one field of those that matter, within `Limits.headBytes`. Confined to its
/// connection's loop.
struct RequestHeadGuard: Sendable {
    let limits: Limits
    var state = State.messageStart
    var message = MessageFacts()
    /// The bytes of a token that began in an earlier buffer; empty between tokens.
    var carry: [UInt8] = []
    /// Bytes of the head, or of the trailer section, so far.
    private var headBytes = 0
    /// Whether the byte just scanned was the last of its section, so that counting starts anew.
    private var endsSection = false
    private var refused: Reason?

    init(limits: Limits = Limits()) { self.limits = limits }

    /// Looks at the next bytes of the connection.
    ///
    /// - Parameter bytes: Any number; not kept.
    /// - Returns: `.refused` once and for ever: fed again, the same reason with no bytes before it.
    mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        if let refused { return .refused(Refusal(reason: refused, bytesBefore: 0)) }
        var index = 0
        while index < bytes.count {
            let reason: Reason?
            if self.state.isHead {
                let allowance = self.limits.headBytes - self.headBytes
                let end = min(bytes.count, index + allowance)
                let start = index
                reason = allowance > 0 ? self.scanHead(bytes, &index, end) : .headTooLarge
                self.headBytes = self.endsSection ? 0 : self.headBytes + index - start
            } else {
                reason = self.scanBody(bytes, &index)
            }
            self.endsSection = false
            if let reason {
                self.refused = reason
                self.carry = []
                return .refused(Refusal(reason: reason, bytesBefore: index))
            }
        }
        return .ok
    }

    /// As `scan(_:)` for any collection; one that is not contiguous is copied.
    mutating func scan(_ bytes: some Collection<UInt8>) -> Outcome {
        let outcome = bytes.withContiguousStorageIfAvailable {
            self.scan(UnsafeRawBufferPointer($0))
        }
        return outcome ?? Array(bytes).withUnsafeBytes { self.scan($0) }
    }

    /// Whether an upgrade or CONNECT request is complete and nothing more may come before its answer.
    ///
    /// llhttp sees any `Upgrade` that `Connection` names so, `h2c` too, and parses nothing after it;
    /// a connection whose upgrade is not accepted has to close, or get a new parser and `resume()`.
    var awaitsSwitch: Bool { self.state == .awaitingSwitch }

    /// Whether the connection is between requests, so that its end cuts nothing off.
    var isBetweenRequests: Bool {
        switch self.state {
        case .messageStart, .awaitingSwitch, .steppedAside, .closed: self.refused == nil
        default: false
        }
    }

    /// Lets everything pass from here on: the protocol is no longer HTTP. Without effect unless
    /// `awaitsSwitch`, so that a mistake cannot open the gate inside a request.
    mutating func stepAside() {
        if self.state == .awaitingSwitch { self.state = .steppedAside }
    }

    /// Goes on with the next HTTP request: the switch was declined, the parser is a new one. Without
    /// effect unless `awaitsSwitch`.
    mutating func resume() {
        if self.state == .awaitingSwitch { self.state = .messageStart }
    }

    /// Ends a request: decides what the next bytes are.
    mutating func finishMessage() {
        let facts = self.message
        self.message = MessageFacts()
        self.endsSection = true
        if facts.awaitsSwitch {
            self.state = .awaitingSwitch
        } else {
            self.state = facts.isLast ? .closed : .messageStart
        }
    }

    /// Ends a head, or the chunks: what is counted from here are the bytes of trailers.
    mutating func endSection(_ state: State) {
        self.state = state
        self.endsSection = true
    }

    private mutating func scanHead(
        _ bytes: UnsafeRawBufferPointer,
        _ index: inout Int,
        _ end: Int
    ) -> Reason? {
        switch self.state {
        case .messageStart, .emptyLineEnd, .requestStart, .method, .target, .version, .minorVersion,
            .requestLineCR, .requestLineLF:
            self.scanRequestLine(bytes, &index, end)
        default:
            self.scanFieldSection(bytes, &index, end)
        }
    }
}

extension RequestHeadGuard {
    /// Where in a connection the next byte stands.
    enum State: UInt8, Sendable {
        case messageStart, emptyLineEnd, requestStart, method, target, version, minorVersion
        case requestLineCR, requestLineLF
        case lineStart, fieldName, fieldValue, fieldLF, sectionLF
        case body, chunkSizeStart, chunkSize, chunkExtension, chunkSizeLF, chunkData
        case chunkDataCR, chunkDataLF
        case awaitingSwitch, steppedAside, closed

        var isHead: Bool { self.rawValue <= State.sectionLF.rawValue }
    }

    /// The fields that decide framing, here or in llhttp.
    enum Field: UInt8, Sendable {
        case other, host, connection, proxyConnection, contentLength, transferEncoding, upgrade

        init(_ name: some Collection<UInt8>) {
            self =
                switch name.count {
                case 4 where name.equalsLowercase("host"): .host
                case 7 where name.equalsLowercase("upgrade"): .upgrade
                case 10 where name.equalsLowercase("connection"): .connection
                case 14 where name.equalsLowercase("content-length"): .contentLength
                case 16 where name.equalsLowercase("proxy-connection"): .proxyConnection
                case 17 where name.equalsLowercase("transfer-encoding"): .transferEncoding
                default: .other
                }
        }
    }

    /// What is known of the request under way.
    struct MessageFacts: Sendable {
        /// Bytes of the method, the target, the version, a chunk size or an extension so far.
        var count = 0
        var isConnect = false
        var minorVersion: UInt8 = 0
        var fields = 0
        var field = Field.other
        var hasHost = false
        var isChunked = false
        var contentLength: UInt64?
        var hasUpgrade = false
        var namesUpgrade = false
        var namesClose = false
        var namesKeepAlive = false
        var inTrailers = false
        /// Of the body, or of the chunk.
        var remaining: UInt64 = 0
        /// Of all chunk extensions of the request.
        var extensionBytes = 0

        var awaitsSwitch: Bool { self.isConnect || self.hasUpgrade && self.namesUpgrade }

        var isLast: Bool {
            self.namesClose || self.minorVersion == 0 && !self.namesKeepAlive
        }
    }
}
