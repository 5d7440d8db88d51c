import HTTPSemantics
import TunnelWire

/// Why the edge answers itself instead of an origin: a code, a status, and words for a person.
struct EdgeFailure: Error, Equatable {
    /// The value of `Culvert-Error`: lower-case words joined by hyphens, stable.
    let code: String
    let status: UInt16
    /// What happened, in a few words.
    let title: String
    /// Why.
    let explanation: String
    /// What to do next.
    let advice: String
    var retryAfterSeconds: Int?
    /// Whether the connection cannot be used further: where the message ends is not known.
    var closesConnection = false
}

extension EdgeFailure {
    /// The visitor broke HTTP.
    ///
    /// - Parameters:
    ///   - reason: A sentence without its full stop; its first letter is made a capital.
    ///   - status: 400, or 501 for a transfer coding that is not known.
    /// - Returns: A failure that ends the connection.
    static func badRequest(_ reason: String, status: UInt16 = 400) -> EdgeFailure {
        EdgeFailure(
            code: "bad-request",
            status: status,
            title: "The request is not valid HTTP",
            explanation: "\(reason.prefix(1).uppercased())\(reason.dropFirst()).",
            advice:
                "This is a fault of the program that sent the request, or of a proxy before it.",
            closesConnection: true
        )
    }

    static let headerTooLarge = EdgeFailure(
        code: "header-too-large",
        status: 431,
        title: "The request's header fields are too large",
        explanation: "The header fields together, or their number, pass this edge's limit.",
        advice: "Cookies are the usual cause: delete those of this site and try again.",
        closesConnection: true
    )

    static let targetTooLong = EdgeFailure(
        code: "target-too-long",
        status: 414,
        title: "The address is too long",
        explanation: "The path and query of the URL pass this edge's limit.",
        advice: "Send long data in the body of the request.",
        closesConnection: true
    )

    static let bodyTooLarge = EdgeFailure(
        code: "request-too-large",
        status: 413,
        title: "The request is too large",
        explanation: "Its body passes this edge's limit.",
        advice: "Send it in smaller parts, or ask the owner of the edge to raise the limit.",
        closesConnection: true
    )

    static let tooSlow = EdgeFailure(
        code: "too-slow",
        status: 408,
        title: "The request took too long to arrive",
        explanation: "The edge waited for the rest of it and nothing more came.",
        advice: "Check the network and try again.",
        closesConnection: true
    )

    static let versionNotSupported = EdgeFailure(
        code: "version-not-supported",
        status: 505,
        title: "This HTTP version is not supported here",
        explanation: "The edge speaks HTTP/1.1 and, over TLS, HTTP/2.",
        advice: "Use one of these.",
        closesConnection: true
    )

    static let connectRefused = EdgeFailure(
        code: "method-not-allowed",
        status: 405,
        title: "CONNECT is not served here",
        explanation: "The edge is no forward proxy.",
        advice: "Remove it from the proxy settings of the program that sent this.",
        closesConnection: true
    )

    static let misdirected = EdgeFailure(
        code: "misdirected",
        status: 421,
        title: "The request came over another site's connection",
        explanation: "The name in the TLS handshake and the request's host have different "
            + "certificates.",
        advice: "Open a new connection for this host; browsers do so on their own."
    )

    static func loop(_ host: String) -> EdgeFailure {
        EdgeFailure(
            code: "loop-detected",
            status: 508,
            title: "The request goes round in circles",
            explanation:
                "It has come by this edge \(PassCount.maximum) times: what serves \(host) sends its "
                + "requests back here.",
            advice:
                "If it is yours: the service of its rule, in the connector's configuration, has to be "
                + "where the application listens, and not a hostname of this edge."
        )
    }

    static func unknownHost(_ host: String) -> EdgeFailure {
        EdgeFailure(
            code: "hostname-unknown",
            status: 404,
            title: "There is no site at this name",
            explanation: "No tunnel of this edge has the hostname \(host).",
            advice: "Check the spelling. If it is yours, add it to the hostnames of a tunnel."
        )
    }
}

