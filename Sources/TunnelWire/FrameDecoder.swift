package import NIOCore

/// Cuts a link's bytes into frames, however they were split on the way.
///
/// Holds at most one incomplete frame (16,000 bytes). Types and lengths are checked as soon as a
/// header is there, before its payload is waited for. After an error the decoder stays failed.
package struct FrameDecoder {
    /// A frame's header beside its payload.
    package struct Frame: Equatable {
        /// Has passed ``FrameHeader/validate()``.
        package var header: FrameHeader
        /// ``FrameHeader/length`` bytes; a slice that may keep a whole message alive.
        package var payload: ByteBuffer
    }

    private var pending = ByteBuffer()
    /// Whether `pending` is the decoder's own copy, not a view of the message it came in.
    private var isOwned = false
    private var failure: WireError?

    /// For one link, from its first byte.
    package init() {}

    /// Bytes of an incomplete frame that wait for the rest.
    package var pendingBytes: Int { self.pending.readableBytes }

    /// Adds what the link received; call ``next()`` until it returns nil before adding more.
    package mutating func feed(_ bytes: ByteBuffer) {
        if self.pending.readableBytes == 0 {
            self.pending = bytes
            self.isOwned = false
        } else {
            self.pending.discardReadBytes()
            self.pending.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole frame, or nil when more bytes are needed.
    ///
    /// - Throws: `unknownFrame` for an unknown type of the critical range, `badLength` for a payload
    ///   over the limit or of a length its type does not have.
    package mutating func next() throws(WireError) -> Frame? {
        if let failure = self.failure { throw failure }
        guard
            let (type, flags, length, stream) = self.pending.peekMultipleIntegers(
                as: (UInt8, UInt8, UInt16, UInt64).self
            )
        else {
            self.keepRest()
            return nil
        }
        let header = FrameHeader(
            type: FrameType(rawValue: type),
            flags: FrameFlags(rawValue: flags),
            stream: StreamID(rawValue: stream),
            length: Int(length)
        )
        do {
            try header.validate()
        } catch {
            self.failure = error
            throw error
        }
        guard self.pending.readableBytes >= FrameHeader.byteCount + header.length else {
            self.keepRest()
            return nil
        }
        self.pending.moveReaderIndex(forwardBy: FrameHeader.byteCount)
        guard let payload = self.pending.readSlice(length: header.length) else { return nil }
        return Frame(header: header, payload: payload)
    }

    /// Copies an incomplete rest out of the message it came in, so that it does not keep it alive.
    private mutating func keepRest() {
        guard self.pending.readableBytes > 0 else {
            self.pending = ByteBuffer()
            return
        }
        guard !self.isOwned else { return }
        self.pending = ByteBuffer(buffer: self.pending)
        self.isOwned = true
    }
}

extension FrameHeader {
    /// Checks the type against the known ones, and the length and stream against the type's.
    ///
    /// - Throws: `unknownFrame`, `badLength` or `unexpectedFrame`.
    package func validate() throws(WireError) {
        guard self.length <= WireLimits.payloadBytes else { throw self.badLength }
        switch self.type {
        case .challenge, .login, .welcome, .refused, .close, .configuration, .report:
            try self.requireSession()
        case .ping, .pong, .ack, .sessionCredit:
            try self.requireSession()
            guard self.length == 8 else { throw self.badLength }
        case .drain:
            try self.requireSession()
            guard self.length == 0 else { throw self.badLength }
        case .head, .trailers:
            try self.requireStream()
        case .data:
            try self.requireStream()
            guard self.length > 0 || self.flags.contains(.end) else { throw self.badLength }
        case .reset:
            try self.requireStream()
            guard self.length >= 4 else { throw self.badLength }
        case .streamCredit:
            try self.requireStream()
            guard self.length == 8 else { throw self.badLength }
        default:
            guard self.type.isOptional else {
                throw WireError(
                    .unknownFrame,
                    "unknown frame \(self.type) on stream \(self.stream)"
                )
            }
        }
    }

    private var badLength: WireError {
        WireError(.badLength, "\(self.type) of \(self.length) bytes on stream \(self.stream)")
    }

    private func requireSession() throws(WireError) {
        guard self.stream == .session else {
            throw WireError(.unexpectedFrame, "\(self.type) on stream \(self.stream), not on 0")
        }
    }

    private func requireStream() throws(WireError) {
        guard self.stream != .session else {
            throw WireError(.unexpectedFrame, "\(self.type) on stream 0")
        }
    }
}
