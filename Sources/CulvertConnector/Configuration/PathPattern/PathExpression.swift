/// A parsed expression. Groups are gone: nobody asks what they captured.
indirect enum PathExpression {
    case empty
    case scalars(PathScalarSet)
    case assertion(PathAssertion)
    case sequence([PathExpression])
    case alternatives([PathExpression])
    /// At least `minimum` times, at most `maximum` times, or any number when that is nil.
    case repetition(PathExpression, minimum: Int, maximum: Int?)
}

/// What has to hold between two characters.
enum PathAssertion: Sendable {
    case textStart, textEnd, lineStart, lineEnd, wordBoundary, notWordBoundary

    func holds(after previous: Unicode.Scalar?, before next: Unicode.Scalar?) -> Bool {
        switch self {
        case .textStart: previous == nil
        case .textEnd: next == nil
        case .lineStart: previous == nil || previous == "\n"
        case .lineEnd: next == nil || next == "\n"
        case .wordBoundary: isWord(previous) != isWord(next)
        case .notWordBoundary: isWord(previous) == isWord(next)
        }
    }
}

private func isWord(_ scalar: Unicode.Scalar?) -> Bool {
    scalar.map { PathScalarSet.word.contains($0) } ?? false
}

/// A set of characters.
struct PathScalarSet: Sendable {
    enum Item: Sendable {
        case range(ClosedRange<UInt32>)
        /// One or two letters: `L`, `Lu`.
        case category(String, isNegated: Bool)
        case set(PathScalarSet)
    }

    var items: [Item] = []
    var isNegated = false
    /// Whether a character is also in the set when its other case is.
    var foldsCase = false

    init(_ scalar: Unicode.Scalar, foldsCase: Bool = false) {
        self.items = [.range(scalar.value...scalar.value)]
        self.foldsCase = foldsCase
    }

    init(_ ranges: [ClosedRange<UInt32>] = [], isNegated: Bool = false) {
        self.items = ranges.map { .range($0) }
        self.isNegated = isNegated
    }

    static let digit = PathScalarSet([0x30...0x39])
    static let space = PathScalarSet([0x09...0x0A, 0x0C...0x0D, 0x20...0x20])
    static let word = PathScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])

    func inverted() -> PathScalarSet {
        var set = self
        set.isNegated.toggle()
        return set
    }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        var isIn = self.hasItem(scalar)
        if !isIn, self.foldsCase {
            isIn = otherCases(of: scalar).contains { self.hasItem($0) }
        }
        return isIn != self.isNegated
    }

    private func hasItem(_ scalar: Unicode.Scalar) -> Bool {
        self.items.contains { item in
            switch item {
            case .range(let range): range.contains(scalar.value)
            case .category(let name, let isNegated):
                categoryName(scalar.properties.generalCategory).hasPrefix(name) != isNegated
            case .set(let set): set.contains(scalar)
            }
        }
    }
}

private func otherCases(of scalar: Unicode.Scalar) -> [Unicode.Scalar] {
    if scalar.isASCII {
        let isLetter = (0x41...0x5A).contains(scalar.value & ~0x20)
        return isLetter ? [Unicode.Scalar(UInt8(scalar.value ^ 0x20))] : []
    }
    let mappings = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
    return mappings.compactMap { $0.unicodeScalars.count == 1 ? $0.unicodeScalars.first : nil }
}

private func categoryName(_ category: Unicode.GeneralCategory) -> String {
    switch category {
    case .uppercaseLetter: "Lu"
    case .lowercaseLetter: "Ll"
    case .titlecaseLetter: "Lt"
    case .modifierLetter: "Lm"
    case .otherLetter: "Lo"
    case .nonspacingMark: "Mn"
    case .spacingMark: "Mc"
    case .enclosingMark: "Me"
    case .decimalNumber: "Nd"
    case .letterNumber: "Nl"
    case .otherNumber: "No"
    case .connectorPunctuation: "Pc"
    case .dashPunctuation: "Pd"
    case .openPunctuation: "Ps"
    case .closePunctuation: "Pe"
    case .initialPunctuation: "Pi"
    case .finalPunctuation: "Pf"
    case .otherPunctuation: "Po"
    case .mathSymbol: "Sm"
    case .currencySymbol: "Sc"
    case .modifierSymbol: "Sk"
    case .otherSymbol: "So"
    case .spaceSeparator: "Zs"
    case .lineSeparator: "Zl"
    case .paragraphSeparator: "Zp"
    case .control: "Cc"
    case .format: "Cf"
    case .surrogate: "Cs"
    case .privateUse: "Co"
    case .unassigned: "Cn"
    @unknown default: "Cn"
    }
}

/// The names `\p{…}` takes: the categories and their first letters.
let pathCategoryNames: Set<String> = [
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc",
    "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C",
    "Cc", "Cf", "Cs", "Co",
]
