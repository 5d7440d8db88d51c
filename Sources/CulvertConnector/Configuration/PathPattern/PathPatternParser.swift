/// Reads RE2's syntax, with Perl's extensions on, as Go's `regexp.Compile` has them.
struct PathPatternParser {
    /// The deepest nesting of groups.
    private static let maximumDepth = 100
    /// The largest count in `{n,m}`, RE2's own.
    private static let maximumCount = 1_000

    struct Flags {
        var foldsCase = false
        var isMultiline = false
        var dotIsAll = false
    }

    let text: [Unicode.Scalar]
    var position = 0
    var flags = Flags()
    private var depth = 0

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    mutating func parse() throws(PathPattern.Malformed) -> PathExpression {
        let expression = try self.alternatives()
        guard self.peek == nil else { throw self.error("unexpected )") }
        return expression
    }

    var peek: Unicode.Scalar? {
        self.position < self.text.count ? self.text[self.position] : nil
    }

    mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        guard self.peek == scalar else { return false }
        self.position += 1
        return true
    }

    mutating func accept(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        guard self.text[self.position...].starts(with: scalars) else { return false }
        self.position += scalars.count
        return true
    }

    func error(_ message: String, from start: Int? = nil) -> PathPattern.Malformed {
        guard let start else { return PathPattern.Malformed(message: message) }
        let part = String(String.UnicodeScalarView(self.text[start..<self.position]))
        return PathPattern.Malformed(message: "\(message): `\(part)`")
    }

    private mutating func alternatives() throws(PathPattern.Malformed) -> PathExpression {
        var parts = [try self.sequence()]
        while self.accept("|" as Unicode.Scalar) { parts.append(try self.sequence()) }
        return parts.count == 1 ? parts[0] : .alternatives(parts)
    }

    private mutating func sequence() throws(PathPattern.Malformed) -> PathExpression {
        var parts: [PathExpression] = []
        while let scalar = self.peek, scalar != "|", scalar != ")" {
            if self.accept("\\Q") {
                parts += self.quoted()
                // What follows repeats the last letter only.
                if let last = parts.popLast() { parts.append(try self.repetitions(of: last)) }
                continue
            }
            guard let atom = try self.atom() else { continue }
            parts.append(try self.repetitions(of: atom))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    /// What stands between `\Q` and `\E`, letter by letter.
    private mutating func quoted() -> [PathExpression] {
        var parts: [PathExpression] = []
        while let scalar = self.peek, !self.accept("\\E") {
            self.position += 1
            parts.append(.scalars(PathScalarSet(scalar, foldsCase: self.flags.foldsCase)))
        }
        return parts
    }

    /// One thing that can be repeated, or nil for a group that only sets flags.
    private mutating func atom() throws(PathPattern.Malformed) -> PathExpression? {
        let start = self.position
        guard let scalar = self.peek else { return nil }
        self.position += 1
        switch scalar {
        case "(":
            return try self.group(from: start)
        case "[":
            return .scalars(try self.characterClass(from: start))
        case ".":
            return .scalars(
                PathScalarSet(self.flags.dotIsAll ? [] : [0x0A...0x0A], isNegated: true)
            )
        case "^":
            return .assertion(self.flags.isMultiline ? .lineStart : .textStart)
        case "$":
            return .assertion(self.flags.isMultiline ? .lineEnd : .textEnd)
        case "*", "+", "?":
            throw self.error("missing argument to repetition operator", from: start)
        case "{":
            let end = self.position
            self.position = start
            if try self.counts() != nil {
                throw self.error("missing argument to repetition operator", from: start)
            }
            self.position = end
            return .scalars(PathScalarSet(scalar))
        case "\\":
            return try self.escape(from: start)
        default:
            return .scalars(PathScalarSet(scalar, foldsCase: self.flags.foldsCase))
        }
    }

    private mutating func repetitions(
        of atom: PathExpression
    ) throws(PathPattern.Malformed) -> PathExpression {
        let start = self.position
        guard let (minimum, maximum) = try self.repetition() else { return atom }
        _ = self.accept("?" as Unicode.Scalar)
        if try self.repetition() != nil {
            throw self.error("invalid nested repetition operator", from: start)
        }
        return .repetition(atom, minimum: minimum, maximum: maximum)
    }

    private mutating func repetition() throws(PathPattern.Malformed) -> (Int, Int?)? {
        if self.accept("*" as Unicode.Scalar) { return (0, nil) }
        if self.accept("+" as Unicode.Scalar) { return (1, nil) }
        if self.accept("?" as Unicode.Scalar) { return (0, 1) }
        return self.peek == "{" ? try self.counts() : nil
    }

    /// `{n}`, `{n,}` or `{n,m}`; nil, with nothing read, when the brace is only a brace.
    private mutating func counts() throws(PathPattern.Malformed) -> (Int, Int?)? {
        let start = self.position
        self.position += 1
        let minimum = self.number()
        var maximum = minimum
        if minimum != nil, self.accept("," as Unicode.Scalar) { maximum = self.number() }
        guard let minimum, self.accept("}" as Unicode.Scalar) else {
            self.position = start
            return nil
        }
        let isOrdered = maximum.map { $0 >= minimum } ?? true
        guard isOrdered, max(minimum, maximum ?? 0) <= Self.maximumCount else {
            throw self.error("invalid repeat count", from: start)
        }
        return (minimum, maximum)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let scalar = self.peek, ("0"..."9").contains(scalar) {
            self.position += 1
            value = min((value ?? 0) * 10 + Int(scalar.value - 0x30), 1_000_000)
        }
        return value
    }

    private mutating func group(
        from start: Int
    ) throws(PathPattern.Malformed) -> PathExpression? {
        let outer = self.flags
        if self.accept("?P<") || self.accept("?<") {
            while let scalar = self.peek, scalar != ">" {
                guard
                    scalar == "_" || (scalar.isASCII && scalar.properties.isAlphabetic)
                        || ("0"..."9").contains(scalar)
                else { throw self.error("invalid named capture", from: start) }
                self.position += 1
            }
            guard self.accept(">" as Unicode.Scalar) else {
                throw self.error("invalid named capture", from: start)
            }
        } else if self.accept("?" as Unicode.Scalar) {
            if try self.setFlags(from: start) { return nil }
        }
        self.depth += 1
        defer { self.depth -= 1 }
        guard self.depth <= Self.maximumDepth else {
            throw self.error("expression nests too deeply")
        }
        let inner = try self.alternatives()
        guard self.accept(")" as Unicode.Scalar) else { throw self.error("missing closing )") }
        self.flags = outer
        return inner
    }

    /// `i`, `m`, `s`, `U`, `-` up to `:` or `)`; true when the group ends there and is flags only.
    private mutating func setFlags(from start: Int) throws(PathPattern.Malformed) -> Bool {
        var isOn = true
        while let scalar = self.peek {
            self.position += 1
            switch scalar {
            case "i": self.flags.foldsCase = isOn
            case "m": self.flags.isMultiline = isOn
            case "s": self.flags.dotIsAll = isOn
            // Greed decides what a group captures, never whether there is a match.
            case "U": break
            case "-" where isOn: isOn = false
            case ":": return false
            case ")": return true
            default: throw self.error("invalid or unsupported Perl syntax", from: start)
            }
        }
        throw self.error("missing closing )")
    }
}
