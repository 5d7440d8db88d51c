import ConfigurationFile
import Foundation

/// A text in a temporary file, for a person to change with an editor.
final class EditedText {
    let file: String
    private let before: String
    private var isKept = false

    init(_ text: String) throws {
        self.before = text
        let name = "culvert-\(UInt64.random(in: 0 ... .max)).yml"
        self.file = NSTemporaryDirectory() + name
        do {
            try PrivateFile.write(Data(text.utf8), to: self.file, replacing: false)
        } catch {
            throw Failure("\(error)")
        }
    }

    /// Has the person change the text, again where `check` finds something wrong and the person agrees.
    ///
    /// - Returns: the text; nil when it is as it was.
    /// - Throws: what `check` finds; the file is kept then.
    func edit(_ check: (String) throws -> Void) throws -> String? {
        while true {
            try self.openEditor()
            let text: String
            do {
                text = try ConfigurationReader.text(ofFile: self.file)
            } catch {
                throw Failure("\(error)")
            }
            guard text != self.before else { return nil }
            do {
                try check(text)
                return text
            } catch {
                guard Self.wantsAnother(after: error) else {
                    self.keep()
                    throw error
                }
            }
        }
    }

    private static func wantsAnother(after error: any Error) -> Bool {
        guard isatty(STDIN_FILENO) == 1 else { return false }
        note("\(error)\nEdit it again? [Y/n] ")
        return readLine().map { !$0.lowercased().hasPrefix("n") } ?? false
    }

    /// Leaves the file where it is, and says where.
    func keep() {
        self.isKept = true
        note("What you wrote is in \(self.file).")
    }

    /// Removes the file, unless it is to be kept.
    func remove() {
        guard !self.isKept else { return }
        try? PrivateFile.remove(self.file)
    }

    /// The variables may have arguments in them, as the shell has them.
    private func openEditor() throws {
        let environment = ProcessInfo.processInfo.environment
        let editor = ["VISUAL", "EDITOR"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        let command = editor ?? "vi"
        guard ChildProgram.run("/bin/sh", ["-c", command + " \"$1\"", "culvert", self.file]) else {
            throw Failure("The editor (\(command)) failed; $VISUAL and $EDITOR name another.")
        }
    }
}
