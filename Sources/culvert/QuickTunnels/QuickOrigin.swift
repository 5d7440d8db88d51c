import ConfigurationFile
import CulvertConnector

/// The ORIGIN of `culvert http` and `culvert tcp`, as people write it.
enum QuickOrigin {
    private static let webForms =
        "3000, HOST[:PORT], http://HOST:PORT, https://HOST:PORT, unix:/PATH, hello_world, "
        + "http_status:404, or tcp://HOST:PORT for `culvert access`"

    /// What `culvert http` sends requests to.
    ///
    /// - Throws: `Failure` with the forms there are, or what is wrong with the one it has.
    static func web(_ text: String) throws -> OriginService {
        if let port = try Self.port(text) { return .http(host: "localhost", port: port) }
        // As it stands in an address bar; any other path is refused below.
        let text = text.hasSuffix("/") && text.contains("://") ? String(text.dropLast()) : text
        let name = text.prefix { $0 != ":" }.lowercased()
        if text.contains("://") {
            let known = ["http", "https", "ws", "wss", "unix", "unix+tls"]
            guard known.contains(name) || Self.carriedSchemes.contains(name) else {
                throw Failure("ORIGIN \(text): expected \(Self.webForms).", .usage)
            }
            return try Self.service(text)
        }
        let isComplete =
            ["unix", "unix+tls", "http_status"].contains(name) && name.count < text.count
            || ["hello_world", "hello-world"].contains(text)
        return try Self.service(isComplete ? text : "http://\(text)")
    }

    /// What `culvert tcp` carries connections to; only where the protocol has a port of its own may it be
    /// left out.
    ///
    /// - Throws: `Failure` with the forms there are, or what is wrong with the one it has.
    static func carried(_ text: String) throws -> OriginService {
        if let port = try Self.port(text) { return .tcp(.tcp, host: "localhost", port: port) }
        if let separator = text.firstRange(of: "://") {
            let name = text[..<separator.lowerBound].lowercased()
            if ["http", "https", "ws", "wss"].contains(name) {
                throw Failure(
                    "ORIGIN \(text) is a web service: `culvert http \(text)`; as bytes it is HOST:PORT.",
                    .usage
                )
            }
            guard Self.carriedSchemes.contains(name) else {
                throw Failure("ORIGIN \(text): expected 22, HOST:PORT or tcp://HOST:PORT.", .usage)
            }
            if name == "tcp" { _ = try Self.address(String(text[separator.upperBound...]), text) }
            return try Self.service(text)
        }
        let address = try Self.address(text, text)
        return .tcp(.tcp, host: address.host, port: address.port)
    }

    private static let carriedSchemes = OriginService.TCPScheme.allCases.map(\.rawValue)

    /// The number that a text is; nil when it is none.
    private static func port(_ text: String) throws -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        guard let port = Int(text), (1...65_535).contains(port) else {
            throw Failure("ORIGIN \(text): a port is from 1 to 65535.", .usage)
        }
        return port
    }

    private static func address(_ text: String, _ origin: String) throws -> HostPort {
        let address: HostPort
        do {
            address = try HostPort(text)
        } catch {
            guard let host = try? HostPort(text, defaultPort: 22) else {
                throw Failure("ORIGIN \(origin): \(error.message)", .usage)
            }
            throw Failure("ORIGIN \(origin) needs a port, as in \(host).", .usage)
        }
        guard !address.host.isEmpty, address.port != 0 else {
            throw Failure("ORIGIN \(origin) needs a host and a port other than 0.", .usage)
        }
        return address
    }

    private static func service(_ text: String) throws -> OriginService {
        do {
            return try OriginService(text)
        } catch {
            throw Failure("ORIGIN \(text): \(error.message)", .usage)
        }
    }
}
