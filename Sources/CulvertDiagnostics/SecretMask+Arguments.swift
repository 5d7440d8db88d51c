extension SecretMask {
    /// A program's arguments on a line, without secrets; those that options give are learned.
    ///
    /// A value with blanks in it goes as a whole, which only the separate words can tell.
    package mutating func masked(arguments words: [String]) -> String {
        var secretOption: String?
        var shown: [String] = []
        for word in words {
            if let option = secretOption {
                shown.append(self.masked(word, of: option))
                secretOption = nil
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard Self.isSecret(option: name) else {
                shown.append(self.masked(word))
                continue
            }
            if parts.count == 2 {
                shown.append("\(name)=\(self.masked(String(parts[1]), of: name))")
            } else {
                shown.append(word)
                secretOption = name
            }
        }
        return shown.joined(separator: " ")
    }

    /// Whether an option's value is a secret, of this program or of those whose habits people have.
    private static func isSecret(option: String) -> Bool {
        if option == "-H" || option == "add-authtoken" { return true }
        guard option.hasPrefix("--") else { return false }
        let name = option.dropFirst(2)
        return self.isSecret(key: name) || name == "header" || name.hasSuffix("auth")
    }

    /// What to show of an option's value: of a header its name.
    private mutating func masked(_ value: String, of option: String) -> String {
        guard let colon = value.firstIndex(of: ":") else {
            self.learn(value)
            return Self.mark
        }
        let behind = String(value[value.index(after: colon)...])
        guard option == "--header" || option == "-H" else {
            // A name and a password.
            self.learn(value)
            self.learn(behind)
            return Self.mark
        }
        let name = value[..<colon]
        // A word such as "true" is no secret, and would be found everywhere.
        if Self.isSecret(key: name) || behind.count >= 12 { self.learn(behind) }
        return "\(name): \(Self.mark)"
    }
}
