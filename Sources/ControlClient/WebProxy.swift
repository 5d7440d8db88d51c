import AsyncHTTPClient
import ConfigurationFile
import Foundation

/// The proxy that HTTPS goes through, as `HTTPS_PROXY` names it for curl and others.
package struct WebProxy: Sendable, Equatable, CustomStringConvertible {
    private enum Kind { case http, socks }

    private let kind: Kind
    private let address: HostPort
    private let userInfo: String?

    /// What the environment says about a host, by all names it goes by: `https_proxy` or `HTTPS_PROXY`,
    /// else `all_proxy` or `ALL_PROXY`, unless `no_proxy` or `NO_PROXY` has one of them. Nil for a
    /// direct way, which loopback always has.
    ///
    /// - Throws: `unusable` for a proxy of a kind that this client cannot use, or what is no URL.
    package init?(
        environment: [String: String],
        hosts: [String]
    ) throws(ControlClientError) {
        let names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        let exceptions = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
        guard let name = names.first(where: { environment[$0]?.isEmpty == false }),
            let text = environment[name],
            !hosts.contains(where: { Self.isDirect($0, except: exceptions) })
        else { return nil }
        try self.init(text, variable: name)
    }

    private init(_ text: String, variable: String) throws(ControlClientError) {
        var rest = Substring(text)
        var scheme = "http"
        if let range = text.firstRange(of: "://") {
            scheme = text[..<range.lowerBound].lowercased()
            rest = text[range.upperBound...]
        }
        switch scheme {
        case "http": self.kind = .http
        case "socks5", "socks5h", "socks": self.kind = .socks
        default:
            throw .unusable(
                "\(variable) names a proxy of the kind \(printable(scheme))://, which this command "
                    + "cannot use; http:// and socks5:// are fine."
            )
        }
        rest = rest.prefix { $0 != "/" }
        if let at = rest.lastIndex(of: "@") {
            let userInfo = String(rest[..<at])
            self.userInfo = userInfo.removingPercentEncoding ?? userInfo
            rest = rest[rest.index(after: at)...]
        } else {
            self.userInfo = nil
        }
        let port = self.kind == .socks ? 1080 : 80
        // The text may have a password in it, and is not repeated.
        guard let address = try? HostPort(String(rest), defaultPort: port), !address.host.isEmpty
        else { throw .unusable("\(variable) is no proxy's URL, such as http://HOST:PORT.") }
        self.address = address
    }

    private static func isDirect(_ host: String, except list: String) -> Bool {
        if ["localhost", "::1"].contains(host) || host.hasSuffix(".localhost")
            || host.hasPrefix("127.")
        {
            return true
        }
        return list.split { $0 == "," || $0 == " " }.contains { entry in
            let suffix = entry.drop { $0 == "." || $0 == "*" }.lowercased()
            if suffix.isEmpty { return entry == "*" }
            return host == suffix || host.hasSuffix("." + suffix)
        }
    }

    /// Without the login.
    package var description: String {
        "\(self.kind == .http ? "http" : "socks5")://\(self.address)"
    }

    var configuration: HTTPClient.Configuration.Proxy {
        switch self.kind {
        case .socks: .socksServer(host: self.address.host, port: self.address.port)
        case .http:
            .server(
                host: self.address.host,
                port: self.address.port,
                authorization: self.userInfo.map {
                    .basic(credentials: Data($0.utf8).base64EncodedString())
                }
            )
        }
    }
}
