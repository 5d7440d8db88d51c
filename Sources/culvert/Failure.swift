import ControlClient
import Foundation

/// An error for a person: what happened, why, and what to do next. Its text is all that is printed.
struct Failure: Error, CustomStringConvertible, LocalizedError {
    /// What a script can tell apart by the exit code; from 64 on the numbers are those of sysexits.h. After 64
    /// and 78 a service is not started again: without a change here it would be no different.
    enum Code: Int32 {
        case failed = 1
        /// There is no login, or none that is good.
        case notLoggedIn = 3
        /// There is no such tunnel, hostname, account or key.
        case notFound = 4
        /// The hostname leads to its tunnel, but its DNS record was not made.
        case noRecord = 5
        /// What the command line or the environment says is wrong, or something is missing there.
        case usage = 64
        /// The edge refuses this connector for good.
        case refused = 77
        /// A file that was named is missing, or is wrong, or its owner is not the only one to read it.
        case badFile = 78

        /// Whether trying again without changing anything is useless.
        var isFinal: Bool { self.rawValue >= Self.usage.rawValue }
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
