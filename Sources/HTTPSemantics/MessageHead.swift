/// A request's control data and fields (RFC 9110 §6.2), free of any HTTP version.
package struct RequestHead: Sendable, Equatable {
    /// The method, case-sensitive.
    package var method: String
    /// `http` or `https`: how the visitor reached the edge.
    package var scheme: String
    /// The normalised host, with `:port` only when the port is not the scheme's own.
    package var authority: String
    /// The request target in origin-form, or `*`; never empty.
    package var path: String
    /// The fields, without `Host`: the authority takes its place.
    package var fields: HTTPFields

    package init(
        method: String,
        scheme: String,
        authority: String,
        path: String,
        fields: HTTPFields = HTTPFields()
    ) {
        self.method = method
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.fields = fields
    }
}

/// A response's control data and fields; 1xx statuses are interim heads (RFC 9110 §15.2).
package struct ResponseHead: Sendable, Equatable {
    /// 100...999.
    package var status: UInt16
    /// The reason phrase as the origin sent it; empty when it sent none (HTTP/2 has none).
    package var reason: String
    /// The header fields; trailers are kept apart.
    package var fields: HTTPFields

    package init(status: UInt16, reason: String = "", fields: HTTPFields = HTTPFields()) {
        self.status = status
        self.reason = reason
        self.fields = fields
    }

    /// Whether another head follows this one: 1xx other than 101, which ends HTTP on the stream.
    package var isInterim: Bool { (100..<200).contains(self.status) && self.status != 101 }
}
