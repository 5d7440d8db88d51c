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
    /// An answer that is no 101.
    case answered(AccessAnswer)
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
        case .answered(let answer):
            "\(answer.hostname) answered \(answer.status)\(answer.code.map { " (\($0))" } ?? "") "
                + "instead of opening a connection: \(answer.meaning)"
        case .brokeOff(let reason): "the connection broke off: \(reason)"
        }
    }
}
