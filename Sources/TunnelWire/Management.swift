internal import HTTPSemantics
package import NIOCore

// What edge and connector say to each other about a tunnel that is managed from the edge, and how a
// connector stands: the payloads of CONFIGURATION and REPORT, over all their pieces.

/// Where a connector's requests are to go, as the edge keeps it for the tunnel.
package struct ManagedConfiguration: Equatable, Sendable {
    /// Bytes of ``text``; the reader insists on it, and so does the edge before it keeps one.
    package static let maximumTextBytes = 256 << 10

    /// Another one for each change; 0 when the tunnel has none yet.
    package var version: UInt64
    /// `ingress` and `originRequest` as in config.yml; empty when there is none.
    package var text: String

    package init(version: UInt64, text: String) {
        self.version = version
        self.text = text
    }
}

extension ManagedConfiguration {
    /// Bytes of the whole payload.
    package static let maximumPayloadBytes = 8 + maximumTextBytes

    /// Reads the payload of a CONFIGURATION.
    ///
    /// - Throws: `malformed` when it does not parse or is not UTF-8.
    package init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        guard let version = payload.readInteger(as: UInt64.self),
            let text = payload.readText(payload.readableBytes, where: { _ in true })
        else { throw WireError(.malformed, "CONFIGURATION does not parse") }
        self.init(version: version, text: text)
    }

    /// The payload of a CONFIGURATION.
    package func payload() -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(8 + self.text.utf8.count)
        buffer.writeInteger(self.version)
        buffer.writeString(self.text)
        return buffer
    }
}

/// How a connector stands. Each one takes the place of the one before.
package struct ConnectorReport: Equatable, Sendable {
    /// The version of the ``ManagedConfiguration`` that the connector runs, 0 for none; nil when its rules
    /// are its own.
    package var configurationVersion: UInt64?
    /// Why it does not run the one that it was sent last, a line each; empty when it does.
    package var configurationProblems: [String]
    /// Hostnames, as its rules have them, whose origins fail their health checks.
    package var unhealthyHostnames: [String]

    package init(
        configurationVersion: UInt64? = nil,
        configurationProblems: [String] = [],
        unhealthyHostnames: [String] = []
    ) {
        self.configurationVersion = configurationVersion
        self.configurationProblems = configurationProblems
        self.unhealthyHostnames = unhealthyHostnames
    }
}

extension ConnectorReport {
    /// Problems beyond these, and bytes of one, are left out.
    private static let maximumProblems = 16
    private static let problemBytes = 512

    /// Reads the payload of a REPORT. Of what it does not know it takes no notice.
    ///
    /// - Throws: `malformed` when it does not parse, or its version is no number.
    package init(payload: ByteBuffer) throws(WireError) {
        var payload = payload
        let fields = try FieldBlock.read(from: &payload)
        self.init(
            configurationProblems: fields.values("configuration-problem"),
            unhealthyHostnames: fields.values("unhealthy")
        )
        guard let version = fields.first("configuration-version") else { return }
        guard let number = UInt64(version) else {
            throw WireError(.malformed, "REPORT has a version that is no number")
        }
        self.configurationVersion = number
    }

    /// The payload of a REPORT, of ``WireLimits/sectionBytes`` at most: hostnames for which there is no
    /// room are left out.
    package func payload() -> ByteBuffer {
        var fields = HTTPFields()
        if let version = self.configurationVersion {
            fields.append("configuration-version", String(version))
        }
        for problem in self.configurationProblems.prefix(Self.maximumProblems) {
            let line = problem.map { $0.isNewline || $0 == "\0" ? " " : $0 }
            fields.append("configuration-problem", String(String(line).prefix(Self.problemBytes)))
        }
        for hostname in self.unhealthyHostnames {
            guard fields.linesBytes + hostname.utf8.count + 64 < WireLimits.sectionBytes,
                fields.count < WireLimits.fields
            else { break }
            fields.append("unhealthy", hostname)
        }
        var buffer = ByteBuffer()
        do {
            try FieldBlock.write(fields, to: &buffer)
        } catch {
            // Its limits are kept above.
            assertionFailure("a report that does not fit: \(error.reason)")
        }
        return buffer
    }
}
