internal import NIOHTTP1

/// Finds what to answer a request with.
struct StatusRouter: Sendable {
    /// What a request gets.
    enum Decision: Sendable {
        /// Without asking anybody.
        case answer(StatusAnswer)
        /// Whatever this returns; it may take long.
        case ask(@Sendable () -> StatusAnswer)
    }

    let routes: StatusRoutes.Routes
    /// For the 404.
    private let index: StatusAnswer

    init(routes: StatusRoutes.Routes) {
        self.routes = routes
        let paths = routes.keys.sorted().joined(separator: "\n")
        self.index = .text("There is nothing at this path. These exist:\n\(paths)", status: 404)
    }

    func decide(_ head: HTTPRequestHead) -> Decision {
        guard let route = self.routes[Self.path(of: head.uri)] else { return .answer(self.index) }
        guard head.method == .GET || head.method == .HEAD else {
            return .answer(.text("Only GET and HEAD are served here.", status: 405))
        }
        guard !Self.hasBody(head.headers) else {
            return .answer(.text("A request with a body is not served here.", status: 413))
        }
        return .ask(route)
    }

    /// Whether a body follows the head (RFC 9112 §6.3).
    static func hasBody(_ fields: HTTPHeaders) -> Bool {
        if fields.contains(name: "transfer-encoding") { return true }
        return fields["content-length"].contains { $0 != "0" }
    }

    /// The path of a request target in origin or absolute form (RFC 9112 §3.2), without its query.
    static func path(of target: String) -> String {
        var rest = Substring(target)
        if !rest.hasPrefix("/"), let scheme = rest.range(of: "://") {
            let authority = rest[scheme.upperBound...]
            rest = authority.firstIndex { $0 == "/" || $0 == "?" }.map { authority[$0...] } ?? "/"
        }
        let path = rest.prefix { $0 != "?" && $0 != "#" }
        return path.isEmpty ? "/" : String(path)
    }
}

extension Substring {
    /// Where `text`, which is not empty, first occurs.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = self.startIndex
        while start < self.endIndex {
            if self[start...].hasPrefix(text) {
                return start..<self.index(start, offsetBy: text.count)
            }
            start = self.index(after: start)
        }
        return nil
    }
}
