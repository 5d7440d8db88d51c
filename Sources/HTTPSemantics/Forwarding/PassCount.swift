/// How often a request has come by this edge: a rule whose service is a hostname of the same edge leads it
/// back here, for ever.
///
/// Counted by `CDN-Loop` (RFC 8586), in which each edge on a request's way has a line of its own. What a visitor
/// claims there can only end his own request.
package struct PassCount: Sendable {
    /// How often a request may come by. One that was forwarded on purpose, by an application that calls another one
    /// through the same edge with the fields that it got itself, does so a few times.
    package static let maximum = 8

    /// What this edge is called there.
    private let name: String

    /// - Parameter name: The host by which the edge is known, in lower case.
    package init(name: String) { self.name = name }

    /// Adds this pass to a request that is about to enter the tunnel.
    ///
    /// - Parameter fields: The request's.
    /// - Returns: Whether it may go on; false when it has come by as often as it may.
    package func add(to fields: inout HTTPFields) -> Bool {
        var count = 0
        for field in fields.storage where field.name.isField("cdn-loop") {
            for element in FieldListElements(field.value) where self.isOwn(element) { count += 1 }
        }
        guard count < Self.maximum else { return false }
        fields.append("CDN-Loop", self.name)
        return true
    }

    /// Whether an element names this edge; parameters behind it do not matter.
    private func isOwn(_ element: Substring.UTF8View) -> Bool {
        let end = element.firstIndex(of: 0x3B) ?? element.endIndex
        let id = element[..<end].trimmingOptionalWhitespace
        return id.elementsEqual(self.name.utf8) { $0.asciiLowercased == $1 }
    }
}
