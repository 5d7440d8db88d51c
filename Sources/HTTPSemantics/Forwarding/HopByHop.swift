/// Which fields belong to one connection and do not cross the edge (RFC 9110 §7.6.1).
///
/// Dropped always: `Connection`, `Keep-Alive`, `Proxy-Connection`, `Proxy-Authenticate`,
/// `Proxy-Authorization`, `Proxy-Authentication-Info`, `TE` (a request's `trailers` is kept, alone),
/// `Trailer`, `Transfer-Encoding`, `Upgrade`, `HTTP2-Settings`.
///
/// Dropped when `Connection` names them: everything else but the protected names. A visitor could
/// otherwise have the edge remove what the origin's decisions rest on (`Connection: Authorization`,
/// or a trusted proxy's `X-Forwarded-For`). Go's ReverseProxy removes whatever is named and relies on
/// setting its own fields afterwards; HAProxy removes nothing that is named; Envoy refuses requests
/// that name `X-Forwarded-*`. Here a protected field stays and the request goes on: RFC 9110 forbids
/// senders to name fields meant for all recipients, so nothing lawful is lost. Apply this before
/// `ForwardingRules`, which sets the edge's own fields.
package enum HopByHop {
    /// Options of `Connection` beyond this are not looked at; `MessageFraming` refuses such heads.
    package static let maxConnectionOptions = 64

    /// Which way a message goes: only a request keeps `TE: trailers`.
    package enum Direction: Sendable { case request, response }

    /// `TE`, `Connection`, `Upgrade` here, the forwarding fields and the request id later.
    private static let addedFields = 7

    /// Drops the fields, the order of the others kept; leaves room for what an edge adds.
    ///
    /// - Parameters:
    ///   - fields: The fields to forward.
    ///   - direction: `TE: trailers` survives in requests only.
    ///   - upgrade: The protocol of an accepted upgrade (`websocket`), whose `Connection: Upgrade` and
    ///     `Upgrade` are then set anew; default none.
    package static func drop(
        from fields: inout HTTPFields,
        direction: Direction,
        upgrade: String? = nil
    ) {
        var named: [Substring.UTF8View] = []
        var acceptsTrailers = false
        for field in fields.storage {
            switch field.name.utf8.count {
            case 10 where field.name.isField("connection"):
                Self.collect(field.value, into: &named)
            case 2 where direction == .request && field.name.isField("te"):
                acceptsTrailers = acceptsTrailers || Self.acceptsTrailers(field.value)
            default:
                continue
            }
        }
        // A new array, with room: the old one is often somebody else's too, and would be copied.
        var kept = HTTPFields()
        kept.reserveCapacity(fields.count + Self.addedFields)
        for field in fields.storage where !Self.isHopByHop(field.name) {
            if !named.isEmpty, named.contains(where: { Self.isSame($0, field.name.utf8) }) {
                continue
            }
            kept.storage.append(field)
        }
        fields = kept
        if acceptsTrailers { fields.append("TE", "trailers") }
        if let upgrade {
            fields.append("Connection", "Upgrade")
            fields.append("Upgrade", upgrade)
        }
    }

    /// Whether a field of this name never crosses, whatever `Connection` says.
    package static func isHopByHop(_ name: String) -> Bool {
        switch name.utf8.count {
        case 2: name.isField("te")
        case 7: name.isField("upgrade") || name.isField("trailer")
        case 10: name.isField("connection") || name.isField("keep-alive")
        case 14: name.isField("http2-settings")
        case 16: name.isField("proxy-connection")
        case 17: name.isField("transfer-encoding")
        case 18: name.isField("proxy-authenticate")
        case 19: name.isField("proxy-authorization")
        case 25: name.isField("proxy-authentication-info")
        default: false
        }
    }

    private static func collect(_ value: String, into named: inout [Substring.UTF8View]) {
        for option in FieldListElements(value) {
            guard named.count < self.maxConnectionOptions else { return }
            if option.equalsLowercase("close") || option.equalsLowercase("keep-alive") { continue }
            if option.equalsLowercase("upgrade") || self.isProtected(option) { continue }
            named.append(option)
        }
    }

    /// Whether `TE` lists `trailers`, which takes no weight (RFC 9110 §10.1.4).
    private static func acceptsTrailers(_ value: String) -> Bool {
        FieldListElements(value).contains { $0.equalsLowercase("trailers") }
    }

    private static func isSame(_ left: Substring.UTF8View, _ right: String.UTF8View) -> Bool {
        guard left.count == right.count else { return false }
        return left.elementsEqual(right) { $0.asciiLowercased == $1.asciiLowercased }
    }

    private static let protectedPrefixes: [StaticString] = [
        "x-forwarded-", "content-", "sec-", "if-", "accept", "access-control-", "culvert-",
    ]
    private static let protectedNames: [StaticString] = [
        "host", "authorization", "cookie", "set-cookie", "forwarded", "x-real-ip", "x-request-id",
        "via", "cache-control", "date", "expires", "age", "vary", "etag", "last-modified",
        "location",
        "range", "expect", "origin", "referer", "user-agent", "server", "www-authenticate",
        "strict-transport-security", "x-frame-options", "x-api-key", "x-csrf-token",
    ]

    /// Whether naming it in `Connection` has no effect.
    static func isProtected(_ name: Substring.UTF8View) -> Bool {
        for prefix in self.protectedPrefixes where name.count >= prefix.utf8CodeUnitCount {
            if name.prefix(prefix.utf8CodeUnitCount).equalsLowercase(prefix) { return true }
        }
        return self.protectedNames.contains { name.equalsLowercase($0) }
    }
}
