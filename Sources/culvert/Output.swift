import ArgumentParser
import ControlAPI
import Foundation

/// How a command shows what it found.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    /// For a person on a terminal.
    case text
    /// The API's documents, for scripts.
    case json
}

/// Prints a document of the API as it is, keys in alphabetical order.
func printJSON(_ document: some Encodable) throws {
    let encoder = APICoding.encoder
    encoder.outputFormatting.insert(.prettyPrinted)
    print(String(decoding: try encoder.encode(document), as: UTF8.self))
}
