package import ConfigurationFile
package import Foundation

/// All that a connector needs, as one string: a tunnel's credentials and the edge to dial.
///
/// `cvt_`, and a JSON object in base64url (RFC 4648 §5): `v` (1), `name` and `id` of the tunnel, `edge`
/// (`HOST:PORT`), `key` (Ed25519, 32 bytes in base64); `ca` (PEM) when the system's authorities do not
/// do; `hostnames` and `expires` only tell what the edge has decided about the key.
package struct TunnelToken: Sendable, Equatable {
    /// Those of the connector; their ``Credentials/edge`` is set.
    package let credentials: Credentials
    /// Where to dial.
    package let edge: HostPort
    /// The hostnames that the key serves; nil for all of the tunnel's.
    package let hostnames: [String]?
    /// From when on the edge refuses the key, to the second; nil for never.
    package let expiresAt: Date?

    /// A longer text is no token, in bytes.
    package static let maximumBytes = 64 * 1024

    private static let prefix = "cvt_"

    /// A token of credentials that say which edge they are for; nil for others. Where that edge is
    /// dialled on this machine is no part of it.
    package init?(
        _ credentials: Credentials,
        hostnames: [String]? = nil,
        expiresAt: Date? = nil
    ) {
        guard let edge = credentials.edge else { return nil }
        var credentials = credentials
        credentials.edgeAddress = nil
        self.credentials = credentials
        self.edge = edge
        self.hostnames = hostnames
        self.expiresAt = expiresAt.map {
            Date(timeIntervalSince1970: $0.timeIntervalSince1970.rounded(.down))
        }
    }

    /// Reads what ``text`` is; white space around it does not matter.
    ///
    /// - Throws: what is wrong with it, without any of it.
    package init(_ text: String) throws(TunnelTokenError) {
        let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.hasPrefix(Self.prefix) else { throw TunnelTokenError(foreign: text) }
        guard text.utf8.count <= Self.maximumBytes,
            let data = Data(base64URL: text.dropFirst(Self.prefix.count)),
            let version = try? JSONDecoder().decode(Version.self, from: data)
        else {
            throw TunnelTokenError("is damaged or was cut short; copy it again, whole")
        }
        guard version.v == Contents.version else {
            throw TunnelTokenError(
                "is of version \(version.v), and this culvert reads version \(Contents.version); "
                    + "take a newer culvert"
            )
        }
        guard let contents = try? Contents.decoder.decode(Contents.self, from: data) else {
            throw TunnelTokenError("lacks a part of what it has to say; make another")
        }
        guard (1...255).contains(contents.name.utf8.count),
            var credentials = Credentials(contents.name, privateKey: contents.key)
        else { throw TunnelTokenError("has a key or a name that is none; make another") }
        guard let edge = try? HostPort(contents.edge, defaultPort: 443), !edge.host.isEmpty else {
            throw TunnelTokenError("does not say where the edge is; make another")
        }
        credentials.tunnelID = contents.id
        credentials.edge = edge
        credentials.caCertificates = contents.ca
        self.credentials = credentials
        self.edge = edge
        self.hostnames = contents.hostnames
        self.expiresAt = contents.expires
    }

    /// The token. A secret: who has it can serve the tunnel.
    package var text: String {
        let contents = Contents(
            v: Contents.version,
            name: self.credentials.tunnelName,
            id: self.credentials.tunnelID,
            edge: self.edge.description,
            key: self.credentials.privateKey,
            ca: self.credentials.caCertificates,
            hostnames: self.hostnames,
            expires: self.expiresAt
        )
        // Strings, a number, a date: nothing that JSON could not say.
        let data = (try? Contents.encoder.encode(contents)) ?? Data()
        return Self.prefix + data.base64URL
    }

    private struct Version: Decodable {
        var v: Int
    }

    private struct Contents: Codable {
        static let version = 1

        var v: Int
        var name: String
        var id: String?
        var edge: String
        var key: Data
        var ca: String?
        var hostnames: [String]?
        var expires: Date?

        static var encoder: JSONEncoder {
            let encoder = JSONEncoder()
            encoder.dateEncodingStrategy = .iso8601
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return encoder
        }

        static var decoder: JSONDecoder {
            let decoder = JSONDecoder()
            decoder.dateDecodingStrategy = .iso8601
            return decoder
        }
    }
}

extension TunnelToken: CustomStringConvertible, CustomReflectable {
    /// Without the key: what is logged is lost.
    package var description: String {
        "token of tunnel \(self.credentials.tunnelName) at \(self.edge)"
    }

    package var customMirror: Mirror {
        Mirror(self, children: ["credentials": self.credentials, "edge": self.edge])
    }
}

/// Why a text is no token of a tunnel.
package struct TunnelTokenError: Error, Sendable, Equatable, CustomStringConvertible {
    /// To be read after what the token is called; never a part of it.
    package let message: String

    init(_ message: String) { self.message = message }

    /// What a text without the prefix may be instead.
    fileprivate init(foreign text: String) {
        if text.isEmpty {
            self.init("is empty")
        } else if text.hasPrefix("cve_") {
            self.init("is an enrolment code, which `culvert login --token` takes")
        } else if text.hasPrefix("cvs_") {
            self.init("is the token of a login, not of a tunnel")
        } else if text.hasPrefix("eyJ") {
            self.init(
                "is a token of cloudflared's, which only Cloudflare accepts; "
                    + "`culvert tunnel token NAME` makes one for your own edge"
            )
        } else {
            self.init("is no tunnel's token: those begin with cvt_")
        }
    }

    package var description: String { "The token \(self.message)." }
}

extension Data {
    /// Base64 that can stand in a shell's command and in a URL (RFC 4648 §5), without padding.
    fileprivate var base64URL: String {
        self.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }

    /// Reads what ``base64URL`` is; nil for anything else.
    fileprivate init?(base64URL text: some StringProtocol) {
        guard !text.utf8.contains(where: { "+/=".utf8.contains($0) }) else { return nil }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        let plain = String(text).replacing("-", with: "+").replacing("_", with: "/") + padding
        self.init(base64Encoded: plain)
    }
}
