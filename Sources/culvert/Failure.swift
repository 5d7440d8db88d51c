import Foundation

/// An error for a person: what happened, why, and what to do next. Its text is all that is printed.
struct Failure: Error, CustomStringConvertible, LocalizedError {
    let description: String

    init(_ description: String) { self.description = description }

    var errorDescription: String? { self.description }
}
