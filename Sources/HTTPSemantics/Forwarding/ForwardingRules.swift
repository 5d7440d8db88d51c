/// What the edge knows of a visitor's connection; made once per connection.
package struct VisitorConnection: Sendable {
    /// The peer's address as text, IPv4-mapped ones as IPv4.
    package let address: String
    /// `http` or `https`.
    package let scheme: String
    /// Whether the peer is a proxy whose own forwarding fields are believed.
    package let isTrustedProxy: Bool
    private let trustedProxies: [AddressRange]

    /// Decides whether the peer is trusted.
    ///
    /// - Parameters:
    ///   - peer: The other end of the TCP connection.
    ///   - scheme: `http` or `https`.
    ///   - trustedProxies: Default none: nobody's fields are believed.
    package init(peer: IPAddress, scheme: String, trustedProxies: [AddressRange] = []) {
        self.address = "\(peer.unmapped)"
        self.scheme = scheme
        self.trustedProxies = trustedProxies
        self.isTrustedProxy = trustedProxies.contains { $0.contains(peer) }
    }

    fileprivate func isTrusted(_ address: IPAddress) -> Bool {
        self.trustedProxies.contains { $0.contains(address) }
    }
}

/// What an origin is told of a visitor: `X-Forwarded-For`, `-Proto`, `-Host` and `X-Request-Id`.
///
/// | field | visitor | trusted proxy |
/// |---|---|---|
/// | `X-Forwarded-For` | the peer's address, alone | appended to what came, all lines joined |
/// | `X-Forwarded-Proto` | the connection's scheme | kept when one line of `http` or `https` |
/// | `X-Forwarded-Host` | the request's authority | kept when one line that is a valid host |
/// | `Forwarded`, `X-Real-IP`, other `X-Forwarded-…`, other edges' address fields | dropped | kept |
/// | `X-Request-Id` | kept when one line of `[A-Za-z0-9._-]{1,128}`, else made | the same |
/// | `Proxy`, `Culvert-…`, spellings that shadow any of these | dropped | dropped |
///
/// No `Via` is added, though RFC 9110 §7.6.3 asks gateways for it on requests: nginx, HAProxy and
/// Envoy add none by default, origins turn compression off for it (nginx `gzip_proxied`), and it
/// would tell every origin's logs about the edge's inside. One that came is passed on unchanged; what ends
/// loops is ``PassCount``. No
/// `X-Forwarded-Port` either: the port is in `X-Forwarded-Host` when it is not the scheme's own.
package enum ForwardingRules {
    /// The longest request id that is kept.
    package static let maxRequestIDBytes = 128

    /// Sets the fields on a request that is about to enter the tunnel; run `HopByHop` before.
    ///
    /// - Parameters:
    ///   - head: Its authority and fields are read, its fields changed.
    ///   - connection: Where it came from.
    ///   - randomBits: 128 fresh random bits, used for the request id if one has to be made.
    /// - Returns: The request id, for logs.
    @discardableResult
    package static func apply(
        to head: inout RequestHead,
        from connection: VisitorConnection,
        randomBits: UInt128
    ) -> String {
        var came = Claims()
        let isTrusted = connection.isTrustedProxy
        head.fields.storage.removeAll { field in
            switch EdgeField(field.name) {
            case .none: return false
            case .refused: return true
            case .visitorClaim: return !isTrusted
            case .forwardedFor: came.addresses.append(field.value)
            case .forwardedProto: came.proto.add(field.value)
            case .forwardedHost: came.host.add(field.value)
            case .requestID: came.requestID.add(field.value)
            }
            return true
        }
        var addresses = connection.address
        var proto = connection.scheme
        var host = head.authority
        if isTrusted {
            if came.addresses.contains(where: { !$0.isEmpty }) {
                addresses = (came.addresses.filter { !$0.isEmpty } + [addresses]).joined(
                    separator: ", "
                )
            }
            if let kept = came.proto.value, kept == "http" || kept == "https" { proto = kept }
            if let kept = came.host.value, (try? NormalizedAuthority(kept)) != nil { host = kept }
        }
        var requestID = came.requestID.value ?? ""
        if !self.isSaneRequestID(requestID) { requestID = self.makeRequestID(randomBits) }
        head.fields.append("X-Forwarded-For", addresses)
        head.fields.append("X-Forwarded-Proto", proto)
        head.fields.append("X-Forwarded-Host", host)
        head.fields.append("X-Request-Id", requestID)
        return requestID
    }

    /// Whose request it is: the peer's, or, behind trusted proxies, that of the last address in
    /// `X-Forwarded-For` which is none of theirs.
    ///
    /// - Parameters:
    ///   - head: After `apply`.
    ///   - connection: Where it came from.
    /// - Returns: An address; the peer's when there is no such one, or something that is no address stands
    ///   before it.
    package static func client(
        of head: RequestHead,
        over connection: VisitorConnection
    ) -> String {
        guard connection.isTrustedProxy, let value = head.fields.first("X-Forwarded-For") else {
            return connection.address
        }
        for element in FieldListElements(value).reversed() {
            guard let address = IPAddress(String(Substring(element))) else { break }
            if !connection.isTrusted(address) { return "\(address.unmapped)" }
        }
        return connection.address
    }

    /// Whether a request id can go into logs and fields as it is.
    package static func isSaneRequestID(_ text: String) -> Bool {
        (1...self.maxRequestIDBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                $0.isASCIIAlphanumeric || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F
            }
    }

    /// 32 lower-case hexadecimal digits.
    package static func makeRequestID(_ bits: UInt128) -> String {
        String(unsafeUninitializedCapacity: 32) { buffer in
            var rest = bits
            for index in stride(from: 31, through: 0, by: -1) {
                let digit = UInt8(truncatingIfNeeded: rest & 15)
                buffer[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
                rest >>= 4
            }
            return 32
        }
    }

    /// What came with the request.
    private struct Claims {
        var addresses: [String] = []
        var proto = Single()
        var host = Single()
        var requestID = Single()
    }

    /// A field that counts only when it stands alone.
    private struct Single {
        private var first: String?
        private var isRepeated = false

        mutating func add(_ value: String) {
            self.isRepeated = self.first != nil
            self.first = value
        }

        var value: String? { self.isRepeated ? nil : self.first }
    }
}
