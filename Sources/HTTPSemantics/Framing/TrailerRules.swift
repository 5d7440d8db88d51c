/// Which fields may not come after the body (RFC 9110 §6.5.1).
///
/// Framing, routing, authentication, request modifiers, response control data and what says how to
/// read the content: too late there, and an origin that merges trailers into its fields would take
/// them for checked ones. They are dropped, the others cross (RFC 9112 §7.1.2 allows either).
package enum TrailerRules {
    private static let prefixes: [StaticString] = [
        "x-forwarded-", "if-", "proxy-", "content-", "access-control-", "culvert-", "sec-",
    ]
    private static let names: [StaticString] = [
        "host", "authorization", "cookie", "set-cookie", "www-authenticate", "forwarded", "range",
        "expect", "max-forwards", "cache-control", "pragma", "age", "date", "expires", "location",
        "retry-after", "vary", "warning", "x-request-id", "x-real-ip", "via", "origin", "referer",
        "x-http-method-override",
    ]

    /// Whether a field of this name is dropped from trailers; one that is no token is too.
    package static func isForbidden(_ name: String) -> Bool {
        guard MessageFraming.isFieldName(name) else { return true }
        // Digests are made for trailers, though they begin like the fields that say what content is.
        if name.isField("content-digest") || name.isField("content-md5") { return false }
        if HopByHop.isHopByHop(name) || EdgeField(name) != .none { return true }
        let utf8 = name.utf8
        for prefix in self.prefixes
        where utf8.prefix(prefix.utf8CodeUnitCount).equalsLowercase(prefix) {
            return true
        }
        return self.names.contains { utf8.equalsLowercase($0) }
    }

    /// Drops what is forbidden, and fields whose value has a control character.
    package static func dropForbidden(from trailers: inout HTTPFields) {
        trailers.storage.removeAll {
            self.isForbidden($0.name) || !MessageFraming.isFieldValue($0.value)
        }
    }
}
