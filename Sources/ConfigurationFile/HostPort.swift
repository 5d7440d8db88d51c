/// A host name or address, and a TCP port.
package struct HostPort: Sendable, Hashable, CustomStringConvertible {
    /// A name, an IPv4 address or an IPv6 address without brackets; empty is every address.
    package var host: String
    /// 0...65535; 0 lets the system choose one.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Why a text is not a host and a port.
    package struct Malformed: Error, Equatable {
        /// What is wrong and what was expected, as one sentence without a full stop.
        package var message: String
    }

    /// Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`, `:8080` (every address).
    ///
    /// Without `defaultPort` the text has to have a port.
    ///
    /// - Throws: what is wrong with the text.
    package init(_ text: String, defaultPort: Int? = nil) throws(Malformed) {
        let usual = "expected host:port such as 127.0.0.1:8080 or [::1]:8080, found \"\(text)\""
        var host = Substring(text)
        var port: Substring?
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { throw Malformed(message: usual) }
            host = text[text.index(after: text.startIndex)..<bracket]
            let rest = text[text.index(after: bracket)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw Malformed(message: usual) }
            port = rest.isEmpty ? nil : rest.dropFirst()
            guard Self.isIPv6(host) else { throw Malformed(message: usual) }
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            if host.contains(":") {
                let message =
                    "an IPv6 address goes in brackets, as in [::1]:8080; found \"\(text)\""
                throw Malformed(message: text.contains("/") ? usual : message)
            }
        }
        guard Self.isHost(host) else { throw Malformed(message: usual) }
        guard let port else {
            guard let defaultPort, !host.isEmpty else { throw Malformed(message: usual) }
            self.init(host: String(host), port: defaultPort)
            return
        }
        let isNumber = !port.isEmpty && port.utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard isNumber, let number = Int(port), number <= 65535 else {
            throw Malformed(message: "the port has to be from 0 to 65535, found \"\(text)\"")
        }
        self.init(host: String(host), port: number)
    }

    /// `host:port`, an IPv6 address in brackets.
    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }

    private static func isHost(_ host: Substring) -> Bool {
        if host.contains(":") { return self.isIPv6(host) }
        return host.utf8.count <= 253
            && host.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }

    /// Shape only (hexadecimal digits, colons, dots, a zone): the system has the last word.
    private static func isIPv6(_ host: Substring) -> Bool {
        let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first, parts.last?.isEmpty == false else { return false }
        return address.filter { $0 == ":" }.count >= 2 && address.utf8.count <= 45
            && address.allSatisfy { ($0.isHexDigit && $0.isASCII) || $0 == ":" || $0 == "." }
    }
}
