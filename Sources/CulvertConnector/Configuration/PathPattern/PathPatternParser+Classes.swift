/// Escapes and character classes.
extension PathPatternParser {
    /// After a backslash, outside brackets.
    mutating func escape(from start: Int) throws(PathPattern.Malformed) -> PathExpression {
        guard let scalar = self.peek else {
            throw self.error("trailing backslash at end of expression")
        }
        let assertion: PathAssertion? =
            switch scalar {
            case "A": .textStart
            case "z": .textEnd
            case "b": .wordBoundary
            case "B": .notWordBoundary
            default: nil
            }
        if let assertion {
            self.position += 1
            return .assertion(assertion)
        }
        if let set = try self.perlOrUnicodeClass(from: start) { return .scalars(set) }
        let literal = try self.escapedScalar(from: start)
        return .scalars(PathScalarSet(literal, foldsCase: self.flags.foldsCase))
    }

    /// `\d`, `\W`, `\pL`, `\p{Lu}`, `\P{^N}`: the part after the backslash, or nil.
    private mutating func perlOrUnicodeClass(
        from start: Int
    ) throws(PathPattern.Malformed) -> PathScalarSet? {
        let set: PathScalarSet
        switch self.peek {
        case "d": set = .digit
        case "D": set = PathScalarSet.digit.inverted()
        case "s": set = .space
        case "S": set = PathScalarSet.space.inverted()
        case "w": set = .word
        case "W": set = PathScalarSet.word.inverted()
        case "p", "P": return try self.unicodeClass(from: start)
        default: return nil
        }
        self.position += 1
        return set
    }

    private mutating func unicodeClass(
        from start: Int
    ) throws(PathPattern.Malformed) -> PathScalarSet {
        var isNegated = self.peek == "P"
        self.position += 1
        var name = ""
        if self.accept("{" as Unicode.Scalar) {
            if self.accept("^" as Unicode.Scalar) { isNegated.toggle() }
            while let scalar = self.peek, scalar != "}" {
                name.unicodeScalars.append(scalar)
                self.position += 1
            }
            guard self.accept("}" as Unicode.Scalar) else {
                throw self.error("invalid character class range", from: start)
            }
        } else if let scalar = self.peek {
            name.unicodeScalars.append(scalar)
            self.position += 1
        }
        if name == "Any" { return PathScalarSet([0...0x10FFFF], isNegated: isNegated) }
        guard pathCategoryNames.contains(name) else {
            throw self.error("unknown or unsupported Unicode class", from: start)
        }
        var set = PathScalarSet()
        set.items = [.category(name, isNegated: isNegated)]
        set.foldsCase = self.flags.foldsCase
        return set
    }

    /// A single character written with a backslash, which has been read.
    private mutating func escapedScalar(
        from start: Int
    ) throws(PathPattern.Malformed) -> Unicode.Scalar {
        guard let scalar = self.peek else {
            throw self.error("trailing backslash at end of expression")
        }
        self.position += 1
        switch scalar {
        case "a": return "\u{07}"
        case "f": return "\u{0C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "v": return "\u{0B}"
        case "x": return try self.hexadecimal(from: start)
        case "0"..."7":
            // One to three octal digits after 0; \1 to \7 need a second one: there are no
            // back-references, and Go refuses what looks like one.
            var value = scalar.value - 0x30
            let first = self.position
            while self.position < first + 2, let digit = self.peek, ("0"..."7").contains(digit) {
                value = value * 8 + digit.value - 0x30
                self.position += 1
            }
            guard scalar == "0" || self.position > first, let result = Unicode.Scalar(value) else {
                throw self.error("invalid escape sequence", from: start)
            }
            return result
        default:
            let isWord = PathScalarSet.word.contains(scalar) && scalar != "_"
            guard scalar.isASCII, !isWord else {
                throw self.error("invalid escape sequence", from: start)
            }
            return scalar
        }
    }

