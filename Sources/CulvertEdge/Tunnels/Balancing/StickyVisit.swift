internal import HTTPSemantics

/// A request for a sticky hostname, and what its answer is given so that the next one finds the same
/// connector.
///
/// The cookie is the edge's: an origin neither sees it nor sets it.
package final class StickyVisit: Sendable {
    /// No prefix `__Host-`: visitors without TLS need it as well.
    private static let name: StaticString = "culvert-sticky"

    /// The request as the origin gets it.
    let head: RequestHead
    /// What the visitor brought: values of the cookie, more than one when a page of a neighbouring name
    /// has set it too.
    let cookies: [Substring]
    /// What the answer sets; nil when the visitor has it already.
    private let setValue: String?

    /// Takes the cookie out of a request.
    convenience init(_ head: RequestHead) {
        var head = head
        let cookies = head.fields.takeCookies(Self.name)
        self.init(head, cookies, setting: nil)
    }

    private init(_ head: RequestHead, _ cookies: [Substring], setting value: String?) {
        self.head = head
        self.cookies = cookies
        self.setValue = value
    }

    /// The same visit, with a connector found; `value` is what the cookie has to be, nil when it is.
    func found(_ value: String?) -> StickyVisit {
        value == nil ? self : StickyVisit(self.head, self.cookies, setting: value)
    }

    /// Gives the cookie to the visitor, if need be.
    ///
    /// It lasts as long as the browser's session. A shared cache must not give one visitor's to all
    /// others (RFC 9111 §7.3), so the answer that sets it is made private; where its own Cache-Control
    /// says otherwise the stricter counts (§4.2.1).
    func mark(_ answer: inout ResponseHead) {
        answer.fields.removeSetCookies(Self.name)
        guard let setValue else { return }
        // What the visitor was told to use, if a proxy in front of the edge has its TLS.
        let isSecure = self.head.fields.first("X-Forwarded-Proto") == "https"
        answer.fields.append(
            "Set-Cookie",
            "\(Self.name)=\(setValue); Path=/; HttpOnly; SameSite=Lax"
                + (isSecure ? "; Secure" : "")
        )
        guard !answer.fields.listContains("cache-control", "private"),
            !answer.fields.listContains("cache-control", "no-store")
        else { return }
        answer.fields.append("Cache-Control", "private")
    }
}
