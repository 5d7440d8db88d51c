/// The first digit of a final status, as the label `code` has it.
enum StatusClass: Int, CaseIterable {
    /// The exchange ended before any final status.
    case none = 0
    /// 101, an upgrade.
    case informational
    case successful
    case redirection
    case clientError
    case serverError

    init(_ status: Int) { self = StatusClass(rawValue: status / 100) ?? .none }

    var label: String { self == .none ? "none" : "\(self.rawValue)xx" }
}