    private mutating func hexadecimal(
        from start: Int
    ) throws(PathPattern.Malformed) -> Unicode.Scalar {
        var digits = ""
        let isBraced = self.accept("{" as Unicode.Scalar)
        while let scalar = self.peek, scalar.isASCII, scalar.properties.isHexDigit,
            digits.count < (isBraced ? 8 : 2)
        {
            digits.unicodeScalars.append(scalar)
            self.position += 1
        }
        let isEnded = isBraced ? self.accept("}" as Unicode.Scalar) : digits.count == 2
        guard isEnded, let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value)
        else { throw self.error("invalid escape sequence", from: start) }
        return scalar
    }

    /// After `[`.
    mutating func characterClass(from start: Int) throws(PathPattern.Malformed) -> PathScalarSet {
        var set = PathScalarSet()
        set.foldsCase = self.flags.foldsCase
        set.isNegated = self.accept("^" as Unicode.Scalar)
        var isFirst = true
        while self.peek != "]" || isFirst {
            isFirst = false
            let itemStart = self.position
            guard self.peek != nil else {
                self.position = self.text.count
                throw self.error("missing closing ]", from: start)
            }
            var item = try self.posixClass()
            if item == nil { item = try self.classEscape(from: itemStart) }
            if let item {
                set.items.append(.set(item))
                continue
            }
            let low = try self.classScalar(from: itemStart)
            var high = low
            let isRange = self.peek == "-" && self.position + 1 < self.text.count
            if isRange, self.text[self.position + 1] != "]" {
                self.position += 1
                high = try self.classScalar(from: itemStart)
                guard low <= high else {
                    throw self.error("invalid character class range", from: itemStart)
                }
            }
            set.items.append(.range(low.value...high.value))
        }
        self.position += 1
        return set
    }

    private mutating func classEscape(
        from start: Int
    ) throws(PathPattern.Malformed) -> PathScalarSet? {
        guard self.accept("\\" as Unicode.Scalar) else { return nil }
        let set = try self.perlOrUnicodeClass(from: start)
        if set == nil { self.position = start }
        return set
    }

    private mutating func classScalar(
        from start: Int
    ) throws(PathPattern.Malformed) -> Unicode.Scalar {
        if self.accept("\\" as Unicode.Scalar) {
            if let next = self.peek, "dDsSwWpP".unicodeScalars.contains(next) {
                self.position += 1
                throw self.error("invalid character class range", from: start)
            }
            return try self.escapedScalar(from: start)
        }
        guard let scalar = self.peek else { throw self.error("missing closing ]", from: start) }
        self.position += 1
        return scalar
    }

    /// `[:alpha:]`, `[:^digit:]` within brackets, or nil.
    private mutating func posixClass() throws(PathPattern.Malformed) -> PathScalarSet? {
        let start = self.position
        guard self.accept("[:") else { return nil }
        let isNegated = self.accept("^" as Unicode.Scalar)
        var name = ""
        while let scalar = self.peek, scalar.isASCII, scalar.properties.isAlphabetic {
            name.unicodeScalars.append(scalar)
            self.position += 1
        }
        guard self.accept(":]") else {
            self.position = start
            return nil
        }
        guard let ranges = posixClasses[name] else {
            throw self.error("invalid character class range", from: start)
        }
        return PathScalarSet(ranges, isNegated: isNegated)
    }
}

private let posixClasses: [String: [ClosedRange<UInt32>]] = [
    "alnum": [0x30...0x39, 0x41...0x5A, 0x61...0x7A],
    "alpha": [0x41...0x5A, 0x61...0x7A],
    "ascii": [0x00...0x7F],
    "blank": [0x09...0x09, 0x20...0x20],
    "cntrl": [0x00...0x1F, 0x7F...0x7F],
    "digit": [0x30...0x39],
    "graph": [0x21...0x7E],
    "lower": [0x61...0x7A],
    "print": [0x20...0x7E],
    "punct": [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E],
    "space": [0x09...0x0D, 0x20...0x20],
    "upper": [0x41...0x5A],
    "word": [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A],
    "xdigit": [0x30...0x39, 0x41...0x46, 0x61...0x66],
]
