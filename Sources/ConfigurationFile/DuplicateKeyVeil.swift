import Yams

/// Renames duplicate keys one at a time, so that Yams, which stops at the first, reads on.
///
/// A new name has as many characters as the old one, so every column stays right.
struct DuplicateKeyVeil {
    /// One of these begins every new name; how many there are bounds how often Yams is run.
    static let marks: ClosedRange<UInt32> = 0xE000...0xE020
    /// How much text is parsed again, in all.
    private static let maximumBytes = 2 << 20
    private static let filler: Character = "\u{E020}"

    private var originals: [String: String] = [:]

    /// The name a key had before it was renamed; the key itself when it was not.
    func original(of key: String) -> String { self.originals[key] ?? key }

    /// The text with the key at `mark` renamed, or nil when it is not simply written there.
    mutating func veil(_ keys: [String], at mark: Mark, in text: String) -> String? {
        let number = Self.marks.lowerBound + UInt32(self.originals.count)
        guard number < Self.marks.upperBound, let first = Unicode.Scalar(number) else { return nil }
        // Each renaming is one more parse of the whole text.
        guard self.originals.count * text.utf8.count < Self.maximumBytes else { return nil }
        guard let start = Self.index(of: mark, in: text) else { return nil }
        var rest = text.unicodeScalars[start...]
        if rest.first == "\"" || rest.first == "'" { rest = rest.dropFirst() }
        // Yams sorts the keys and marks the first of them.
        guard let key = keys.first, !key.isEmpty, rest.starts(with: key.unicodeScalars) else {
            return nil
        }
        var name = String(Character(first))
        name += String(repeating: Self.filler, count: key.unicodeScalars.count - 1)
        let end = rest.index(rest.startIndex, offsetBy: key.unicodeScalars.count)
        self.originals[name] = key
        return text[..<rest.startIndex] + name + text[end...]
    }

    private static func index(of mark: Mark, in text: String) -> String.Index? {
        let scalars = text.unicodeScalars
        var line = 1
        var index = scalars.startIndex
        while line < mark.line {
            guard let end = scalars[index...].firstIndex(where: { $0 == "\n" }) else { return nil }
            index = scalars.index(after: end)
            line += 1
        }
        return scalars.index(index, offsetBy: mark.column - 1, limitedBy: scalars.endIndex)
    }
}
