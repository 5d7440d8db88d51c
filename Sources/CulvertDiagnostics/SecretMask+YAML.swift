import Foundation

extension SecretMask {
    /// A configuration file's text without secrets, line by line, so that places stay what they are; its
    /// secrets are learned.
    ///
    /// From a key that looks like one of a secret on, the rest of the line goes, and every line that is
    /// indented deeper; so does what an alias in its place stands for. It need not be valid YAML.
    package mutating func masked(yaml text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var found = Self.walk(lines, anchors: [])
        let aliases = found.values.flatMap { $0.matches(of: /\*([\w\-]+)/).map(\.1) }
        if !aliases.isEmpty { found = Self.walk(lines, anchors: Set(aliases)) }
        for value in found.values { self.learn(value: value) }
        return self.masked(found.lines.joined(separator: "\n"))
    }

    /// The lines without secrets, and what was taken out of them.
    private static func walk(
        _ lines: [Substring],
        anchors: Set<Substring>
    ) -> (lines: [String], values: [Substring]) {
        var values: [Substring] = []
        var depth: Int?
        let masked = lines.map { line -> String in
            let indentation = line.prefix { $0 == " " || $0 == "\t" }.count
            let rest = line.dropFirst(indentation)
            if let column = depth {
                guard !rest.isEmpty else { return "" }
                if indentation > column || indentation == column && rest.hasPrefix("- ") {
                    values.append(rest)
                    return String(line.prefix(indentation)) + self.mark
                }
                depth = nil
            }
            guard let start = self.secretStart(line, anchors) else { return String(line) }
            depth = self.column(line)
            let value = line[start...]
            guard !value.allSatisfy({ $0 == " " || $0 == "\r" }) else { return String(line) }
            values.append(value)
            return "\(line[..<start]) \(self.mark)"
        }
        return (masked, values)
    }

    /// Where the value of the first secret of a line begins: behind its key, or at an anchor.
    private static func secretStart(_ line: Substring, _ anchors: Set<Substring>) -> String.Index? {
        let keys = line.matches(of: /["']?([A-Za-z][\w.\-]*)["']?[ \t]*:(?=[\s"'{\[]|$)/)
        let key = keys.first { self.isSecret(key: $0.1) }?.range.upperBound
        let anchor = line.matches(of: /&([\w\-]+)/).first { anchors.contains($0.1) }?.range
        guard let anchor else { return key }
        return min(key ?? anchor.upperBound, anchor.upperBound)
    }

    /// Where what a line says begins, behind the dashes of lists.
    private static func column(_ line: Substring) -> Int {
        line.prefix { $0 == " " || $0 == "\t" || $0 == "-" }.count
    }

    /// Learns a secret's value, and its parts where it has some: `ann: x`, `[a, b]`, `ann:x`.
    private mutating func learn(value: Substring) {
        let value = value.replacing(/(?:^|[ \t])#.*$/, with: "")
        let part = /"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"'{}\[\],][^"'{}\[\],]*)/
        for match in value.matches(of: part) {
            let isKey = value[match.range.upperBound...].hasPrefix(":")
            let text = match.1 ?? match.2 ?? match.3 ?? ""
            guard !isKey, !text.hasSuffix(":") else { continue }
            // The name before a colon is a key, or a user's.
            let scalar = match.3 == nil ? text : text.split(separator: ": ").last ?? text
            self.learn(String(scalar.drop { $0 == "-" || $0 == " " }))
            self.learn(String(scalar.split(separator: ":").last ?? scalar))
        }
    }
}
