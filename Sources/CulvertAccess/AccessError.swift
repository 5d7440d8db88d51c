internal import Glibc
internal import NIOCore

/// Why a connection could not be carried. Its description is one line for a person: what happened,
/// why, and what to do next.
package enum AccessError: Error, Sendable, Equatable {
    /// An option that cannot be read; says which.
    case argument(String)
    /// A name that does not resolve.
    case nameNotFound(String)
    /// Nobody listens there.
    case refused(String)
    /// No TCP connection, or no answer to the request, in time.
    case timedOut(String)
    /// The network, or a local file or port, is in the way.
    case failed(String)
    /// The certificate is not trusted, or for another name.
    case untrusted(hostname: String, reason: String)
    /// An answer that is no 101; `code` is its `Culvert-Error`, `text` its first line.
    case answered(hostname: String, status: Int, code: String?, text: String)
    /// It was there and broke off.
    case brokeOff(String)
}

extension AccessError {
    /// An error of the network's in the system's own words.
    static func words(for error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return String(cString: strerror(error.errnoCode))
    }
}

extension AccessError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .argument(let text), .failed(let text): text
        case .nameNotFound(let host): "\(host): there is no such name in DNS; check its spelling"
        case .refused(let address): "\(address) refused the connection; is the edge running there?"
        case .timedOut(let what): "\(what) in time; is a firewall in the way?"
        case .untrusted(let hostname, let reason):
            "the certificate of \(hostname) is not trusted (\(reason)); if the edge has an authority "
                + "of its own, name its certificate with --ca-file"
        case .answered(let hostname, let status, let code, let text):
            "\(hostname) answered \(status)\(code.map { " (\($0))" } ?? "") instead of opening a "
                + "connection: \(Self.meaning(status: status, code: code, text: text))"
        case .brokeOff(let reason): "the connection broke off: \(reason)"
        }
    }

    private static func meaning(status: Int, code: String?, text: String) -> String {
        switch code {
        case "hostname-unknown": "no tunnel of this edge has the hostname; check its spelling"
        case "no-connector": "no connector for it is online; is `culvert tunnel run` running there?"
        case "no-ingress-rule": "the connector has no rule for it; check its `ingress`"
        case "origin-unreachable":
            "the connector is online, but the service behind it refused the connection or is not "
                + "there; check the address in its `ingress`"
        case "origin-timeout":
            "the connector is online, but the service behind it did not accept the connection in time"
        case "connection-lost": "the tunnel was lost meanwhile; try again"
        case "edge-stopping": "the edge is being stopped; try again in a moment"
        default: self.meaning(status: status, text: text)
        }
    }

    private static func meaning(status: Int, text: String) -> String {
        switch status {
        case 200..<300:
            "it is a web site, no TCP service; the connector's rule for it needs a service such as "
                + "ssh://localhost:22"
        case 301, 302, 303, 307, 308, 401:
            "it asks for a login first; a service token goes with --header"
        default: text.isEmpty ? "and gave no reason" : text
        }
    }
}
