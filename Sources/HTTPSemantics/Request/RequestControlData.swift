/// Where a request wants to go, decided once: what `RequestHead` needs beside method and fields.
package struct RequestControlData: Equatable, Sendable {
    /// For the route table.
    package let host: NormalizedHost
    /// For `RequestHead.authority`.
    package let authority: String
    /// For `RequestHead.path`: origin-form or `*`.
    package let path: String

    /// Decides for an HTTP/1 request (RFC 9112 §3.2, §3.3).
    ///
    /// The authority of an absolute-form target wins over `Host` (§3.2.2), which still has to be
    /// valid. The target's scheme is checked and then ignored: how the visitor reached the edge is
    /// a fact of the connection, and an origin must not be told `https` because a visitor wrote it.
    /// - Parameters:
    ///   - method: Case-sensitive.
    ///   - target: As on the request line.
    ///   - hostField: The one value of `Host`, or nil; `MessageFraming` has refused several.
    ///   - scheme: The connection's: `http` or `https`.
    /// - Throws: `RequestTargetError`, which knows its status.
    package init(
        method: String,
        target: String,
        hostField: String?,
        scheme: String
    ) throws(RequestTargetError) {
        switch try RequestTarget(target, method: method) {
        case .authority:
            throw .connectRefused
        case .origin(let path):
            try self.init(authority: hostField, path: path, scheme: scheme)
        case .asterisk:
            try self.init(authority: hostField, path: "*", scheme: scheme)
        case .absolute(_, let authority, let path):
            if let hostField, !hostField.isEmpty { _ = try Self.normalize(hostField) }
            // RFC 9112 §3.2.4: OPTIONS for a URL without a path is a request for '*'.
            let bare = method == "OPTIONS" ? "*" : "/"
            try self.init(authority: authority, path: path.isEmpty ? bare : path, scheme: scheme)
        }
    }

    /// Decides for an HTTP/2 request (RFC 9113 §8.3.1).
    ///
    /// `:authority` rules; a `Host` beside it must name the same host and port once both are
    /// normalised, else the request is malformed. `Host` serves where `:authority` is missing.
    /// - Parameters:
    ///   - method: `:method`.
    ///   - path: `:path`; must be in origin-form, or `*` for OPTIONS.
    ///   - authority: `:authority`, or nil.
    ///   - hostField: The one value of `host`, or nil.
    ///   - scheme: The connection's: `http` or `https`.
    /// - Throws: `RequestTargetError`.
    package init(
        method: String,
        path: String,
        authority: String?,
        hostField: String?,
        scheme: String
    ) throws(RequestTargetError) {
        if method == "CONNECT" { throw .connectRefused }
        let pathText: String
        switch try RequestTarget(path, method: method) {
        case .origin(let path): pathText = path
        case .asterisk: pathText = "*"
        case .absolute, .authority: throw .unknownForm
        }
        try self.init(authority: authority ?? hostField, path: pathText, scheme: scheme)
        guard let authority, let hostField, authority != hostField else { return }
        let other = try Self.normalize(hostField)
        guard other.host == self.host, other.text(scheme: scheme) == self.authority else {
            throw .conflictingHosts
        }
    }

    private init(
        authority: String?,
        path: String,
        scheme: String
    ) throws(RequestTargetError) {
        guard let authority, !authority.isEmpty else { throw .missingHost }
        let normalized = try Self.normalize(authority)
        self.host = normalized.host
        self.authority = normalized.text(scheme: scheme)
        self.path = path
    }

    private static func normalize(_ text: String) throws(RequestTargetError) -> NormalizedAuthority
    {
        do { return try NormalizedAuthority(text) } catch { throw .invalidHost(error) }
    }
}
