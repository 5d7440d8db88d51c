import HTTPSemantics

/// How the body of a request is delimited on the origin's connection (RFC 9112 §6).
enum RequestFraming: Equatable {
    case none
    /// By the Content-Length that the head carries.
    case length(Int)
    /// By a Content-Length that the connector adds, having collected the body.
    case addedLength(Int)
    case chunked
}

/// What a request's head says about its exchange, read in one pass.
struct RequestTraits: Equatable {
    /// The body's length, when the head carries it.
    var contentLength: Int?
    /// Whether the head's lengths are no numbers, or differ.
    var isMalformed = false
    /// Whether the visitor asked for another protocol: `Upgrade`, and no body (RFC 9110 §7.8).
    var asksUpgrade = false
    var expectsContinue = false
    var isHead = false
    /// GET and HEAD: a body would be unusual (RFC 9110 §9.3.1), so that its framing can wait.
    var rarelyHasBody = false
    /// RFC 9110 §9.2.2; methods that are not known there count as not idempotent.
    var isIdempotent = false

    init() {}

    init(_ head: RequestHead) {
        switch head.method {
        case "GET": (self.rarelyHasBody, self.isIdempotent) = (true, true)
        case "HEAD": (self.isHead, self.rarelyHasBody, self.isIdempotent) = (true, true, true)
        case "PUT", "DELETE", "OPTIONS", "TRACE": self.isIdempotent = true
        default: break
        }
        for field in head.fields.storage {
            switch field.name.utf8.count {
            case 6 where field.name.equalsIgnoringASCIICase("expect"):
                self.expectsContinue = true
            case 7 where field.name.equalsIgnoringASCIICase("upgrade"):
                self.asksUpgrade = true
            case 14 where field.name.equalsIgnoringASCIICase("content-length"):
                let length = ParsedHead.contentLength(field.value)
                if length == nil || length != self.contentLength ?? length {
                    self.isMalformed = true
                }
                self.contentLength = length
            default: break
            }
        }
        if self.contentLength ?? 0 > 0 { self.asksUpgrade = false }
    }
}
