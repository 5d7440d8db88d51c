/// The labels of one series, in the order given, written as Prometheus reads them.
///
/// Names are the program's own and checked when the labels are made: `[a-zA-Z_][a-zA-Z0-9_]*`, each once,
/// not `le` and not beginning with two underscores. Values may be anything.
package struct MetricLabels: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// For the only series of its name.
    package static let none: MetricLabels = [:]

    /// `name="value",…`, escaped, without braces; empty for none.
    let text: String

    package init(dictionaryLiteral elements: (String, String)...) { self.init(elements) }

    /// Escapes the values; a name that is malformed or comes twice stops the program.
    package init(_ labels: [(name: String, value: String)]) {
        var text = ""
        var names: Set<String> = []
        for (name, value) in labels {
            precondition(Self.isName(name) && names.insert(name).inserted, "label \(name)")
            if !text.isEmpty { text += "," }
            text += name
            text += "=\""
            Self.escape(value, into: &text)
            text += "\""
        }
        self.text = text
    }

    private init(text: String) { self.text = text }

    /// These, and `others` after them, whose names have to be others.
    func with(_ others: MetricLabels) -> MetricLabels {
        if self.text.isEmpty { return others }
        if others.text.isEmpty { return self }
        return MetricLabels(text: self.text + "," + others.text)
    }

    private static func isName(_ name: String) -> Bool {
        MetricName.isValid(name) && !name.contains(":") && !name.hasPrefix("__") && name != "le"
    }

    /// Backslash, double quote and newline are escaped; nothing else is special.
    private static func escape(_ value: String, into text: inout String) {
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}

/// The grammar of metric names: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
enum MetricName {
    static func isValid(_ name: String) -> Bool {
        var isFirst = true
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_"), UInt8(ascii: ":"):
                break
            case UInt8(ascii: "0")...UInt8(ascii: "9") where !isFirst:
                break
            default:
                return false
            }
            isFirst = false
        }
        return !isFirst
    }
}
