/// The request fields by which the edge tells an origin who visits; a visitor's own are not believed.
enum EdgeField: Equatable {
    case forwardedFor, forwardedProto, forwardedHost, requestID
    /// Others that origins read a visitor's address, scheme or host from: `Forwarded`, any
    /// `X-Forwarded-…`, `X-Real-IP`, and the address fields of other edges, which an application
    /// moved here from there still trusts.
    case visitorClaim
    /// Never passed on, from whomever: `Proxy` (a CGI's HTTP_PROXY), the `Culvert-…` namespace, and a
    /// spelling that shadows one of the edge's own or a hop-by-hop field in an origin that folds
    /// punctuation as CGI and WSGI do (`X_Forwarded-For`, `Transfer_Encoding`).
    case refused
    /// Not the edge's business.
    case none

    init(_ name: String) {
        let utf8 = name.utf8
        let isOdd = utf8.contains { !$0.isASCIIAlphanumeric && $0 != 0x2D }
        guard isOdd else {
            self = Self.claim(utf8)
            return
        }
        let shadows = Self.claim(utf8) != .none || Self.isFoldedHopByHop(utf8)
        self = shadows ? .refused : .none
    }

    private static let claims: [StaticString] = [
        "forwarded", "x-real-ip", "cf-connecting-ip", "cf-connecting-ipv6", "true-client-ip",
        "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for", "fastly-client-ip",
    ]
    private static let hopByHop: [StaticString] = [
        "content-length", "transfer-encoding", "keep-alive", "proxy-connection",
        "proxy-authorization", "proxy-authenticate", "http2-settings",
    ]

    /// Compares with punctuation folded, so that exact and shadowing spellings meet.
    private static func claim(_ name: String.UTF8View) -> EdgeField {
        switch name.first.map(\.asciiLowercased) {
        case 0x78:  // x
            if self.folds(name, to: "x-forwarded-for") { return .forwardedFor }
            if self.folds(name, to: "x-forwarded-proto") { return .forwardedProto }
            if self.folds(name, to: "x-forwarded-host") { return .forwardedHost }
            if self.folds(name, to: "x-request-id") { return .requestID }
            if self.folds(name.prefix(12), to: "x-forwarded-") { return .visitorClaim }
        case 0x70 where self.folds(name, to: "proxy"):
            return .refused
        case 0x63 where self.folds(name.prefix(8), to: "culvert-"):
            return .refused
        case 0x63, 0x66, 0x74:  // c, f, t
            break
        default:
            return .none
        }
        return self.claims.contains { self.folds(name, to: $0) } ? .visitorClaim : .none
    }

    private static func isFoldedHopByHop(_ name: String.UTF8View) -> Bool {
        self.hopByHop.contains { self.folds(name, to: $0) }
    }

    private static func folds(_ name: some Collection<UInt8>, to lowercase: StaticString) -> Bool {
        guard name.count == lowercase.utf8CodeUnitCount else { return false }
        var pointer = lowercase.utf8Start
        for byte in name {
            let folded = byte.isASCIIAlphanumeric ? byte.asciiLowercased : 0x2D
            guard folded == pointer.pointee else { return false }
            pointer += 1
        }
        return true
    }
}
