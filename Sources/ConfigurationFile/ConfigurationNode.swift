/// A YAML node with its place, aliases and merge keys (`<<`) already resolved.
///
/// Its size is bounded: ``YAMLTree`` counts every node it makes, those that aliases repeat too.
package indirect enum ConfigurationNode: Sendable {
    /// Text as it is read; plain when it is written without quotes: only then can it be null.
    case scalar(String, isPlain: Bool, ConfigurationPlace)
    /// A list's elements, in order.
    case sequence([ConfigurationNode], ConfigurationPlace)
    /// No key twice; what `<<` brings in comes last.
    case mapping([Entry], ConfigurationPlace)

    /// A key and its value.
    package struct Entry: Sendable {
        var key: String
        var place: ConfigurationPlace
        var value: ConfigurationNode
    }

    /// Where it is written; behind an alias, where the anchor is.
    package var place: ConfigurationPlace {
        switch self {
        case .scalar(_, _, let place), .sequence(_, let place), .mapping(_, let place): place
        }
    }

    /// Whether the value was left out or is written `~` or `null`.
    package var isNull: Bool {
        guard case .scalar(let text, isPlain: true, _) = self else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// What it is, for messages: `a list`, `"text"`.
    package var summary: String {
        switch self {
        case .scalar(let text, _, _):
            if self.isNull { return "nothing" }
            return text.count > 60 ? "\"\(text.prefix(60))…\"" : "\"\(text)\""
        case .sequence: return "a list"
        case .mapping: return "a mapping"
        }
    }
}
