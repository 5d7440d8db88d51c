import Foundation

extension SecretMask {
    /// A configuration file's text without secrets, line by line, so that places stay what they are; its
    /// secrets are learned.
    ///
    /// From a key that looks like one of a secret on, the rest of the line goes, and every line that is
    /// indented deeper or belongs to an open bracket or quote; so does what an alias in its place stands for.
    /// Comments go as a whole: nobody can tell what was once put into one. It need not be valid YAML.
    package mutating func masked(yaml text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var found = Self.walk(lines, anchors: [])
        let aliases = found.values.flatMap { $0.matches(of: /\*([\w\-]+)/).map(\.1) }
        if !aliases.isEmpty { found = Self.walk(lines, anchors: Set(aliases)) }
        for value in found.values { self.learn(value: value) }
        return self.masked(found.lines.joined(separator: "\n"))
    }

    /// The lines without secrets and comments, and the secrets that were taken out of them.
    private static func walk(
        _ lines: [Substring],
        anchors: Set<Substring>
    ) -> (lines: [String], values: [Substring]) {
        var values: [Substring] = []
        var section: (column: Int, value: OpenValue)?
        let masked = lines.map { line -> String in
            let indentation = line.prefix { $0 == " " || $0 == "\t" }.count
            let rest = line.dropFirst(indentation)
            if let (column, open) = section {
                guard !rest.isEmpty else { return "" }
                let isDeeper =
                    indentation > column || indentation == column && rest.hasPrefix("- ")
                if open.isOpen || isDeeper || rest.hasPrefix("#") {
                    section?.value.scan(rest)
                    if !rest.hasPrefix("#") { values.append(rest) }
                    return line.prefix(indentation) + (rest.hasPrefix("#") ? "# " : "") + self.mark
                }
                section = nil
            }
            let (content, comment) = self.parts(of: line)
            if let comment, let start = self.secretStart(comment, anchors) {
                values.append(comment[start...])
            }
            let remark = comment == nil ? "" : "# \(self.mark)"
            guard let start = self.secretStart(content, anchors) else { return content + remark }
            var value = OpenValue()
            value.scan(line[start...])
            section = (self.column(line), value)
            guard !content[start...].allSatisfy({ $0 == " " || $0 == "\r" }) else {
                return content + remark
            }
            values.append(line[start...])
            return "\(line[..<start]) \(self.mark)"
        }
        return (masked, values)
    }

    /// A line before and from its comment on; one that is in quotes counts as well.
    private static func parts(of line: Substring) -> (content: Substring, comment: Substring?) {
        guard let start = line.firstMatch(of: /(?:^|[ \t])#/)?.range.upperBound else {
            return (line, nil)
        }
        let sign = line.index(before: start)
        return (line[..<sign], line[sign...])
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

/// Whether a value goes on in the next line, whatever that is indented by: a bracket or a quote is open.
private struct OpenValue {
    private var brackets = 0
    private var quote: Character?

    var isOpen: Bool { self.brackets > 0 || self.quote != nil }

    /// Reads on; a comment counts for nothing.
    mutating func scan(_ line: Substring) {
        var previous: Character = " "
        var isEscaped = false
        for character in line {
            defer { previous = character }
            if let quote {
                let isEnd = character == quote && !isEscaped
                isEscaped = quote == "\"" && character == "\\" && !isEscaped
                if isEnd { self.quote = nil }
                continue
            }
            let isStart = " \t[{,:-".contains(previous)
            switch character {
            case "#" where previous == " " || previous == "\t": return
            case "\"" where isStart, "'" where isStart || previous == "'": self.quote = character
            case "[" where isStart || self.isOpen, "{" where isStart || self.isOpen:
                self.brackets += 1
            case "]", "}": self.brackets = max(0, self.brackets - 1)
            default: break
            }
        }
    }
}
