import Foundation

/// Asks a person whether to go on; anything but a yes is a no.
///
/// - Throws: `Failure` when the answer is no, and where there is no terminal to ask at.
func confirm(_ question: String) throws {
    guard isatty(STDIN_FILENO) == 1 else {
        throw Failure("Nobody can be asked here: add --force if that is what you want.")
    }
    FileHandle.standardError.write(Data("\(question) [y/N] ".utf8))
    let answer = readLine()?.lowercased() ?? ""
    guard answer == "y" || answer == "yes" else { throw Failure("Nothing was changed.") }
}
