/// Hides a file's aliases from Yams, so that they are resolved one by one, counted, where they stand.
///
/// The `*` of everything that looks like an alias is replaced by a character that a file cannot
/// otherwise have (one scalar for one, so every column stays right). What comes back as a whole plain
/// scalar is an alias; anywhere else (a comment, a quoted string) the `*` is put back.
struct AliasVeil {
    static let mark: Unicode.Scalar = "\u{F8FF}"

    /// The text with its aliases hidden.
    let text: String

    init(_ text: String) {
        var veiled = String.UnicodeScalarView()
        var previous: Unicode.Scalar = "\n"
        let scalars = text.unicodeScalars
        var index = scalars.startIndex
        while index < scalars.endIndex {
            let scalar = scalars[index]
            let next = scalars.index(after: index)
            let isAlias =
                scalar == "*" && " \t\n\r[{,:".unicodeScalars.contains(previous)
                && Self.endsWell(scalars[next...])
            veiled.append(isAlias ? Self.mark : scalar)
            previous = scalar
            index = next
        }
        self.text = String(veiled)
    }

    /// The name of the alias that a whole plain scalar is, or nil.
    func alias(_ scalar: String) -> String? {
        guard scalar.unicodeScalars.first == Self.mark else { return nil }
        let name = scalar.unicodeScalars.dropFirst()
        return name.allSatisfy(Self.isNameScalar) ? String(name) : nil
    }

    /// The string with its asterisks put back.
    func lift(_ string: String) -> String {
        guard string.unicodeScalars.contains(Self.mark) else { return string }
        var lifted = String.UnicodeScalarView()
        for scalar in string.unicodeScalars { lifted.append(scalar == Self.mark ? "*" : scalar) }
        return String(lifted)
    }

    /// Whether a name and then the end of a token follow; if not, Yams is left to complain.
    private static func endsWell(_ rest: String.UnicodeScalarView.SubSequence) -> Bool {
        let afterName = rest.drop { self.isNameScalar($0) }
        guard afterName.startIndex > rest.startIndex else { return false }
        let end = afterName.drop { $0 == " " || $0 == "\t" }
        guard let scalar = end.first else { return true }
        if scalar == "#" { return end.startIndex > afterName.startIndex }
        return "\n\r,]}:".unicodeScalars.contains(scalar)
    }

    private static func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "0"..."9", "A"..."Z", "a"..."z", "-", "_": true
        default: false
        }
    }
}
