package import ControlAPI

/// Why an edge's API did not do what it was asked.
package enum ControlClientError: Error, Sendable, Equatable {
    /// There was no answer.
    case unreachable(EdgeURL, Unreachable)
    /// The edge says no.
    case problem(APIProblem, EdgeURL)
    /// The session token is not good, or not good any more.
    case loggedOut(EdgeURL)
    /// Something else answered in the edge's place; how one can tell, to be read after a colon.
    case notAnEdge(EdgeURL, String)
    /// The client's own settings are wrong; a sentence.
    case unusable(String)

    /// The step of the way at which it ended.
    package enum Unreachable: Sendable, Equatable {
        /// The name has no address, or nobody could be asked for it.
        case noSuchName(String)
        /// Nobody listens where the connection goes.
        case refused(String)
        /// The certificate is of an authority that is not trusted here.
        case untrusted
        /// The certificate is for other names.
        case otherName
        /// TLS failed otherwise.
        case tls(String)
        /// No answer in time.
        case timeout
        /// The proxy did not let the connection through.
        case proxy(WebProxy, String)
        /// Anything else, in the system's words.
        case other(String)
    }

    /// Whether the edge says that there is no such thing.
    package var isUnknown: Bool { self.isProblem(.unknown) }

    /// Whether it is a problem of this code.
    package func isProblem(_ code: APIProblem.Code) -> Bool {
        guard case .problem(let problem, _) = self else { return false }
        return problem.code == code.rawValue
    }
}

extension ControlClientError: CustomStringConvertible {
    /// What happened, why, and what to do next.
    package var description: String {
        switch self {
        case .unreachable(let edge, let reason):
            "\(edge) cannot be reached: \(reason.text(edge))"
        case .problem(let problem, _): problem.detail
        case .loggedOut(let edge):
            "You are logged out at \(edge): run `culvert login \(edge)`."
        case .notAnEdge(let edge, let reason):
            """
            \(edge) does not answer as an edge does: \(reason).
            Is it the edge's control host? A captive portal, or a proxy, may also have answered in its place.
            """
        case .unusable(let text): text
        }
    }
}

extension ControlClientError.Unreachable {
    fileprivate func text(_ edge: EdgeURL) -> String {
        switch self {
        case .noSuchName(let name):
            "the name \(name) has no address. Check how it is written, and whether this machine has "
                + "DNS."
        case .refused(let address):
            "\(address) refused the connection. Does the edge run, and is its port open?"
        case .untrusted:
            "its certificate is of an authority that this machine does not trust. If the edge has its "
                + "own, or a proxy opens TLS, name the authority's certificate with --ca-file."
        case .otherName:
            "its certificate is not for \(edge.host). Check the name; something else may answer in its "
                + "place."
        case .tls(let words): "TLS failed: \(words)"
        case .timeout:
            "there was no answer in time. A firewall may be in the way; HTTPS_PROXY names a proxy, if "
                + "there has to be one."
        case .proxy(let proxy, let words): "the proxy \(proxy) \(words)"
        case .other(let words): words
        }
    }
}
