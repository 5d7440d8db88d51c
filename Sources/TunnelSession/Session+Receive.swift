internal import NIOCore
package import TunnelWire

extension Session {
    /// Payloads below this are copied out of the message they came in, so that a few bytes that wait
    /// for their reader do not keep 16,000 alive.
    private static let copiedBelowBytes = 4_096

    /// Processes one frame of the link. Without a link there is none to process: what the old one still
    /// yields after ``linkWasLost(now:)`` is dropped, since the peer will send it again.
    ///
    /// - Throws: the peer's breach of the protocol. The session is then over: a
    ///   ``SessionEvent/closed(_:)`` is among the events.
    package mutating func receive(
        _ frame: FrameDecoder.Frame,
        now: Instant
    ) throws(WireError) {
        guard !self.isClosed, self.link.isUp else { return }
        do throws(WireError) {
            try self.process(frame, now: now)
            // Each answer that a peer provokes (credit, a refusal) waits here while the log is full.
            guard self.control.count <= SendLog.maximumFrames else {
                throw WireError(.badCount, "\(self.control.count) frames wait for acknowledgements")
            }
            guard frame.header.type.isCounted else { return }
            self.processed += 1
            self.acknowledgement.pendingFrames += 1
            if frame.header.type == .data {
                self.acknowledgement.pendingDataBytes += frame.header.length
            }
            if self.acknowledgement.since == nil { self.acknowledgement.since = now }
        } catch {
            self.finish(.protocolError(error))
            throw error
        }
    }

    private mutating func process(
        _ frame: FrameDecoder.Frame,
        now: Instant
    ) throws(WireError) {
        switch frame.header.type {
        case .head: try self.receiveHead(frame, now: now)
        case .data: try self.receiveData(frame, now: now)
        case .trailers: try self.receiveTrailers(frame, now: now)
        case .reset: try self.receiveReset(frame)
        case .streamCredit: try self.receiveStreamCredit(frame, now: now)
        case .sessionCredit: self.receiveSessionCredit(frame.payload.integer, now: now)
        case .ack: try self.log.acknowledge(frame.payload.integer)
        case .ping: self.link.pongDue = frame.payload.integer
        case .pong: self.receivePong(frame.payload.integer, now: now)
        case .drain: self.peerDrains()
        case .close: try self.receiveClose(frame)
        case .configuration, .report: try self.receiveManagement(frame)
        case .challenge, .login, .welcome, .refused:
            throw WireError(.unexpectedFrame, "\(frame.header.type) after the login")
        default: break  // of the optional range
        }
    }

    // MARK: Heads, data, trailers

    private mutating func receiveHead(
        _ frame: FrameDecoder.Frame,
        now: Instant
    ) throws(WireError) {
        let id = frame.header.stream
        guard let stream = try self.streamForHead(id, now: now) else { return }
        guard stream.incoming.phase == .head else {
            throw WireError(.unexpectedFrame, "HEAD after the final head of stream \(id)")
        }
        guard let section = try self.section(frame, of: stream) else { return }
        let isInterim = !stream.incoming.isRequest && section.isInterimHead
        if isInterim {
            guard !frame.header.flags.contains(.end) else {
                throw WireError(.unexpectedFrame, "END with an interim head on stream \(id)")
            }
            stream.incoming.interimHeads += 1
            guard stream.incoming.interimHeads <= WireLimits.interimHeads else {
                throw WireError(.unexpectedFrame, "too many interim heads on stream \(id)")
            }
        } else {
            stream.incoming.phase = .body
        }
        if !stream.incoming.isDiscarding { self.events.append(.head(stream, section)) }
        if frame.header.flags.contains(.end) { self.receiveEnd(of: stream) }
    }

    /// The stream a HEAD is for, opened if it is the peer's next; nil to ignore the frame.
    private mutating func streamForHead(
        _ id: StreamID,
        now: Instant
    ) throws(WireError) -> SessionStream? {
        if let stream = try self.openStream(id, "HEAD") { return stream }
        guard !self.isOwn(id), id.rawValue > self.highestPeerStreamID else {
            try self.checkClosedStream(id, "HEAD")
            return nil
        }
        self.highestPeerStreamID = id.rawValue
        guard self.openedByPeer < self.configuration.limits.streams else {
            self.control.append(Self.resetFrame(id, .refused))
            return nil
        }
        self.openedByPeer += 1
        let stream = self.makeStream(id, isOpenedHere: false, now: now)
        self.streams[id] = stream
        self.events.append(.opened(stream))
        return stream
    }

    /// Adds a piece to the section under way; the whole once its last piece is there.
    private func section(
        _ frame: FrameDecoder.Frame,
        of stream: SessionStream
    ) throws(WireError) -> ByteBuffer? {
        let type = frame.header.type
        var section = frame.payload
        if var begun = stream.incoming.section {
            guard stream.incoming.sectionType == type else {
                throw WireError(.unexpectedFrame, "\(type) within a section of stream \(stream.id)")
            }
            begun.writeImmutableBuffer(frame.payload)
            section = begun
        }
        guard section.readableBytes <= WireLimits.sectionBytes else {
            throw WireError(.badLength, "a section of over 65,536 bytes on stream \(stream.id)")
        }
        guard frame.header.flags.contains(.more) else {
            stream.incoming.section = nil
            return section
        }
        stream.incoming.section =
            stream.incoming.section == nil ? ByteBuffer(buffer: section) : section
        stream.incoming.sectionType = type
        return nil
    }

