import Glibc

/// Whom a client connects to: the name that the certificate has to carry, and what to ask for.
package struct ClientTarget: Sendable {
    /// A DNS name of at most 120 bytes: the SNI, and what the certificate is verified for.
    package let hostname: String
    /// Only for the Host field: the socket is connected already.
    package let port: UInt16
    /// What the upgrade asks for; begins with a slash and may have a query.
    package let path: String
    /// Whose certificates are believed.
    package let trust: ClientTrust
    /// Sent with the upgrade, in order.
    package let fields: [(name: String, value: String)]

    /// libwebsockets cuts longer names silently before it verifies them.
    private static let longestHostnameBytes = 120

    /// Checks everything that goes onto the wire or decides what is verified.
    ///
    /// - Parameters:
    ///   - hostname: a DNS name. Numeric ones are refused: a certificate is hardly ever for a
    ///     number, and libwebsockets stops verifying when it takes one for a port.
    ///   - port: appears in the Host field unless 443; the socket is connected already.
    ///   - path: with a query if wanted.
    ///   - fields: further request fields.
    ///   - trust: whose certificates are believed.
    /// - Throws: `badTarget` saying which part cannot be used.
    package init(
        hostname: String,
        port: UInt16 = 443,
        path: String = TransportConfiguration.path,
        fields: [(name: String, value: String)] = [],
        trust: ClientTrust
    ) throws(TransportError) {
        try Self.check(hostname: hostname)
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw TransportError(.badTarget, "the path \(path) is not one of a URL")
        }
        for field in fields where !Self.isField(field.name, field.value) {
            throw TransportError(.badTarget, "the header field \(field.name) cannot be sent")
        }
        self.hostname = hostname
        self.port = port
        self.path = path
        self.fields = fields
        self.trust = trust
    }

    /// The Host field's value.
    var host: String { self.port == 443 ? self.hostname : "\(self.hostname):\(self.port)" }

    private static func check(hostname: String) throws(TransportError) {
        guard !hostname.isEmpty else {
            throw TransportError(.badTarget, "the hostname to connect to is empty")
        }
        let labels = hostname.utf8.split(
            separator: UInt8(ascii: "."),
            omittingEmptySubsequences: false
        )
        let looksNumeric = labels.last.map { $0.allSatisfy { (0x30...0x39).contains($0) } } ?? true
        guard !hostname.utf8.contains(UInt8(ascii: ":")), !hostname.hasPrefix("["),
            !looksNumeric || labels.last?.isEmpty == true
        else {
            throw TransportError(
                .badTarget,
                "\(hostname) is an address, not a name: use the DNS name its certificate is for"
            )
        }
        guard hostname.utf8.count <= Self.longestHostnameBytes,
            labels.allSatisfy({ (1...63).contains($0.count) && $0.allSatisfy(Self.isNameByte) })
        else {
            throw TransportError(
                .badTarget,
                "\(hostname) is not a DNS name of at most \(Self.longestHostnameBytes) bytes"
            )
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func isField(_ name: String, _ value: String) -> Bool {
        let punctuation = Array("!#$%&'*+-.^_`|~".utf8)
        let isToken = name.utf8.allSatisfy { Self.isNameByte($0) || punctuation.contains($0) }
        return !name.isEmpty && isToken
            && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}
