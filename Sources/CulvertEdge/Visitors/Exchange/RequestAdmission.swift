import HTTP2Wire
import HTTPSemantics

/// The door between what a visitor sent and what an origin gets: control data, hop-by-hop fields,
/// forwarding fields, request id. The one place where visitors meet the rules of HTTPSemantics.
/// One per connection.
struct RequestAdmission {
    let visitor: VisitorInfo
    private let isAuthoritative: @Sendable (_ serverName: String, _ host: String) -> Bool
    private let passes: PassCount?
    /// Random, unlike that of any other connection; the upper half of the ids made here.
    private let idPrefix: UInt64
    private var requestCount: UInt64

    /// - Parameters:
    ///   - visitor: Whose connection it is.
    ///   - randomness: 128 fresh random bits.
    ///   - passes: Counts how often a request comes by; nil when nobody does.
    ///   - isAuthoritative: Whether SNI and host share a certificate; false is answered with 421.
    init(
        visitor: VisitorInfo,
        randomness: UInt128,
        passes: PassCount?,
        isAuthoritative: @escaping @Sendable (String, String) -> Bool
    ) {
        self.visitor = visitor
        self.passes = passes
        self.idPrefix = UInt64(truncatingIfNeeded: randomness >> 64)
        self.requestCount = UInt64(truncatingIfNeeded: randomness)
        self.isAuthoritative = isAuthoritative
    }

    /// Admits an HTTP/1 request.
    ///
    /// - Throws: `EdgeFailure`: 400, 405, 421 or 508.
    mutating func admit(_ head: HTTP1RequestHead) throws(EdgeFailure) -> VisitorRequest {
        let control: RequestControlData
        do {
            control = try RequestControlData(
                method: head.method,
                target: head.target,
                hostField: head.fields.first("Host"),
                scheme: self.visitor.connection.scheme
            )
        } catch {
            throw EdgeFailure(error)
        }
        let isHTTP11 = head.minorVersion > 0
        let isUpgrade = WebSocketUpgrade.isRequested(
            method: head.method,
            isHTTP11: isHTTP11,
            fields: head.fields
        )
        return try self.admit(
            method: head.method,
            control: control,
            fields: head.fields,
            version: isHTTP11 ? .http11 : .http10,
            hasBody: head.framing != .none,
            isUpgrade: isUpgrade
        )
    }

    /// Admits an HTTP/2 request; `fields` are without its pseudo-fields.
    ///
    /// - Throws: `EdgeFailure`: 400, 405, 421 or 508.
    mutating func admit(
        _ pseudo: HTTP2PseudoFields,
        fields: HTTPFields,
        hasBody: Bool
    ) throws(EdgeFailure) -> VisitorRequest {
        let control: RequestControlData
        do {
            control = try RequestControlData(
                method: pseudo.method,
                path: pseudo.path,
                authority: pseudo.authority,
                hostField: fields.first("Host"),
                scheme: self.visitor.connection.scheme
            )
        } catch {
            throw EdgeFailure(error)
        }
        return try self.admit(
            method: pseudo.method,
            control: control,
            fields: fields,
            version: .http2,
            hasBody: hasBody,
            isUpgrade: false
        )
    }

    private mutating func admit(
        method: String,
        control: RequestControlData,
        fields: HTTPFields,
        version: VisitorProtocol,
        hasBody: Bool,
        isUpgrade: Bool
    ) throws(EdgeFailure) -> VisitorRequest {
        if let serverName = self.visitor.serverName, serverName != control.host.name,
            !self.isAuthoritative(serverName, control.host.name)
        {
            throw .misdirected
        }
        var head = RequestHead(
            method: method,
            scheme: self.visitor.connection.scheme,
            authority: control.authority,
            path: control.path,
            fields: fields
        )
        head.fields.remove("Host")
        HopByHop.drop(
            from: &head.fields,
            direction: .request,
            upgrade: isUpgrade ? "websocket" : nil
        )
        let id = ForwardingRules.apply(
            to: &head,
            from: self.visitor.connection,
            randomBits: self.nextIDBits()
        )
        if let passes, !passes.add(to: &head.fields) { throw .loop(control.host.name) }
        return VisitorRequest(
            head: head,
            host: control.host.name,
            id: id,
            version: version,
            accept: fields.first("Accept") ?? "",
            callType: version == .http2 ? GRPCAnswer.contentType(of: fields) : nil,
            wantsUpgrade: isUpgrade,
            expectsContinue: hasBody && version != .http10
                && fields.listContains("expect", "100-continue"),
            hasBody: hasBody
        )
    }

    /// An id for a request that is not admitted.
    mutating func nextID() -> String { ForwardingRules.makeRequestID(self.nextIDBits()) }

    private mutating func nextIDBits() -> UInt128 {
        self.requestCount &+= 1
        return UInt128(self.idPrefix) << 64 | UInt128(self.requestCount)
    }

    /// What of `trailers` is passed on, nil when nothing is.
    static func trailers(_ trailers: HTTPFields?) -> HTTPFields? {
        guard var kept = trailers else { return nil }
        TrailerRules.dropForbidden(from: &kept)
        return kept.isEmpty ? nil : kept
    }
}

extension EdgeFailure {
    init(_ error: RequestTargetError) {
        self = error == .connectRefused ? .connectRefused : .badRequest("\(error)")
    }

    init(_ error: FramingError) {
        self = .badRequest("\(error)", status: error.status)
    }
}
