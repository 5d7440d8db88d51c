internal import NIOCore
package import TunnelWire

/// CONFIGURATION and REPORT frames on their way: an edge sends the one, a connector the other.
struct ManagementFrames {
    /// Small enough to leave room in a message for what goes with it.
    static let pieceBytes = 8_000

    /// What is to be sent, whole; a later one takes its place until its first piece is on its way.
    var waiting: ByteBuffer?
    /// What has come of the peer's.
    var received: ByteBuffer?
}

extension Session {
    /// Tells the connector where requests are to go. Of several that wait to be sent only the last is.
    ///
    /// Only the edge's end does; a text beyond ``ManagedConfiguration/maximumTextBytes`` is the caller's
    /// fault, and the peer's end of the session.
    package mutating func send(_ configuration: ManagedConfiguration) {
        assert(self.role == .edge, "a connector has no configuration to give")
        guard !self.isClosed else { return }
        self.management.waiting = configuration.payload()
    }

    /// Tells the edge how this connector stands. Of several that wait to be sent only the last is.
    package mutating func send(_ report: ConnectorReport) {
        assert(self.role == .connector, "an edge has nothing to report")
        guard !self.isClosed else { return }
        self.management.waiting = report.payload()
    }

    /// Whether frames wait that go before any stream's.
    var hasControlFrames: Bool { !self.control.isEmpty || self.management.waiting != nil }

    /// Cuts what waits into frames, behind those that are there: at most one payload is in the queue.
    mutating func queueManagement() {
        guard self.control.isEmpty, var rest = self.management.waiting else { return }
        self.management.waiting = nil
        let type: FrameType = self.role == .edge ? .configuration : .report
        repeat {
            let count = min(rest.readableBytes, ManagementFrames.pieceBytes)
            let piece = rest.readSlice(length: count) ?? ByteBuffer()
            self.control.append(
                LoggedFrame(
                    type: type,
                    flags: rest.readableBytes > 0 ? .more : [],
                    stream: .session,
                    payload: .bytes(piece)
                )
            )
        } while rest.readableBytes > 0
    }

    mutating func receiveManagement(_ frame: FrameDecoder.Frame) throws(WireError) {
        let type = frame.header.type
        guard type == (self.role == .edge ? .report : .configuration) else {
            throw WireError(.unexpectedFrame, "\(type) from the end that is to get it")
        }
        let limit =
            type == .report ? WireLimits.sectionBytes : ManagedConfiguration.maximumPayloadBytes
        var payload = self.management.received ?? ByteBuffer()
        guard payload.readableBytes + frame.header.length <= limit else {
            throw WireError(.badLength, "\(type) of over \(limit) bytes")
        }
        payload.writeImmutableBuffer(frame.payload)
        guard !frame.header.flags.contains(.more) else {
            self.management.received = payload
            return
        }
        self.management.received = nil
        if type == .report {
            self.events.append(.report(try ConnectorReport(payload: payload)))
        } else {
            self.events.append(.configuration(try ManagedConfiguration(payload: payload)))
        }
    }
}
