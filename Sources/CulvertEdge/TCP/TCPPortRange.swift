internal import ConfigurationFile

/// Where connectors may have public TCP ports: `tcp-ports` of `listen`.
package struct TCPPortRange: Sendable, Equatable {
    /// An address to listen on; empty is every address.
    package var host: String
    /// 1...65535; or only 0, for ports that the system chooses.
    package var ports: ClosedRange<Int>

    package init(host: String, ports: ClosedRange<Int>) {
        self.host = host
        self.ports = ports
    }

    /// Reads `20000-20099`, `127.0.0.1:20000-20099` or `[::]:22000`; `0` has the system choose.
    ///
    /// - Throws: what is wrong with the text, as one sentence without a full stop.
    package init(_ text: String, defaultHost: String) throws(TCPPortRangeError) {
        var host = Substring(defaultHost)
        var range = Substring(text)
        if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            range = text[text.index(after: colon)...]
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        }
        let bounds = range.split(separator: "-", omittingEmptySubsequences: false).map(Self.port)
        guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, bounds.count <= 2,
            first <= last, first > 0 || last == 0
        else {
            throw TCPPortRangeError(
                message: "expected ports such as 20000-20099, found \"\(text)\""
            )
        }
        self.init(host: String(host), ports: first...last)
    }

    private static func port(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(text), port <= 65_535
        else { return nil }
        return port
    }
}

/// Why a text is no range of ports.
package struct TCPPortRangeError: Error, Equatable, CustomStringConvertible {
    /// As one sentence without a full stop.
    package var message: String

    package var description: String { self.message }
}

extension ConfigurationValue {
    /// `off`, or a range of ports.
    func tcpPortRange(defaultHost: String) -> TCPPortRange? {
        guard let text = self.string(), text != "off" else { return nil }
        do {
            return try TCPPortRange(text, defaultHost: defaultHost)
        } catch {
            self.report(error.message)
            return nil
        }
    }
}
