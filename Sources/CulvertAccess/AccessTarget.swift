package import ConfigurationFile
internal import Foundation
internal import NIOCore

/// The hostname that `culvert access` goes to, and how it gets there.
package struct AccessTarget: Sendable {
    /// For SNI, the certificate and `Host`.
    package var hostname: String
    /// The edge's port; 443 where none is said.
    package var port: Int
    /// The request's path, `/` where none is said.
    package var path: String
    /// Dialled instead of the hostname's own address.
    package var edgeAddress: HostPort?
    /// CA certificates (PEM) trusted beside the system's.
    package var caFile: String?
    /// Further fields of the request, in order.
    package var fields: [(name: String, value: String)] = []
    /// Where a bastion is to connect to, `host:port`.
    package var destination: String?

    /// Reads `ssh.example.com`, with a port, a path, or `https://` before it, if need be, and with
    /// `NAME:PASSWORD@`, percent-encoded as in any URL.
    ///
    /// - Throws: `AccessError.argument`.
    package init(hostname text: String) throws(AccessError) {
        var rest = Substring(text)
        if let scheme = text.firstRange(of: "://") {
            let name = text[..<scheme.lowerBound].lowercased()
            guard name == "https" || name == "wss" else {
                throw .argument("--hostname \(text): an edge is reached by https only")
            }
            rest = rest[scheme.upperBound...]
        }
        var authority = rest.prefix { !"/?#".contains($0) }
        let path = rest[authority.endIndex...].prefix { $0 != "#" }
        var login: String?
        if let at = authority.lastIndex(of: "@") {
            login = authority[..<at].removingPercentEncoding
            authority = authority[authority.index(after: at)...]
            guard login?.contains(":") == true else {
                throw .argument("--hostname: expected NAME:PASSWORD before the @")
            }
        }
        let address: HostPort
        do {
            address = try HostPort(String(authority), defaultPort: 443)
        } catch {
            throw .argument("--hostname \(text): \(error.message)")
        }
        guard !address.host.isEmpty, address.port != 0,
            path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw .argument(
                "--hostname \(text): expected the hostname of a tunnel, such as ssh.example.com"
            )
        }
        self.hostname = address.host
        self.port = address.port
        self.path = path.hasPrefix("/") ? String(path) : "/" + path
        if let login { self.setLogin(login) }
    }

    /// Lets every request bring a name and a password, `NAME:PASSWORD` (RFC 7617).
    package mutating func setLogin(_ login: String) {
        let value = "Basic " + Data(login.utf8).base64EncodedString()
        self.fields.append(("Authorization", value))
    }

    /// Adds a field written `Name: value`.
    ///
    /// - Throws: `AccessError.argument` when it is none.
    package mutating func addField(_ text: String) throws(AccessError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.last.map { $0.trimmingPrefix { $0 == " " } } ?? ""
        let isName = parts[0].utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F, 0x2E: true
            default: false
            }
        }
        guard parts.count == 2, !parts[0].isEmpty, isName,
            value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 })
        else { throw .argument("--header \"\(text)\": expected `Name: value`") }
        self.fields.append((String(parts[0]), String(value)))
    }

    /// `Host`: without the port that https has anyway.
    var authority: String {
        let text = HostPort(host: self.hostname, port: self.port).description
        return self.port == 443 ? String(text.dropLast(4)) : text
    }

    /// The SNI; nil for an address, which SNI cannot name (RFC 6066 §3).
    var serverName: String? {
        (try? SocketAddress(ipAddress: self.hostname, port: 443)) == nil ? self.hostname : nil
    }

    /// What is dialled.
    var dialled: HostPort {
        self.edgeAddress ?? HostPort(host: self.hostname, port: self.port)
    }
}
