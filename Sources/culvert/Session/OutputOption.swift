import ArgumentParser
import ControlAPI
import ControlClient
import Foundation

/// How a command shows what it shows.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// The option of every command that shows something.
struct OutputOption: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: "text for people, or json: the documents of the edge's API as they are."
    )
    var output = OutputFormat.text

    /// Prints a document, in words or as it is.
    func show(_ document: some Encodable, _ text: (LocalTime) -> String) throws {
        guard self.output == .json else {
            print(text(LocalTime()))
            return
        }
        let encoder = APICoding.encoder
        encoder.outputFormatting.insert(.prettyPrinted)
        print(String(decoding: try encoder.encode(document), as: UTF8.self))
    }

    /// Prints a list; of an empty one a person is told on standard error what there is to do.
    func show<Item>(
        _ list: ListDocument<Item>,
        empty hint: String,
        _ text: (LocalTime) -> String
    ) throws {
        guard self.output == .text, list.items.isEmpty else { return try self.show(list, text) }
        note(hint)
    }
}