extension EdgeFailure {
    /// The answer to a request that found no stream.
    init(_ failure: RouteFailure, host: String) {
        switch failure {
        case .unknownHost: self = .unknownHost(host)
        case .noConnector(let seconds):
            self.init(
                code: "no-connector",
                status: 503,
                title: "The site is not connected at the moment",
                explanation: "\(host) is known, but no connector for it is online.",
                advice: "Try again in a moment. If it is yours, start `culvert tunnel run`.",
                retryAfterSeconds: seconds
            )
        case .tooManyWaiting(let seconds):
            self.init(
                code: "too-many-waiting",
                status: 503,
                title: "The site is not connected at the moment",
                explanation: "Too many requests already wait for \(host) to come back.",
                advice: "Try again in a moment.",
                retryAfterSeconds: seconds
            )
        case .overLimit(let seconds):
            self.init(
                code: "over-limit",
                status: 503,
                title: "The edge is at its limit",
                explanation: "It has as many requests in progress as it may have.",
                advice: "Try again in a moment.",
                retryAfterSeconds: seconds
            )
        case .rateLimited(let seconds):
            self.init(
                code: "rate-limited",
                status: 429,
                title: "Too many requests",
                explanation: "Your address has as many requests in progress as it may have.",
                advice: "Slow down and try again later.",
                retryAfterSeconds: seconds
            )
        }
    }

    /// The answer when a stream was reset before any final head came.
    init(_ code: ResetCode) {
        switch code {
        case .originUnreachable:
            self.init(
                code: "origin-unreachable",
                status: 502,
                title: "The site's server cannot be reached",
                explanation: "The connector is online, but could not connect to the service behind "
                    + "it: it is not running, its address is wrong, or its certificate is not trusted.",
                advice: "If it is yours: is the service running, and is its address right in the "
                    + "connector's configuration? The connector's log says what went wrong."
            )
        case .originTimeout:
            self.init(
                code: "origin-timeout",
                status: 504,
                title: "The site's server took too long",
                explanation: "The connector is online, but the service behind it did not answer in "
                    + "time.",
                advice: "Try again later. If it is yours, look at the service's own log."
            )
        case .truncated, .malformedMessage, .streamProtocolError, .internalError:
            self.init(
                code: code == .truncated ? "origin-broke-off" : "origin-malformed",
                status: 502,
                title: "The site's server gave no usable answer",
                explanation: "The service behind the connector "
                    + (code == .truncated
                        ? "broke off."
                        : "answered with something other than HTTP, or with a header beyond all limits."),
                advice:
                    "Try again. If it is yours, the connector's log says what was wrong with it."
            )
        case .overLimit, .refused:
            self.init(
                code: code == .refused ? "no-connector" : "over-limit",
                status: 503,
                title: "The site cannot take the request at the moment",
                explanation: "Its connectors are at their limit or stopping.",
                advice: "Try again in a moment.",
                retryAfterSeconds: 2
            )
        case .noRoute:
            self.init(
                code: "no-ingress-rule",
                status: 404,
                title: "There is nothing at this address",
                explanation: "The connector has no rule for this host and path.",
                advice: "If it is yours, check with `culvert tunnel ingress rule URL`."
            )
        case .sessionLost, .sessionClosed:
            self.init(
                code: "connection-lost",
                status: 502,
                title: "The connection to the site was lost",
                explanation: "It is not known whether the request was carried out, so it was not "
                    + "sent again.",
                advice: "Check whether it took effect before you repeat it."
            )
        case .sessionStopped:
            self.init(
                code: "edge-stopping",
                status: 502,
                title: "The connection to the site was lost",
                explanation:
                    "The edge is about to stop, and cannot wait for it to be back. It is not "
                    + "known whether the request was carried out, so it was not sent again.",
                advice: "Check whether it took effect before you repeat it."
            )
        default:
            self.init(
                code: "origin-broke-off",
                status: 502,
                title: "The site gave no answer",
                explanation: "The connector gave the request up (\(code)).",
                advice: "Try again."
            )
        }
    }

    static let unaskedUpgrade = EdgeFailure(
        code: "unasked-upgrade",
        status: 502,
        title: "The site's server gave no usable answer",
        explanation: "It switched to another protocol without being asked to.",
        advice: "If it is yours, check the configured service."
    )
}
