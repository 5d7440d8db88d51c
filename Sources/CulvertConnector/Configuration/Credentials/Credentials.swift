package import ConfigurationFile
import Crypto
package import Foundation

/// A tunnel's credentials: the key that its connectors sign logins with. It never crosses the wire.
package struct Credentials: Sendable, Equatable {
    /// 1...255 bytes; what `edge.yml` calls the tunnel.
    package var tunnelName: String
    /// The edge's id of the tunnel; nil for one that `edge.yml` declares.
    package var tunnelID: String?
    /// The edge to dial when the configuration names none.
    package var edge: HostPort?
    /// Where that edge is dialled instead of where its name leads, when the configuration does not say.
    package var edgeAddress: HostPort?
    /// CA certificates in PEM, trusted beside the system's for that edge; at most
    /// ``maximumCACertificatesBytes``.
    package var caCertificates: String?
    /// Ed25519, 32 bytes, as RFC 8032 has it; what `edge.yml` has in base64.
    package let publicKey: Data
    /// Ed25519, 32 bytes.
    package let privateKey: Data

    /// So many bytes of CA certificates can stand in credentials, and in a token.
    package static let maximumCACertificatesBytes = 16 * 1024

    /// Makes credentials with a new random key.
    package init(newFor tunnelName: String, edge: HostPort? = nil) {
        let key = Curve25519.Signing.PrivateKey()
        self.tunnelName = tunnelName
        self.edge = edge
        self.publicKey = key.publicKey.rawRepresentation
        self.privateKey = key.rawRepresentation
    }

    /// Credentials of a key that there is; nil when `privateKey` is none.
    init?(_ tunnelName: String, privateKey: Data) {
        let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: privateKey)
        guard let key else { return nil }
        self.tunnelName = tunnelName
        self.publicKey = key.publicKey.rawRepresentation
        self.privateKey = privateKey
    }

    /// The line that the edge's configuration needs, without indentation.
    package var edgeLine: String { "public-key: \(self.publicKey.base64EncodedString())" }
}

extension Credentials: CustomStringConvertible, CustomReflectable {
    /// The name only: a key that is logged is a key that is lost.
    package var description: String { "credentials of tunnel \(self.tunnelName)" }

    package var customMirror: Mirror { Mirror(self, children: ["tunnelName": self.tunnelName]) }
}

/// Why credentials cannot be used.
package struct CredentialsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path, as the caller named it.
    package var file: String
    /// What is wrong, to be read after the path; never a part of a key.
    package var message: String

    package var description: String { "\(self.file): \(self.message)" }
}

extension Credentials {
    private enum Key {
        static let name = "TunnelName"
        static let id = "TunnelID"
        static let edge = "Edge"
        static let edgeAddress = "EdgeAddress"
        static let caCertificates = "CACertificates"
        static let publicKey = "PublicKey"
        static let privateKey = "PrivateKey"
    }

    /// The file's contents: a JSON object, keys in alphabetical order, a newline at the end.
    func encoded() throws -> Data {
        var fields = [
            Key.name: self.tunnelName,
            Key.publicKey: self.publicKey.base64EncodedString(),
            Key.privateKey: self.privateKey.base64EncodedString(),
        ]
        fields[Key.id] = self.tunnelID
        fields[Key.edge] = self.edge?.description
        fields[Key.edgeAddress] = self.edgeAddress?.description
        fields[Key.caCertificates] = self.caCertificates
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(fields) + Data("\n".utf8)
    }

    /// Reads the file's contents.
    ///
    /// - Throws: what is wrong with them, with the key it is about.
    package init(decoding data: Data, file: String) throws(CredentialsError) {
        let contents = try Contents(data, file: file)
        let name = try contents.text(Key.name)
        guard (1...255).contains(name.utf8.count) else {
            throw contents.broken("\(Key.name) has to be from 1 to 255 bytes long")
        }
        let edge = try contents.has(Key.edge) ? contents.address(Key.edge) : nil
        let publicKey = try contents.key(Key.publicKey)
        let privateKey = try contents.key(Key.privateKey)
        guard let credentials = Self(name, privateKey: privateKey),
            credentials.publicKey == publicKey
        else {
            throw contents.broken("\(Key.publicKey) and \(Key.privateKey) do not belong together")
        }
        self = credentials
        self.edge = edge
        if contents.has(Key.id) { self.tunnelID = try contents.text(Key.id) }
        if contents.has(Key.edgeAddress) {
            self.edgeAddress = try contents.address(Key.edgeAddress)
        }
        if contents.has(Key.caCertificates) {
            self.caCertificates = try contents.text(Key.caCertificates)
        }
    }

    /// A JSON object whose values are looked at one by one.
    private struct Contents {
        private let object: [String: Any]
        private let file: String

        init(_ data: Data, file: String) throws(CredentialsError) {
            let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
            self.object = object ?? [:]
            self.file = file
            guard object != nil else {
                throw self.broken(
                    "is not a JSON object; it may be cut short. Copy it again, or make a new one with "
                        + "`culvert tunnel keygen`"
                )
            }
            guard !self.has("TunnelSecret"), !self.has("AccountTag") else {
                throw self.broken(
                    "is a credentials file of cloudflared's, which only Cloudflare accepts. Make one "
                        + "for your own edge with `culvert tunnel keygen NAME --out NAME.json`"
                )
            }
        }

        func broken(_ message: String) -> CredentialsError {
            CredentialsError(file: self.file, message: message)
        }

        func has(_ key: String) -> Bool { self.object[key] != nil }

        func text(_ key: String) throws(CredentialsError) -> String {
            guard let value = self.object[key] else { throw self.broken("\(key) is missing") }
            guard let text = value as? String else { throw self.broken("\(key) has to be text") }
            return text
        }

        func key(_ name: String) throws(CredentialsError) -> Data {
            guard let key = Data(base64Encoded: try self.text(name)), key.count == 32 else {
                throw self.broken("\(name) has to be 32 bytes in base64")
            }
            return key
        }

        func address(_ key: String) throws(CredentialsError) -> HostPort {
            let text = try self.text(key)
            do {
                return try HostPort(text, defaultPort: 443)
            } catch {
                throw self.broken("\(key): \(error.message)")
            }
        }
    }
}
