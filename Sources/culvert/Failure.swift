import ControlClient
import Foundation

/// An error for a person: what happened, why, and what to do next. Its text is all that is printed.
struct Failure: Error, CustomStringConvertible, LocalizedError {
    /// What a script can tell apart by the exit code; what is wrong with the arguments is 64.
    enum Code: Int32 {
        case failed = 1
        /// There is no login, or none that is good.
        case notLoggedIn = 3
        /// There is no such tunnel, hostname, account or key.
        case notFound = 4
        /// The hostname leads to its tunnel, but its DNS record was not made.
        case noRecord = 5
    }

    let description: String
    let code: Code

    init(_ description: String, _ code: Code = .failed) {
        self.description = description
        self.code = code
    }

    var errorDescription: String? { self.description }
}

extension Failure {
    /// What a failed request to an edge's API means for whoever ran the command.
    init(_ error: ControlClientError) {
        switch error {
        case .loggedOut: self.init("\(error)", .notLoggedIn)
        case .problem where error.isUnknown: self.init("\(error)", .notFound)
        default: self.init("\(error)")
        }
    }
}
