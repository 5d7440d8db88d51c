/// A regular expression for URL paths: RE2's syntax as Go has it, matched anywhere in the path.
///
/// Written here because cloudflared's rules are RE2 expressions: a backtracking engine would read
/// some of them differently and can be made to take exponential time by a visitor. This one takes at
/// most ``maximumInstructions`` steps for each character of the path, whatever both are; it has no
/// back-references and no look-around, as RE2 has none. Not supported of RE2: `\C` and scripts
/// (`\p{Greek}`); both are errors.
package struct PathPattern: Sendable, Equatable, CustomStringConvertible {
    /// The largest expression, compiled; a larger one is an error.
    package static let maximumInstructions = 2_000

    /// The expression as it was written.
    package let description: String
    private let program: PathProgram

    /// Why a text is not an expression, in Go's words.
    package struct Malformed: Error, Equatable {
        /// For a person: what is wrong, with the part at fault if it is one.
        package var message: String
    }

    /// Compiles an expression.
    ///
    /// - Throws: ``Malformed`` when it is none, or needs more than ``maximumInstructions``.
    package init(_ text: String) throws(Malformed) {
        var parser = PathPatternParser(text)
        self.program = try PathProgram(try parser.parse())
        self.description = text
    }

    /// Whether the expression matches anywhere in `path`.
    package func matches(_ path: String) -> Bool { self.program.matches(path.unicodeScalars) }

    package static func == (left: Self, right: Self) -> Bool {
        left.description == right.description
    }
}