    private mutating func receiveData(
        _ frame: FrameDecoder.Frame,
        now: Instant
    ) throws(WireError) {
        let id = frame.header.stream
        let count = frame.header.length
        guard self.receiveWindow.receive(count) else {
            throw WireError(.creditExceeded, "DATA beyond the session's credit, on stream \(id)")
        }
        self.grantIfScarce(now: now)
        guard let stream = try self.openStream(id, "DATA") else {
            try self.checkClosedStream(id, "DATA")
            self.consumedBySession(count, now: now)
            return
        }
        guard stream.incoming.phase == .body, stream.incoming.section == nil else {
            throw WireError(
                .unexpectedFrame,
                "DATA before the head, or after the end, of stream \(id)"
            )
        }
        guard stream.incoming.window.receive(count) else {
            throw WireError(.creditExceeded, "DATA beyond the credit of stream \(id)")
        }
        if count > 0 {
            if stream.incoming.window.buffered == count { stream.incoming.lastTaken = now }
            self.notePressure(now: now)
            if stream.incoming.isDiscarding {
                self.consumed(count, on: stream, now: now)
            } else {
                let copies = count < Self.copiedBelowBytes
                let bytes = copies ? ByteBuffer(buffer: frame.payload) : frame.payload
                self.events.append(.data(stream, bytes))
            }
        }
        if frame.header.flags.contains(.end) { self.receiveEnd(of: stream) }
    }

    private mutating func receiveTrailers(
        _ frame: FrameDecoder.Frame,
        now: Instant
    ) throws(WireError) {
        let id = frame.header.stream
        guard let stream = try self.openStream(id, "TRAILERS") else {
            return try self.checkClosedStream(id, "TRAILERS")
        }
        guard stream.incoming.phase == .body else {
            throw WireError(
                .unexpectedFrame,
                "TRAILERS before the head, or after the end, of \(id)"
            )
        }
        guard let section = try self.section(frame, of: stream) else { return }
        if !stream.incoming.isDiscarding { self.events.append(.trailers(stream, section)) }
        self.receiveEnd(of: stream)
    }

    private mutating func receiveEnd(of stream: SessionStream) {
        stream.incoming.phase = .over
        if !stream.incoming.isDiscarding { self.events.append(.ended(stream)) }
        self.closeIfComplete(stream)
    }

    // MARK: The rest

    private mutating func receiveReset(_ frame: FrameDecoder.Frame) throws(WireError) {
        let id = frame.header.stream
        guard let stream = try self.openStream(id, "RESET") else {
            return try self.checkClosedStream(id, "RESET")
        }
        var payload = frame.payload
        guard let (code, detail) = payload.readMultipleIntegers(as: (UInt16, UInt16).self),
            payload.readableBytes == Int(detail), code < ResetCode.firstLocal
        else { throw WireError(.malformed, "RESET of stream \(id) does not parse") }
        if !stream.incoming.isDiscarding {
            self.events.append(.reset(stream, ResetCode(rawValue: code)))
        }
        self.close(stream)
    }

    private mutating func receiveStreamCredit(
        _ frame: FrameDecoder.Frame,
        now: Instant
    ) throws(WireError) {
        let id = frame.header.stream
        guard let stream = try self.openStream(id, "STREAM_CREDIT") else {
            return try self.checkClosedStream(id, "STREAM_CREDIT")
        }
        // A limit below an earlier one is late, and a huge one means no limit.
        let limit = min(frame.payload.integer, UInt64(Int64.max))
        guard limit > stream.outgoing.limit else { return }
        stream.outgoing.limit = limit
        self.schedule(stream, now: now)
    }

    private mutating func receiveSessionCredit(_ limit: UInt64, now: Instant) {
        let limit = min(limit, UInt64(Int64.max))
        guard limit > self.sendLimit else { return }
        self.sendLimit = limit
        self.scheduler.unparkAll(now: now)
    }

    private mutating func receiveClose(_ frame: FrameDecoder.Frame) throws(WireError) {
        var payload = frame.payload
        guard let (code, length) = payload.readMultipleIntegers(as: (UInt16, UInt16).self),
            payload.readableBytes == Int(length),
            let reason = payload.readString(length: Int(length))
        else { throw WireError(.malformed, "CLOSE does not parse") }
        self.finish(.closedByPeer(CloseCode(rawValue: code), reason))
    }

    /// The stream with this id, if it is open.
    ///
    /// - Throws: `unexpectedFrame` when this end has opened it but the peer cannot know that yet.
    private func openStream(_ id: StreamID, _ what: String) throws(WireError) -> SessionStream? {
        guard let stream = self.streams[id] else { return nil }
        guard !self.isUnknownToPeer(stream) else { throw Self.neverOpened(id, what) }
        return stream
    }

    private static func neverOpened(_ id: StreamID, _ what: String) -> WireError {
        WireError(.unexpectedFrame, "\(what) on stream \(id), which was never opened")
    }

    /// A frame for a stream that is not open: late if the stream was open once, else an error.
    private func checkClosedStream(_ id: StreamID, _ what: String) throws(WireError) {
        let highest = self.isOwn(id) ? self.nextStreamID - 1 : self.highestPeerStreamID
        guard id.rawValue <= highest else { throw Self.neverOpened(id, what) }
    }
}

extension ByteBuffer {
    /// The first eight bytes; the decoder has checked that they are there.
    fileprivate var integer: UInt64 { self.getInteger(at: self.readerIndex) ?? 0 }

    /// Whether this section is a response head with a 1xx status other than 101.
    var isInterimHead: Bool {
        guard let kind = self.getInteger(at: self.readerIndex, as: UInt8.self), kind == 2,
            let status = self.getInteger(at: self.readerIndex + 1, as: UInt16.self)
        else { return false }
        return (100..<200).contains(status) && status != 101
    }
}
