import ConfigurationFile

extension OriginService {
    /// Why a text names no service.
    package struct Malformed: Error, Equatable {
        /// For a person; the place in the file is for the caller to add.
        package var message: String
    }

    /// The schemes of HTTP services, a WebSocket begins as an HTTP request; and all others as one.
    private enum Scheme: String {
        case http, https, ws, wss, tcp
    }

    /// Reads a rule's `service`.
    package init(_ text: String) throws(Malformed) {
        if let path = text.dropping(prefix: "unix+tls:") {
            self = .unixTLS(path: try Self.socketPath(path, text))
        } else if let path = text.dropping(prefix: "unix:") {
            self = .unix(path: try Self.socketPath(path, text))
        } else if let status = text.dropping(prefix: "http_status:") {
            guard let status = UInt16(status), (100...999).contains(status) else {
                throw Malformed(message: "the status has to be from 100 to 999, found \"\(text)\"")
            }
            guard status >= 200 else {
                throw Malformed(
                    message: "\(text) is no final answer; the status has to be 200 or more"
                )
            }
            self = .httpStatus(status)
        } else if text == "hello_world" || text == "hello-world" {
            self = .helloWorld
        } else if text == "bastion" {
            self = .bastion
        } else if text == "socks-proxy" {
            self = .socksProxy
        } else {
            self = try Self.origin(text, schemeless: nil)
        }
    }

    /// Reads the legacy `url`, where the scheme may be left out and a path is dropped as cloudflared does.
    package init(legacyURL text: String) throws(Malformed) {
        self = try Self.origin(text, schemeless: .http)
    }

    private static func socketPath(
        _ path: String,
        _ text: String
    ) throws(Malformed) -> String {
        // cloudflared takes whatever follows the colon; its API writes unix://.
        let path = path.hasPrefix("//") ? String(path.dropFirst(2)) : path
        guard !path.isEmpty else {
            throw Malformed(message: "a socket's path has to follow \(text)")
        }
        guard path.utf8.count <= 107 else {
            throw Malformed(message: "a socket's path is at most 107 bytes long")
        }
        return path
    }

    private static func origin(
        _ text: String,
        schemeless: Scheme?
    ) throws(Malformed) -> OriginService {
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        let isComplete = parts.count == 2
        guard isComplete || schemeless != nil, let rest = parts.last else {
            let message = "\"\(text)\" needs a scheme, as in http://localhost:8000"
            throw Malformed(message: message)
        }
        let name = isComplete ? parts[0].lowercased() : ""
        let carried = OriginService.TCPScheme(rawValue: name)
        let named = carried == nil ? Scheme(rawValue: name) : .tcp
        guard let scheme = isComplete ? named : schemeless else {
            let known =
                "http, https, ws, wss, unix, unix+tls, tcp, ssh, rdp, smb, bastion, socks-proxy, "
                + "http_status or hello_world"
            throw Malformed(message: "unknown kind of service \"\(text)\"; expected \(known)")
        }
        let authority = rest.prefix { !"/?#".contains($0) }
        guard authority.count == rest.count || schemeless != nil else {
            let reason =
                carried != nil
                ? "TCP has none; remove \"\(rest[authority.endIndex...])\""
                : "the path is always the request's own; remove \"\(rest[authority.endIndex...])\""
            throw Malformed(message: "\"\(text)\" has a path: \(reason)")
        }
        guard !authority.contains("@") else {
            throw Malformed(message: "\"\(text)\" has a user name; an origin takes none")
        }
        let isTLS = scheme == .https || scheme == .wss
        let address: HostPort
        do {
            let defaultPort = carried?.defaultPort ?? (isTLS ? 443 : 80)
            address = try HostPort(String(authority), defaultPort: defaultPort)
        } catch {
            let example = carried == nil ? "http://localhost:8000" : "\(name)://localhost:2222"
            let usual = "is not an address; expected something like \(example)"
            throw Malformed(message: "\"\(text)\" \(usual)")
        }
        guard !address.host.isEmpty, address.port != 0 else {
            throw Malformed(message: "\"\(text)\" needs a host name and a port other than 0")
        }
        if let carried { return .tcp(carried, host: address.host, port: address.port) }
        return isTLS
            ? .https(host: address.host, port: address.port)
            : .http(host: address.host, port: address.port)
    }
}

extension String {
    fileprivate func dropping(prefix: String) -> String? {
        self.hasPrefix(prefix) ? String(self.dropFirst(prefix.count)) : nil
    }
}
