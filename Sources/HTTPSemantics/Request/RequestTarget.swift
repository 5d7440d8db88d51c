/// A request target in one of the four forms of RFC 9112 §3.2, its bytes checked, its host not yet.
package enum RequestTarget: Equatable, Sendable {
    /// `/path?query`.
    case origin(path: String)
    /// `http://authority/path?query`; `path` is empty when there was none, `/?query` for a query alone.
    case absolute(scheme: String, authority: String, path: String)
    /// `host:port`, for CONNECT only.
    case authority(String)
    /// `*`, for OPTIONS only.
    case asterisk

    /// Reads the target of a request line, or `:path` of HTTP/2.
    ///
    /// - Parameters:
    ///   - text: Visible ASCII; a fragment, a space, a control or a raw non-ASCII byte is refused.
    ///   - method: Decides between the forms where the text alone could be two.
    /// - Throws: `RequestTargetError`.
    package init(_ text: String, method: String) throws(RequestTargetError) {
        guard let first = text.utf8.first else { throw .empty }
        for byte in text.utf8 {
            guard byte.isVisibleASCII else { throw .illegalByte(byte) }
            guard byte != 0x23 else { throw .fragment }
        }
        if method == "CONNECT" {
            self = .authority(text)
        } else if first == 0x2F {
            self = .origin(path: text)
        } else if text == "*" {
            guard method == "OPTIONS" else { throw .asteriskWithoutOptions }
            self = .asterisk
        } else {
            self = try Self.absolute(text)
        }
    }

    private static func absolute(_ text: String) throws(RequestTargetError) -> RequestTarget {
        guard let colon = text.utf8.firstIndex(of: 0x3A) else { throw .unknownForm }
        let scheme = text[..<colon].lowercased()
        let afterColon = text[text.utf8.index(after: colon)...]
        guard afterColon.utf8.starts(with: [0x2F, 0x2F]) else { throw .unknownForm }
        guard scheme == "http" || scheme == "https" else { throw .unsupportedScheme(scheme) }
        let rest = afterColon.dropFirst(2)
        let end = rest.utf8.firstIndex { $0 == 0x2F || $0 == 0x3F } ?? rest.endIndex
        let path = rest[end...]
        return .absolute(
            scheme: scheme,
            authority: String(rest[..<end]),
            path: path.utf8.first == 0x3F ? "/\(path)" : String(path)
        )
    }
}

/// Why a request leads to no `RequestHead`.
package enum RequestTargetError: Error, Equatable, Sendable {
    /// A target of no bytes.
    case empty
    /// A byte outside visible ASCII, 0x21…0x7E.
    case illegalByte(UInt8)
    /// A `#`: fragments are never sent (RFC 9110 §4.2.5), and readers differ on what one means here.
    case fragment
    /// None of the four forms.
    case unknownForm
    /// Absolute-form with a scheme other than `http` and `https`; here in lower case.
    case unsupportedScheme(String)
    /// `*` with a method other than OPTIONS (RFC 9112 §3.2.4).
    case asteriskWithoutOptions
    /// CONNECT: this is a gateway, not a proxy for visitors.
    case connectRefused
    /// No host at all: neither in the target nor in `Host` or `:authority`.
    case missingHost
    /// The authority, or a `Host` beside it, is no host.
    case invalidHost(HostError)
    /// `:authority` and `Host` of an HTTP/2 request name different hosts (RFC 9113 §8.3.1).
    case conflictingHosts

    /// The status to answer with: 405 for CONNECT, else 400.
    package var status: UInt16 { self == .connectRefused ? 405 : 400 }
}

extension RequestTargetError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "the request target is empty"
        case .illegalByte(let byte):
            "byte 0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16)) must be percent-encoded in a request target"
        case .fragment: "a request target must not have a fragment ('#')"
        case .unknownForm: "the request target is neither a path nor an http or https URL"
        case .unsupportedScheme(let scheme): "scheme '\(scheme)' is neither http nor https"
        case .asteriskWithoutOptions: "the request target '*' is for OPTIONS only"
        case .connectRefused: "CONNECT is not served here: this is not a forward proxy"
        case .missingHost: "the request names no host"
        case .invalidHost(let error): "invalid host: \(error)"
        case .conflictingHosts: "':authority' and 'Host' name different hosts"
        }
    }
}
