/// A place in a configuration file. Lines and columns count from 1, columns in Unicode scalars.
package struct ConfigurationPlace: Sendable, Equatable, Comparable {
    /// From 1.
    package var line: Int
    /// From 1, in Unicode scalars.
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// One thing wrong with a configuration file, or worth knowing about it.
package struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// The file as the person named it.
    package var file: String
    /// Where in the file; nil when the file as a whole is meant (it cannot be read, say).
    package var place: ConfigurationPlace?
    /// The key's path, `ingress[2].originRequest.caPool`; empty for the file as a whole.
    package var key: String
    /// What is wrong and what to do about it, as one sentence without a full stop.
    package var message: String

    package init(file: String, place: ConfigurationPlace?, key: String, message: String) {
        self.file = file
        self.place = place
        self.key = key
        self.message = message
    }

    /// `file:line:column: key.path: message`.
    package var description: String {
        var text = self.file
        if let place { text += ":\(place.line):\(place.column)" }
        if !self.key.isEmpty { text += ": \(self.key)" }
        return "\(text): \(self.message)"
    }
}

/// Everything wrong with one configuration file, in the file's order; never empty when thrown.
package struct ConfigurationProblems: Error, Sendable, Equatable, CustomStringConvertible {
    /// In the file's order, those of the file as a whole first.
    package var problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) { self.problems = problems }

    /// A problem a line.
    package var description: String {
        self.problems.map(\.description).joined(separator: "\n")
    }
}
